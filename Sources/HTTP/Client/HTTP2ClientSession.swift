/// The client's half of HTTP/2 (RFC 9113) without I/O, over libnghttp2.
///
/// A stream's state lies in a slab; nghttp2 carries the slot's index as the stream's user data, so
/// an answer finds its exchange without a dictionary. nghttp2 itself holds back requests past the
/// server's SETTINGS_MAX_CONCURRENT_STREAMS. Left out: push (refused by SETTINGS) and streamed
/// request bodies.
private import Base
internal import CNghttp2
package import NIOCore

package final class HTTP2ClientSession {
    private struct Slot {
        var exchange = 0
        var stream: Int32 = 0
        var status = 0
        var isOpen = false
        var wasSent = false
        var headIsComplete = false
        var bodyOffset = 0
        var body: Bytes = []
    }

    private var slots: [Slot] = []
    private var freeSlots: [Int] = []
    private var handle: OpaquePointer?
    private let scheme: Bytes
    private let authority: Bytes
    private let address: String
    private let receiver: any ClientReceiver
    /// Names and values of the request being submitted, copied by nghttp2 before `submit` returns.
    private var scratch: Bytes = []
    private var fields: [(name: Range<Int>, value: Range<Int>)] = []
    private var nameValues: [nghttp2_nv] = []

    private var hasInput = false
    package private(set) var exchangesOpen = 0
    /// The server sent GOAWAY: no new requests.
    package private(set) var isDraining = false

    /// Bytes that the server may send ahead: enough for a page of a scan on each of several
    /// streams.
    static let streamWindow: Int32 = 1 << 20
    static let connectionWindow: Int32 = 16 << 20

    package init(origin: Origin, receiver: any ClientReceiver) {
        scheme = Bytes(origin.scheme.rawValue.utf8)
        authority = Bytes(origin.authority.utf8)
        address = origin.authority
        self.receiver = receiver
        var callbacks: OpaquePointer?
        nghttp2_session_callbacks_new(&callbacks)
        defer { nghttp2_session_callbacks_del(callbacks) }
        nghttp2_session_callbacks_set_on_header_callback(callbacks, onHeader)
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, onData)
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, onFrame)
        nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, onFrameSent)
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, onStreamClose)
        let me = Unmanaged.passUnretained(self).toOpaque()
        let made = nghttp2_session_client_new(&handle, callbacks, me)
        invariant(made == 0, "nghttp2 makes a session unless memory is exhausted")
        let settings = [
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_ENABLE_PUSH.rawValue), value: 0),
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE.rawValue),
                value: UInt32(Self.streamWindow)),
        ]
        let submitted =
            nghttp2_submit_settings(handle, 0, settings, settings.count)
            | nghttp2_session_set_local_window_size(handle, 0, 0, Self.connectionWindow)
        invariant(submitted == 0, "the first SETTINGS are valid")
    }

    deinit { nghttp2_session_del(handle) }

    // Hot path: once per request of the load generator.
    package func submit(_ request: borrowing ClientRequest, _ exchange: Int) {
        let index = freeSlots.popLast() ?? slots.count
        if index == slots.count { slots.append(Slot()) }
        let body = request.body
        slots[index] = Slot(exchange: exchange, isOpen: true, body: body ?? [])
        exchangesOpen += 1
        collectFields(of: request)
        var provider = nghttp2_data_provider()
        provider.source.fd = Int32(index)
        provider.read_callback = readBody
        let userData = UnsafeMutableRawPointer(bitPattern: index + 1)
        let stream = scratch.withUnsafeMutableBytes { scratch in
            nameValues.removeAll(keepingCapacity: true)
            for field in fields {
                nameValues.append(nameValue(scratch, field.name, field.value))
            }
            return body == nil
                ? nghttp2_submit_request(
                    handle, nil, nameValues, nameValues.count, nil, userData)
                : nghttp2_submit_request(
                    handle, nil, nameValues, nameValues.count, &provider, userData)
        }
        guard stream > 0 else {
            // Stream numbers are used up, or memory is.
            isDraining = true
            release(index)
            return receiver.failed(exchange, .notProcessed(address: address))
        }
        slots[index].stream = stream
    }

    package func feed(_ input: UnsafeRawBufferPointer) throws(ClientError) {
        if !hasInput, !input.isEmpty {
            hasInput = true
            guard !input.starts(with: "HTTP/1".utf8) else {
                throw .malformedResponse(reason: "it speaks HTTP/1.1 and not HTTP/2")
            }
        }
        let bytes = input.assumingMemoryBound(to: UInt8.self)
        let taken = nghttp2_session_mem_recv(handle, bytes.baseAddress, bytes.count)
        guard taken >= 0 else {
            throw .malformedResponse(reason: String(cString: nghttp2_strerror(Int32(taken))))
        }
    }

    /// Appends frames until `limit` bytes are reached; false once nothing more is to be sent.
    package func fill(_ out: inout ByteBuffer, limit: Int) throws(ClientError) -> Bool {
        while out.readableBytes < limit {
            var data: UnsafePointer<UInt8>?
            let count = nghttp2_session_mem_send(handle, &data)
            guard count >= 0 else {
                throw .malformedResponse(reason: String(cString: nghttp2_strerror(Int32(count))))
            }
            guard count > 0 else { return false }
            out.writeBytes(UnsafeRawBufferPointer(start: data, count: count))
        }
        return true
    }

    /// Nothing more is to be read or written: the session is over.
    package var isFinished: Bool {
        nghttp2_session_want_read(handle) == 0 && nghttp2_session_want_write(handle) == 0
    }

    /// Resets the stream of an exchange whose answer is no longer wanted.
    package func cancel(_ exchange: Int, _ error: ClientError) {
        guard let index = slots.firstIndex(where: { $0.isOpen && $0.exchange == exchange })
        else { return }
        let stream = slots[index].stream
        let queued = nghttp2_submit_rst_stream(
            handle, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream, NGHTTP2_CANCEL.rawValue)
        invariant(queued == 0, "RST_STREAM for a stream that was opened is valid")
        slots[index].exchange = -1
        receiver.failed(exchange, error)
    }

    package func goAway() {
        _ = nghttp2_session_terminate_session(handle, NGHTTP2_NO_ERROR.rawValue)
    }

    package func failAll(_ error: ClientError) {
        for index in slots.indices where slots[index].isOpen {
            let slot = slots[index]
            release(index)
            if slot.exchange >= 0 {
                receiver.failed(
                    slot.exchange, slot.wasSent ? error : .notProcessed(address: address))
            }
        }
    }

    private func release(_ index: Int) {
        slots[index].isOpen = false
        slots[index].body = []
        freeSlots.append(index)
        exchangesOpen -= 1
    }

    private func collectFields(of request: borrowing ClientRequest) {
        scratch.removeAll(keepingCapacity: true)
        fields.removeAll(keepingCapacity: true)
        add(":method", request.method.utf8)
        add(":scheme", scheme)
        add(":authority", authority)
        add(":path", request.target)
        for header in request.headers { add(header.name, header.value.utf8) }
        if let body = request.body { add("content-length", String(body.count).utf8) }
    }

    private func add(_ name: String, _ value: some Collection<UInt8>) {
        let start = scratch.count
        for byte in name.utf8 { scratch.append(byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte) }
        let middle = scratch.count
        scratch.append(contentsOf: value)
        fields.append((start..<middle, middle..<scratch.count))
    }

    private func nameValue(
        _ scratch: UnsafeMutableRawBufferPointer, _ name: Range<Int>, _ value: Range<Int>
    ) -> nghttp2_nv {
        let bytes = scratch.assumingMemoryBound(to: UInt8.self)
        guard let base = bytes.baseAddress else { return nghttp2_nv() }
        return nghttp2_nv(
            name: base + name.lowerBound, value: base + value.lowerBound, namelen: name.count,
            valuelen: value.count, flags: UInt8(NGHTTP2_NV_FLAG_NONE.rawValue))
    }

    private func slotIndex(_ stream: Int32) -> Int? {
        let userData = nghttp2_session_get_stream_user_data(handle, stream)
        return userData.map { Int(bitPattern: $0) - 1 }
    }

    // MARK: What nghttp2 reports

    fileprivate func received(
        stream: Int32, name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer
    ) {
        guard let index = slotIndex(stream), !slots[index].headIsComplete else { return }
        if name.first == UInt8(ascii: ":") {
            // nghttp2 has checked that :status comes first and is three digits.
            let status = value.reduce(0) { $0 * 10 + Int($1) - 0x30 }
            slots[index].status = status
            guard status >= 200, slots[index].exchange >= 0 else { return }
            receiver.received(status: status, slots[index].exchange)
        } else if slots[index].status >= 200, slots[index].exchange >= 0 {
            receiver.received(header: name, value: value, slots[index].exchange)
        }
    }

    fileprivate func received(stream: Int32, body: UnsafeRawBufferPointer) {
        guard let index = slotIndex(stream), slots[index].exchange >= 0 else { return }
        receiver.received(body: body, slots[index].exchange)
    }

    fileprivate func received(_ frame: nghttp2_frame) {
        if frame.hd.type == UInt8(NGHTTP2_GOAWAY.rawValue) {
            isDraining = true
        } else if frame.hd.type == UInt8(NGHTTP2_HEADERS.rawValue),
            let index = slotIndex(frame.hd.stream_id), slots[index].status >= 200
        {
            slots[index].headIsComplete = true
        }
    }

    fileprivate func sent(_ frame: nghttp2_frame) {
        guard frame.hd.type == UInt8(NGHTTP2_HEADERS.rawValue),
            let index = slotIndex(frame.hd.stream_id)
        else { return }
        slots[index].wasSent = true
    }

    fileprivate func closed(stream: Int32, code: UInt32) {
        guard let index = slotIndex(stream) else { return }
        let slot = slots[index]
        release(index)
        guard slot.exchange >= 0 else { return }
        if code == NGHTTP2_NO_ERROR.rawValue, slot.headIsComplete {
            receiver.completed(slot.exchange)
        } else if code == NGHTTP2_REFUSED_STREAM.rawValue || !slot.wasSent {
            receiver.failed(slot.exchange, .notProcessed(address: address))
        } else {
            receiver.failed(slot.exchange, .streamReset(code: code))
        }
    }

    fileprivate func takeBody(
        _ index: Int, into out: UnsafeMutableRawBufferPointer
    ) -> (count: Int, isLast: Bool) {
        let start = slots[index].bodyOffset
        let count = min(out.count, slots[index].body.count - start)
        slots[index].body.withUnsafeBytes { body in
            out.copyMemory(from: UnsafeRawBufferPointer(rebasing: body[start..<start + count]))
        }
        slots[index].bodyOffset = start + count
        return (count, start + count == slots[index].body.count)
    }
}

