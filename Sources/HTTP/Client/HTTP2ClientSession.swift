/// The client's half of HTTP/2 (RFC 9113) without I/O, over libnghttp2.
///
/// A stream's state lies in a slab; nghttp2 carries the slot's index as the stream's user data, so
/// an answer finds its exchange without a dictionary. nghttp2 itself holds back requests past the
/// server's SETTINGS_MAX_CONCURRENT_STREAMS. Bodies that come piece by piece are in
/// `HTTP2ClientSession+Streams`. Left out: push (refused by SETTINGS).
private import Base
internal import CNghttp2
package import NIOCore

package final class HTTP2ClientSession {
    struct Slot {
        var exchange = 0
        var stream: Int32 = 0
        var status = 0
        var isOpen = false
        var headIsComplete = false
        var bodyOffset = 0
        /// Its body comes piece by piece.
        var isStream = false
    }

    private(set) var slots: [Slot] = []
    /// By slot; empty where there is none to send.
    private var bodies: [Bytes] = []
    /// By slot, of those that stream.
    var outboxes: [Int: Outbox] = [:]
    private var freeSlots: [Int] = []
    private(set) var handle: OpaquePointer?
    private var block: HTTP2HeaderBlock
    private let address: String
    private let receiver: any ClientReceiver
    fileprivate let wantsHeaders: Bool
    /// Streams are sent in the order of their numbers.
    private var lastSent: Int32 = 0
    private var hasInput = false
    package private(set) var exchangesOpen = 0
    /// The server sent GOAWAY: no new requests.
    package private(set) var isDraining = false

    /// Bytes that the server may send ahead: enough for a page of a scan on each of several
    /// streams.
    static let streamWindow: Int32 = 1 << 20
    static let connectionWindow: Int32 = 16 << 20

    package init(origin: Origin, receiver: any ClientReceiver) {
        block = HTTP2HeaderBlock(scheme: origin.scheme.rawValue, authority: origin.authority)
        address = origin.authority
        self.receiver = receiver
        wantsHeaders = receiver.wantsHeaders
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
        submit(request, exchange, isStream: false)
    }

    func submit(_ request: borrowing ClientRequest, _ exchange: Int, isStream: Bool) {
        let index = freeSlots.popLast() ?? slots.count
        if index == slots.count {
            slots.append(Slot())
            bodies.append([])
        }
        exchangesOpen += 1
        var provider = nghttp2_data_provider()
        provider.source.fd = Int32(index)
        provider.read_callback = readBody
        let userData = UnsafeMutableRawPointer(bitPattern: index + 1)
        let handle = handle
        let hasBody = request.body != nil || isStream
        if isStream { outboxes[index] = Outbox() }
        if let body = request.body { bodies[index] = body }
        let stream = block.with(request) { fields in
            hasBody
                ? nghttp2_submit_request(
                    handle, nil, fields.baseAddress, fields.count, &provider, userData)
                : nghttp2_submit_request(
                    handle, nil, fields.baseAddress, fields.count, nil, userData)
        }
        slots[index] = Slot(
            exchange: exchange, stream: max(stream, 0), isOpen: true, isStream: isStream)
        guard stream > 0 else {
            // Stream numbers are used up, or memory is.
            isDraining = true
            release(index)
            return receiver.failed(exchange, .notProcessed(address: address))
        }
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
                    slot.exchange,
                    slot.stream <= lastSent ? error : .notProcessed(address: address))
            }
        }
    }

    private func release(_ index: Int) {
        slots[index].isOpen = false
        if !bodies[index].isEmpty { bodies[index] = [] }
        if slots[index].isStream { outboxes[index] = nil }
        freeSlots.append(index)
        exchangesOpen -= 1
    }

    private func slotIndex(_ stream: Int32) -> Int? {
        let userData = nghttp2_session_get_stream_user_data(handle, stream)
        return userData.map { Int(bitPattern: $0) - 1 }
    }

    // MARK: What nghttp2 reports

    fileprivate func received(
        stream: Int32, name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer
    ) {
        guard let index = slotIndex(stream) else { return }
        let slot = slots[index]
        guard !slot.headIsComplete else { return }
        if name.first == UInt8(ascii: ":") {
            // nghttp2 has checked that :status comes first and is three digits.
            let status = value.reduce(0) { $0 * 10 + Int($1) - 0x30 }
            slots[index].status = status
            if status >= 200, slot.exchange >= 0 {
                receiver.received(status: status, slot.exchange)
            }
        } else if slot.status >= 200, slot.exchange >= 0 {
            receiver.received(header: name, value: value, slot.exchange)
        }
    }

    fileprivate func received(stream: Int32, body: UnsafeRawBufferPointer) {
        guard let index = slotIndex(stream) else { return }
        let exchange = slots[index].exchange
        if exchange >= 0 { receiver.received(body: body, exchange) }
    }

    fileprivate func receivedHeadEnd(stream: Int32) {
        guard let index = slotIndex(stream), slots[index].status >= 200 else { return }
        slots[index].headIsComplete = true
    }

    fileprivate func receivedPong() { receiver.ponged() }

    fileprivate func receivedGoAway() { isDraining = true }

    fileprivate func sentHead(stream: Int32) { lastSent = max(lastSent, stream) }

    fileprivate func closed(stream: Int32, code: UInt32) {
        guard let index = slotIndex(stream) else { return }
        let slot = slots[index]
        release(index)
        guard slot.exchange >= 0 else { return }
        if code == NGHTTP2_NO_ERROR.rawValue, slot.status >= 200 {
            receiver.completed(slot.exchange)
        } else if code == NGHTTP2_REFUSED_STREAM.rawValue || stream > lastSent {
            receiver.failed(slot.exchange, .notProcessed(address: address))
        } else {
            receiver.failed(slot.exchange, .streamReset(code: code))
        }
    }

    fileprivate func takeBody(
        _ index: Int, into out: UnsafeMutableRawBufferPointer
    ) -> (count: Int, isLast: Bool) {
        let start = slots[index].bodyOffset
        let count = min(out.count, bodies[index].count - start)
        bodies[index].withUnsafeBytes { body in
            out.copyMemory(from: UnsafeRawBufferPointer(rebasing: body[start..<start + count]))
        }
        slots[index].bodyOffset = start + count
        return (count, start + count == bodies[index].count)
    }
}

