// HTTP/2 frames by hand: written with literal header fields, read with nghttp2's inflater, so
// that tests can send what no client library would.
import Base
import CNghttp2

enum Frames {
    static let preface = Bytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    enum Kind: UInt8 {
        case data = 0, headers, priority, reset, settings, push, ping, goAway, window, continuation
    }

    static let endStream: UInt8 = 1
    static let ack: UInt8 = 1
    static let endHeaders: UInt8 = 4
    static let padded: UInt8 = 8

    static func frame(
        _ kind: Kind, flags: UInt8 = 0, stream: Int32 = 0, _ payload: Bytes = []
    ) -> Bytes {
        frame(type: kind.rawValue, flags: flags, stream: stream, payload)
    }

    static func frame(type: UInt8, flags: UInt8, stream: Int32, _ payload: Bytes) -> Bytes {
        let length = payload.count
        return [UInt8(length >> 16), UInt8(length >> 8 & 255), UInt8(length & 255), type, flags]
            + number(UInt32(bitPattern: stream)) + payload
    }

    static func number(_ value: UInt32) -> Bytes {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> UInt32($0)) }
    }

    /// A header block: literals without indexing, never compressed.
    static func block(_ fields: [(String, String)]) -> Bytes {
        var block: Bytes = []
        func string(_ text: String) {
            let bytes = Bytes(text.utf8)
            if bytes.count < 127 {
                block.append(UInt8(bytes.count))
            } else {
                block.append(127)
                block.appendVarint(UInt64(bytes.count - 127))
            }
            block += bytes
        }
        for (name, value) in fields {
            block.append(0)
            string(name)
            string(value)
        }
        return block
    }

    static func fields(
        _ method: String = "GET", _ path: String = "/a", authority: String = "localhost",
        _ more: [(String, String)] = []
    ) -> [(String, String)] {
        [(":method", method), (":scheme", "http"), (":path", path), (":authority", authority)]
            + more
    }

    static func headers(
        _ stream: Int32, _ fields: [(String, String)], end: Bool = true
    ) -> Bytes {
        frame(
            .headers, flags: endHeaders | (end ? endStream : 0), stream: stream, block(fields))
    }

    static func get(_ stream: Int32, _ path: String = "/a") -> Bytes {
        headers(stream, fields("GET", path))
    }

    static func data(_ stream: Int32, _ bytes: Bytes, end: Bool = true) -> Bytes {
        frame(.data, flags: end ? endStream : 0, stream: stream, bytes)
    }

    static func reset(_ stream: Int32, _ code: UInt32 = 8) -> Bytes {
        frame(.reset, stream: stream, number(code))
    }

    static func window(_ stream: Int32, _ increment: UInt32) -> Bytes {
        frame(.window, stream: stream, number(increment))
    }

    static let hello = preface + frame(.settings)
}

/// Reads a server's frames.
final class FrameReader {
    struct Frame {
        var type: UInt8
        var flags: UInt8
        var stream: Int32
        var payload: Bytes
        /// Of HEADERS.
        var fields: [(name: String, value: String)] = []

        var kind: Frames.Kind? { Frames.Kind(rawValue: type) }
        var status: String? { fields.first { $0.name == ":status" }?.value }

        /// The 32 bits at `offset` of the payload.
        func number(at offset: Int = 0) -> UInt32 {
            payload[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) }
        }
    }

    private var rest: Bytes = []
    private var inflater: OpaquePointer?

    init() { nghttp2_hd_inflate_new(&inflater) }

    deinit { nghttp2_hd_inflate_del(inflater) }

    func read(_ bytes: Bytes) -> [Frame] {
        rest += bytes
        var frames: [Frame] = []
        var at = 0
        while rest.count - at >= 9 {
            let length = Int(rest[at]) << 16 | Int(rest[at + 1]) << 8 | Int(rest[at + 2])
            guard rest.count - at >= 9 + length else { break }
            let stream = rest[at + 5..<at + 9].reduce(Int32(0)) { $0 << 8 | Int32($1) }
            var frame = Frame(
                type: rest[at + 3], flags: rest[at + 4], stream: stream,
                payload: Bytes(rest[at + 9..<at + 9 + length]))
            if frame.kind == .headers { frame.fields = inflate(frame.payload) }
            frames.append(frame)
            at += 9 + length
        }
        rest.removeFirst(at)
        return frames
    }

    private func inflate(_ block: Bytes) -> [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = []
        var at = 0
        while true {
            var field = nghttp2_nv()
            var flags: Int32 = 0
            let count = block.withUnsafeBufferPointer {
                nghttp2_hd_inflate_hd2(
                    inflater, &field, &flags, $0.baseAddress.map { $0 + at }, block.count - at, 1)
            }
            guard count >= 0 else { return fields }
            at += count
            if flags & Int32(NGHTTP2_HD_INFLATE_EMIT.rawValue) != 0 {
                fields.append(
                    (
                        String(
                            decoding: UnsafeBufferPointer(start: field.name, count: field.namelen),
                            as: UTF8.self),
                        String(
                            decoding: UnsafeBufferPointer(
                                start: field.value, count: field.valuelen),
                            as: UTF8.self)
                    ))
            }
            if flags & Int32(NGHTTP2_HD_INFLATE_FINAL.rawValue) != 0 {
                nghttp2_hd_inflate_end_headers(inflater)
                return fields
            }
            if count == 0, flags & Int32(NGHTTP2_HD_INFLATE_EMIT.rawValue) == 0 { return fields }
        }
    }
}

/// A client of HTTP/2 on an embedded channel.
final class EmbeddedHTTP2Client {
    let harness: FrontHarness
    let client: EmbeddedClient
    let reader = FrameReader()

    /// Connected, with the preface sent and the server's first frames read.
    init(_ harness: FrontHarness = FrontHarness()) throws {
        self.harness = harness
        client = try harness.connect()
        try client.send(Frames.hello)
        _ = try take()
    }

    func send(_ bytes: Bytes) throws { try client.send(bytes) }

    func take() throws -> [FrameReader.Frame] { reader.read(try client.takeBytes()) }

    /// What a client sees of the server's end: the code of GOAWAY, if one came.
    static func goAway(_ frames: [FrameReader.Frame]) -> UInt32? {
        frames.last { $0.kind == .goAway }?.number(at: 4)
    }

    static func statuses(_ frames: [FrameReader.Frame]) -> [String] {
        frames.compactMap(\.status)
    }

    static func body(_ frames: [FrameReader.Frame], _ stream: Int32) -> String {
        String(
            decoding: frames.filter { $0.kind == .data && $0.stream == stream }.flatMap(\.payload),
            as: UTF8.self)
    }
}
