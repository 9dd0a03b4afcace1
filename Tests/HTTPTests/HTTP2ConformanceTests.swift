// RFC 9113, rule by rule, where HTTP2Tests has no case of its own: errors of a stream, errors of
// the connection, and what has to be ignored.
import API
import Base
import CNghttp2
import HTTP
import Testing

@Suite struct HTTP2ConformanceTests {
    private static let put = Frames.headers(1, Frames.fields("PUT"), end: false)

    private static func put(length: Int) -> Bytes {
        Frames.headers(1, Frames.fields("PUT", [("content-length", "\(length)")]), end: false)
    }

    private static func trailers(_ fields: [(String, String)], end: Bool = true) -> Bytes {
        put + Frames.data(1, [0x61], end: false) + Frames.headers(1, fields, end: end)
    }

    private static func field(_ name: String, _ value: String) -> Bytes {
        Frames.headers(1, Frames.fields([(name, value)]))
    }

    private static func without(_ name: String) -> Bytes {
        Frames.headers(1, Frames.fields().filter { $0.0 != name })
    }

    private static func setting(_ id: UInt8, _ value: UInt32) -> Bytes {
        Frames.frame(.settings, [0, id] + Frames.number(value))
    }

    static let streamErrors: [(String, Bytes, nghttp2_error_code)] = [
        // §8.3.1: request pseudo-header fields.
        ("no :method", without(":method"), NGHTTP2_PROTOCOL_ERROR),
        ("no :scheme", without(":scheme"), NGHTTP2_PROTOCOL_ERROR),
        ("no :path", without(":path"), NGHTTP2_PROTOCOL_ERROR),
        ("no authority at all", without(":authority"), NGHTTP2_PROTOCOL_ERROR),
        ("an unknown pseudo-header", field(":other", "x"), NGHTTP2_PROTOCOL_ERROR),
        ("two methods", field(":method", "GET"), NGHTTP2_PROTOCOL_ERROR),
        (
            "* with GET", Frames.headers(1, Frames.fields("GET", "*")), NGHTTP2_PROTOCOL_ERROR
        ),
        ("pseudo-headers in trailers", trailers([(":path", "/b")]), NGHTTP2_PROTOCOL_ERROR),
        // §8.1: a second header section ends the request.
        ("trailers that do not end", trailers([("a", "b")], end: false), NGHTTP2_PROTOCOL_ERROR),
        // §8.2: fields.
        ("space in a name", field("a b", "x"), NGHTTP2_PROTOCOL_ERROR),
        ("colon in a name", field("a:b", "x"), NGHTTP2_PROTOCOL_ERROR),
        ("DEL in a name", field("a\u{7F}", "x"), NGHTTP2_PROTOCOL_ERROR),
        ("NUL in a value", field("a", "\u{0}"), NGHTTP2_PROTOCOL_ERROR),
        ("LF in a value", field("a", "b\nc"), NGHTTP2_PROTOCOL_ERROR),
        ("CR in a value", field("a", "b\rc"), NGHTTP2_PROTOCOL_ERROR),
        ("space before a value", field("a", " b"), NGHTTP2_PROTOCOL_ERROR),
        ("tab behind a value", field("a", "b\t"), NGHTTP2_PROTOCOL_ERROR),
        // §8.2.2: what belongs to the connection.
        ("keep-alive", field("keep-alive", "1"), NGHTTP2_PROTOCOL_ERROR),
        ("proxy-connection", field("proxy-connection", "close"), NGHTTP2_PROTOCOL_ERROR),
        ("te: trailers, gzip", field("te", "trailers, gzip"), NGHTTP2_PROTOCOL_ERROR),
        // §8.1.1: content-length.
        ("less than the length", put(length: 2) + Frames.data(1, [1]), NGHTTP2_PROTOCOL_ERROR),
        ("more than the length", put(length: 0) + Frames.data(1, [1]), NGHTTP2_PROTOCOL_ERROR),
        (
            "two lengths",
            Frames.headers(
                1, Frames.fields("PUT", [("content-length", "1"), ("content-length", "1")]),
                end: false), NGHTTP2_PROTOCOL_ERROR
        ),
        ("a signed length", field("content-length", "+0"), NGHTTP2_PROTOCOL_ERROR),
        // §6.9
        (
            "a window overflow", put + Frames.window(1, 0x7FFF_FFFF), NGHTTP2_FLOW_CONTROL_ERROR
        ),
    ]

    @Test(arguments: streamErrors)
    func resetsTheStream(name: String, bytes: Bytes, code: nghttp2_error_code) throws {
        let client = try EmbeddedHTTP2Client()
        try client.send(bytes)
        let frames = try client.take().filter { $0.kind != .window }
        #expect(frames.map(\.kind) == [.reset], "\(name)")
        #expect(frames.first?.stream == 1)
        #expect(frames.first?.number() == code.rawValue)
        #expect(client.harness.core.requests.isEmpty)
        try client.send(Frames.get(3))
        #expect(EmbeddedHTTP2Client.statuses(try client.take()) == ["200"], "\(name)")
    }

