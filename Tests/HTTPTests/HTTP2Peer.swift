// A server of HTTP/2 for tests, in memory: nghttp2's server session and a script that says what
// becomes of each stream. It echoes by default: 200, and the method, path and body as text.
import Base
import CNghttp2

final class HTTP2Peer {
    enum Act {
        case echo
        case reset(UInt32)
        /// GOAWAY that covers this stream, then the echo.
        case goAwayAndEcho
        /// GOAWAY that does not cover this stream.
        case goAwayWithout
        case silence
    }

    private var handle: OpaquePointer?
    private var requests: [Int32: (method: String, path: String, body: Bytes)] = [:]
    private var answers: [Int32: Bytes] = [:]
    private let script: (Int) -> Act
    private(set) var requestsSeen = 0
    private(set) var resets: [UInt32] = []

    init(streamsMax: UInt32 = 100, _ script: @escaping (Int) -> Act = { _ in .echo }) {
        self.script = script
        var callbacks: OpaquePointer?
        nghttp2_session_callbacks_new(&callbacks)
        defer { nghttp2_session_callbacks_del(callbacks) }
        nghttp2_session_callbacks_set_on_header_callback(callbacks) {
            _, frame, name, nameCount, value, valueCount, _, me in
            guard let frame else { return 0 }
            peer(me).header(
                frame.pointee.hd.stream_id, text(name, nameCount), text(value, valueCount))
            return 0
        }
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) {
            _, _, stream, data, count, me in
            let bytes = UnsafeRawBufferPointer(start: data, count: count)
            peer(me).requests[stream, default: ("", "", [])].body.append(contentsOf: bytes)
            return 0
        }
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, me in
            if let frame { peer(me).frame(frame.pointee) }
            return 0
        }
        nghttp2_session_server_new(&handle, callbacks, Unmanaged.passUnretained(self).toOpaque())
        let settings = [
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS.rawValue),
                value: streamsMax)
        ]
        nghttp2_submit_settings(handle, 0, settings, 1)
    }

    deinit { nghttp2_session_del(handle) }

    func feed(_ bytes: Bytes) { _ = nghttp2_session_mem_recv(handle, bytes, bytes.count) }

    func output() -> Bytes {
        var out: Bytes = []
        var data: UnsafePointer<UInt8>?
        while true {
            let count = nghttp2_session_mem_send(handle, &data)
            guard count > 0 else { return out }
            out.append(contentsOf: UnsafeRawBufferPointer(start: data, count: count))
        }
    }

    private func header(_ stream: Int32, _ name: String, _ value: String) {
        if name == ":method" { requests[stream, default: ("", "", [])].method = value }
        if name == ":path" { requests[stream, default: ("", "", [])].path = value }
    }

    private func frame(_ frame: nghttp2_frame) {
        let stream = frame.hd.stream_id
        if frame.hd.type == UInt8(NGHTTP2_RST_STREAM.rawValue) {
            resets.append(frame.rst_stream.error_code)
        }
        let isEnd = frame.hd.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
        guard isEnd, let request = requests.removeValue(forKey: stream) else { return }
        requestsSeen += 1
        switch script(requestsSeen) {
        case .echo: echo(stream, request)
        case .reset(let code): nghttp2_submit_rst_stream(handle, 0, stream, code)
        case .goAwayAndEcho:
            nghttp2_submit_goaway(handle, 0, stream, 0, nil, 0)
            echo(stream, request)
        case .goAwayWithout: nghttp2_submit_goaway(handle, 0, stream - 2, 0, nil, 0)
        case .silence: break
        }
    }

    private func echo(_ stream: Int32, _ request: (method: String, path: String, body: Bytes)) {
        answers[stream] = Bytes("\(request.method) \(request.path) ".utf8) + request.body
        var provider = nghttp2_data_provider()
        provider.read_callback = { _, stream, buffer, capacity, flags, _, me in
            let rest = peer(me).answers[stream] ?? []
            let count = min(capacity, rest.count)
            UnsafeMutableRawBufferPointer(start: buffer, count: count)
                .copyBytes(from: rest[..<count])
            peer(me).answers[stream] = Bytes(rest[count...])
            if count == rest.count { flags?.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue }
            return count
        }
        var name = Bytes(":status".utf8)
        var value = Bytes("200".utf8)
        name.withUnsafeMutableBufferPointer { name in
            value.withUnsafeMutableBufferPointer { value in
                var field = nghttp2_nv(
                    name: name.baseAddress, value: value.baseAddress, namelen: name.count,
                    valuelen: value.count, flags: 0)
                _ = nghttp2_submit_response(handle, stream, &field, 1, &provider)
            }
        }
    }
}

private func peer(_ me: UnsafeMutableRawPointer?) -> HTTP2Peer {
    guard let me else { fatalError("nghttp2 hands the user data back") }
    return Unmanaged<HTTP2Peer>.fromOpaque(me).takeUnretainedValue()
}

private func text(_ start: UnsafePointer<UInt8>?, _ count: Int) -> String {
    String(decoding: UnsafeRawBufferPointer(start: start, count: count), as: UTF8.self)
}