/// The session lives as long as its nghttp2 handle, which calls back only within its own calls; so
/// it need not be retained for each of them.
private func with(_ userData: UnsafeMutableRawPointer?, _ body: (HTTP2ClientSession) -> Void) {
    guard let userData else { return }
    Unmanaged<HTTP2ClientSession>.fromOpaque(userData)._withUnsafeGuaranteedRef(body)
}

private let onHeader: nghttp2_on_header_callback = {
    _, frame, name, nameCount, value, valueCount, _, userData in
    guard let frame, let name, frame.pointee.hd.type == UInt8(NGHTTP2_HEADERS.rawValue) else {
        return 0
    }
    with(userData) { session in
        guard session.wantsHeaders || name.pointee == UInt8(ascii: ":") else { return }
        session.received(
            stream: frame.pointee.hd.stream_id,
            name: UnsafeRawBufferPointer(start: name, count: nameCount),
            value: UnsafeRawBufferPointer(start: value, count: valueCount))
    }
    return 0
}

private let onData: nghttp2_on_data_chunk_recv_callback = {
    _, _, stream, data, count, userData in
    with(userData) {
        $0.received(stream: stream, body: UnsafeRawBufferPointer(start: data, count: count))
    }
    return 0
}

private let onFrame: nghttp2_on_frame_recv_callback = { _, frame, userData in
    guard let head = frame?.pointee.hd else { return 0 }
    if head.type == UInt8(NGHTTP2_GOAWAY.rawValue) {
        with(userData) { $0.receivedGoAway() }
    } else if head.type == UInt8(NGHTTP2_PING.rawValue) {
        if head.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) != 0 {
            with(userData) { $0.receivedPong() }
        }
    } else if head.type == UInt8(NGHTTP2_HEADERS.rawValue) {
        with(userData) { if $0.wantsHeaders { $0.receivedHeadEnd(stream: head.stream_id) } }
    }
    return 0
}

private let onFrameSent: nghttp2_on_frame_send_callback = { _, frame, userData in
    guard let head = frame?.pointee.hd, head.type == UInt8(NGHTTP2_HEADERS.rawValue) else {
        return 0
    }
    with(userData) { $0.sentHead(stream: head.stream_id) }
    return 0
}

private let onStreamClose: nghttp2_on_stream_close_callback = { _, stream, code, userData in
    with(userData) { $0.closed(stream: stream, code: code) }
    return 0
}

private let readBody: nghttp2_data_source_read_callback = {
    _, _, buffer, capacity, flags, source, userData in
    guard let source, let flags else { return Int(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue) }
    let out = UnsafeMutableRawBufferPointer(start: buffer, count: capacity)
    var count = 0
    var isDeferred = false
    with(userData) { session in
        if session.slots[Int(source.pointee.fd)].isStream {
            let taken = session.takeStreamed(Int(source.pointee.fd), into: out)
            (count, isDeferred) = (taken ?? 0, taken == nil)
            return
        }
        let taken = session.takeBody(Int(source.pointee.fd), into: out)
        count = taken.count
        if taken.isLast { flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue }
    }
    return isDeferred ? Int(NGHTTP2_ERR_DEFERRED.rawValue) : count
}