    private static let eight = Bytes(repeating: 0, count: 8)

    static let connectionErrors: [(String, Bytes, nghttp2_error_code)] = [
        // §4.2, §6: sizes.
        ("a frame of 16,385 bytes", [0, 0x40, 1, 0, 0, 0, 0, 0, 1], NGHTTP2_FRAME_SIZE_ERROR),
        ("RST_STREAM of 3", Frames.frame(.reset, stream: 1, [0, 0, 8]), NGHTTP2_FRAME_SIZE_ERROR),
        ("WINDOW_UPDATE of 3", Frames.frame(.window, [0, 0, 1]), NGHTTP2_FRAME_SIZE_ERROR),
        ("GOAWAY of 7", Frames.frame(.goAway, [0, 0, 0, 0, 0, 0, 0]), NGHTTP2_FRAME_SIZE_ERROR),
        (
            "SETTINGS ACK of 6", Frames.frame(.settings, flags: Frames.ack, [0, 3, 0, 0, 0, 1]),
            NGHTTP2_FRAME_SIZE_ERROR
        ),
        // Streams that a frame may not be on.
        ("SETTINGS on a stream", Frames.frame(.settings, stream: 1), NGHTTP2_PROTOCOL_ERROR),
        ("PING on a stream", Frames.frame(.ping, stream: 1, eight), NGHTTP2_PROTOCOL_ERROR),
        ("GOAWAY on a stream", Frames.frame(.goAway, stream: 1, eight), NGHTTP2_PROTOCOL_ERROR),
        ("RST_STREAM on stream 0", Frames.reset(0), NGHTTP2_PROTOCOL_ERROR),
        ("PRIORITY on stream 0", Frames.frame(.priority, [0, 0, 0, 1, 1]), NGHTTP2_PROTOCOL_ERROR),
        ("WINDOW_UPDATE on an idle stream", Frames.window(9, 1), NGHTTP2_PROTOCOL_ERROR),
        (
            "CONTINUATION of another stream",
            Frames.frame(.headers, flags: 1, stream: 1, [0x82])
                + Frames.frame(.continuation, flags: 4, stream: 3, [0x84]), NGHTTP2_PROTOCOL_ERROR
        ),
        (
            "HEADERS in a header block",
            Frames.frame(.headers, flags: 1, stream: 1, [0x82]) + Frames.get(3),
            NGHTTP2_PROTOCOL_ERROR
        ),
        (
            "an unknown frame in a header block",
            Frames.frame(.headers, flags: 1, stream: 1, [0x82])
                + Frames.frame(type: 0x77, flags: 0, stream: 0, []), NGHTTP2_PROTOCOL_ERROR
        ),
        // May be an error of the stream alone (§6.9); nghttp2 makes it one of the connection.
        ("a window opened by 0", put + Frames.window(1, 0), NGHTTP2_PROTOCOL_ERROR),
        // §6.5.2: values.
        ("ENABLE_PUSH of 2", setting(2, 2), NGHTTP2_PROTOCOL_ERROR),
        ("MAX_FRAME_SIZE of 16,383", setting(5, 16_383), NGHTTP2_PROTOCOL_ERROR),
        ("MAX_FRAME_SIZE of 2^24", setting(5, 1 << 24), NGHTTP2_PROTOCOL_ERROR),
        (
            "an answer to no SETTINGS",
            Frames.frame(.settings, flags: Frames.ack) + Frames.frame(.settings, flags: Frames.ack),
            NGHTTP2_PROTOCOL_ERROR
        ),
        // RFC 7541: a table larger than allowed; an index of nothing; a block that ends too soon.
        (
            "a table of 4,097", Frames.frame(.headers, flags: 5, stream: 1, [0x3F, 0xE2, 0x1F]),
            NGHTTP2_COMPRESSION_ERROR
        ),
        (
            "index 0", Frames.frame(.headers, flags: 5, stream: 1, [0x80]),
            NGHTTP2_COMPRESSION_ERROR
        ),
        (
            "half a field", Frames.frame(.headers, flags: 5, stream: 1, [0, 5, 0x61]),
            NGHTTP2_COMPRESSION_ERROR
        ),
        // §6.1, §6.2: padding.
        (
            "padding longer than the header block",
            Frames.frame(.headers, flags: 5 | Frames.padded, stream: 1, [9, 0x82]),
            NGHTTP2_PROTOCOL_ERROR
        ),
        // §8.4
        ("an even id", Frames.headers(4, Frames.fields()), NGHTTP2_PROTOCOL_ERROR),
    ]

    @Test(arguments: connectionErrors)
    func endsTheConnection(name: String, bytes: Bytes, code: nghttp2_error_code) throws {
        let client = try EmbeddedHTTP2Client()
        try client.send(bytes)
        #expect(EmbeddedHTTP2Client.goAway(try client.take()) == code.rawValue, "\(name)")
        #expect(client.client.isClosed, "\(name)")
        #expect(client.harness.front.counters.connectionsClosed[.malformed] == 1)
        #expect(client.harness.front.counters.requestsInFlight == 0)
    }