/// The session lives as long as its nghttp2 handle, which calls back only within its own calls.
private func session(_ userData: UnsafeMutableRawPointer?) -> HTTP2ClientSession? {
    userData.map { Unmanaged<HTTP2ClientSession>.fromOpaque($0).takeUnretainedValue() }
}

private let onHeader: nghttp2_on_header_callback = {
    _, frame, name, nameCount, value, valueCount, _, userData in
    guard let frame, frame.pointee.hd.type == UInt8(NGHTTP2_HEADERS.rawValue) else { return 0 }
    session(userData)?.received(
        stream: frame.pointee.hd.stream_id,
        name: UnsafeRawBufferPointer(start: name, count: nameCount),
        value: UnsafeRawBufferPointer(start: value, count: valueCount))
    return 0
}

private let onData: nghttp2_on_data_chunk_recv_callback = {
    _, _, stream, data, count, userData in
    session(userData)?.received(
        stream: stream, body: UnsafeRawBufferPointer(start: data, count: count))
    return 0
}

private let onFrame: nghttp2_on_frame_recv_callback = { _, frame, userData in
    if let frame { session(userData)?.received(frame.pointee) }
    return 0
}

private let onFrameSent: nghttp2_on_frame_send_callback = { _, frame, userData in
    if let frame { session(userData)?.sent(frame.pointee) }
    return 0
}

private let onStreamClose: nghttp2_on_stream_close_callback = { _, stream, code, userData in
    session(userData)?.closed(stream: stream, code: code)
    return 0
}

private let readBody: nghttp2_data_source_read_callback = {
    _, _, buffer, capacity, flags, source, userData in
    guard let me = session(userData), let source, let flags else {
        return Int(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue)
    }
    let out = UnsafeMutableRawBufferPointer(start: buffer, count: capacity)
    let (count, isLast) = me.takeBody(Int(source.pointee.fd), into: out)
    if isLast { flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue }
    return count
}