    static let harmless: [(String, Bytes)] = [
        ("an unknown frame", Frames.frame(type: 0x77, flags: 0xFF, stream: 9, [1, 2, 3])),
        ("an unknown setting", setting(0x99, 7)),
        ("unknown flags", Frames.frame(.ping, flags: 0xFE, eight)),
        ("the reserved bit of a stream id", Frames.frame(.window, stream: .min, Frames.number(1))),
        ("the reserved bit of an increment", Frames.window(0, 0x8000_0001)),
        ("a PRIORITY of an idle stream", Frames.frame(.priority, stream: 99, [0, 0, 0, 0, 1])),
        ("the answer to our SETTINGS", Frames.frame(.settings, flags: Frames.ack)),
        ("a reset of a stream that is over", Frames.get(1) + Frames.reset(1)),
        ("a window for a stream that is over", Frames.get(1) + Frames.window(1, 9)),
        (
            "a table of none",
            Frames.frame(.headers, flags: 5, stream: 1, [0x20] + Frames.block(Frames.fields()))
        ),
        ("no push", setting(2, 0)),
    ]

    @Test(arguments: harmless)
    func isIgnored(name: String, bytes: Bytes) throws {
        let client = try EmbeddedHTTP2Client()
        try client.send(bytes)
        _ = try client.take()
        try client.send(Frames.get(101))
        #expect(EmbeddedHTTP2Client.statuses(try client.take()) == ["200"], "\(name)")
    }

    static let served: [(String, [(String, String)], String)] = [
        ("te: trailers", Frames.fields([("te", "trailers")]), "GET /a"),
        ("obs-text in a value", Frames.fields([("a", "\u{E9}")]), "GET /a"),
        ("an empty value", Frames.fields([("a", "")]), "GET /a"),
        ("OPTIONS *", Frames.fields("OPTIONS", "*"), "OPTIONS *"),
        ("host alone", Frames.fields().dropLast() + [("host", "localhost")], "GET /a"),
        ("host beside", Frames.fields([("host", "LOCALHOST")]), "GET /a"),
        ("two cookies", Frames.fields([("cookie", "a=b"), ("cookie", "c=d")]), "GET /a"),
        ("a path with a query", Frames.fields("GET", "//a%00?b=c"), "GET //a%00?b=c"),
    ]

    @Test(arguments: served)
    func isServed(name: String, fields: [(String, String)], body: String) throws {
        let client = try EmbeddedHTTP2Client()
        try client.send(Frames.headers(1, fields))
        let frames = try client.take()
        #expect(EmbeddedHTTP2Client.statuses(frames) == ["200"], "\(name)")
        #expect(EmbeddedHTTP2Client.body(frames, 1) == body, "\(name)")
    }

    /// A server that is told not to send a DATA frame larger than 16 KiB does not, and one that may
    /// need not.
    @Test func framesAreNoLargerThanAllowed() throws {
        let client = try EmbeddedHTTP2Client()
        try client.send(Self.setting(4, 8 << 20) + Frames.window(0, 8 << 20))
        try client.send(Frames.get(1, "/big"))
        let frames = try client.take()
        #expect(frames.allSatisfy { $0.payload.count <= 16_384 })
        #expect(frames.reduce(0) { $0 + $1.payload.count } > 4 << 20)
    }

    /// §6.9.2 wants the connection to end; nghttp2 resets the streams, and each is paid for.
    @Test func settingsThatOverflowAWindowResetItsStream() throws {
        let client = try EmbeddedHTTP2Client()
        try client.send(Frames.get(1, "/hold") + Frames.window(1, 0x7FFF_0000))
        try client.send(Self.setting(4, 0x7FFF_FFFF))
        let reset = try client.take().filter { $0.kind == .reset }
        #expect(reset.map { $0.number() } == [NGHTTP2_FLOW_CONTROL_ERROR.rawValue])
        #expect(client.harness.core.cancelled.count == 1)
        #expect(client.harness.front.counters.streamsResetByServer == 1)
    }

    /// §5.2: a window that shrinks below zero holds the answer until it is positive again.
    @Test func aWindowMayBecomeNegative() throws {
        let client = try EmbeddedHTTP2Client()
        try client.send(Frames.get(1, "/big"))
        var count = try client.take().reduce(0) { $0 + ($1.kind == .data ? $1.payload.count : 0) }
        #expect(count == 65_535)
        try client.send(Self.setting(4, 1_000) + Frames.window(0, 1 << 20))
        #expect(try client.take().allSatisfy { $0.kind != .data })
        // The window is 1,000 - 65,535 now.
        try client.send(Frames.window(1, 64_535))
        #expect(try client.take().isEmpty)
        try client.send(Frames.window(1, 10))
        count = try client.take().reduce(0) { $0 + $1.payload.count }
        #expect(count == 10)
    }
}
