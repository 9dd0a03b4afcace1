// HTTP/2 on the front, frame by frame: requests, answers, and what ends a stream or the connection.
import API
import Base
import CNghttp2
import HTTP
import Testing

@Suite struct HTTP2Tests {
    private static func codeOf(_ code: nghttp2_error_code) -> UInt32 { code.rawValue }

    @Test func theServerSpeaksItsSettings() throws {
        let harness = FrontHarness()
        let client = try harness.connect()
        try client.send(Frames.hello)
        let frames = FrameReader().read(try client.takeBytes())
        #expect(frames.map(\.kind) == [.settings, .settings, .window])
        let settings = try #require(frames.first)
        #expect(settings.kind == .settings && settings.flags == 0)
        let pairs = stride(from: 0, to: settings.payload.count, by: 6).map {
            (Int(settings.payload[$0 + 1]), settings.number(at: $0 + 2))
        }
        #expect(pairs.first { $0.0 == 3 }?.1 == 100)
        #expect(pairs.first { $0.0 == 4 }?.1 == UInt32(Limits.streamWindowBytes))
        #expect(pairs.first { $0.0 == 6 }?.1 == UInt32(Limits.headerBytes))
    }

    @Test func anAnswerIsComplete() throws {
        let client = try EmbeddedHTTP2Client()
        try client.send(Frames.get(1))
        let frames = try client.take()
        #expect(frames.map(\.kind) == [.headers, .data])
        #expect(
            frames[0].fields.map(\.name) == [
                ":status", "content-type", "content-length", "date", "x-content-type-options",
            ])
        #expect(frames[0].fields[2].value == "6")
        #expect(frames[1].payload == Bytes("GET /a".utf8))
        #expect(frames[1].flags & Frames.endStream != 0)
        #expect(!client.client.isClosed)
    }

    @Test func headAndNoContentHaveNoBody() throws {
        let client = try EmbeddedHTTP2Client()
        try client.send(Frames.headers(1, Frames.fields("HEAD", "/a")))
        let head = try client.take()
        #expect(head.map(\.kind) == [.headers])
        #expect(head[0].fields.contains { $0 == ("content-length", "7") })
        try client.send(Frames.get(3, "/nothing"))
        let nothing = try client.take()
        #expect(nothing.map(\.kind) == [.headers] && nothing[0].status == "204")
        #expect(!nothing[0].fields.contains { $0.name == "content-length" })
    }

    @Test func bodiesTrailersAndPaddingAreTaken() throws {
        let client = try EmbeddedHTTP2Client()
        try client.send(Frames.headers(1, Frames.fields("PUT"), end: false))
        let padded = Frames.frame(
            .data, flags: Frames.padded, stream: 1, [3] + Bytes("one".utf8) + [0, 0, 0])
        try client.send(padded + Frames.data(1, Bytes("two".utf8), end: false))
        try client.send(
            Frames.frame(
                .headers, flags: Frames.endHeaders | Frames.endStream, stream: 1,
                Frames.block([("trailer", "x"), ("host", "evil.example")])))
        #expect(EmbeddedHTTP2Client.body(try client.take(), 1) == "PUT /aonetwo")
        try client.send(Frames.headers(3, Frames.fields("PUT")))
        try client.send(Frames.headers(5, Frames.fields("PUT"), end: false) + Frames.data(5, []))
        #expect(client.harness.core.requests.map(\.body) == [Bytes("onetwo".utf8), nil, []])
    }

    /// More padding than a window holds: it is given back like what it pads.
    @Test func paddingOpensTheWindowAgain() throws {
        let client = try EmbeddedHTTP2Client()
        try client.send(Frames.headers(1, Frames.fields("PUT"), end: false))
        let frame = Frames.frame(
            .data, flags: Frames.padded, stream: 1, [255, 0x61] + Bytes(repeating: 0, count: 255))
        var opened = 0
        for _ in 0..<6_000 {
            try client.send(frame)
            for window in try client.take() where window.kind == .window && window.stream == 1 {
                opened += Int(window.number())
            }
        }
        #expect(opened >= 6_000 * 257 - Limits.streamWindowBytes)
        try client.send(Frames.data(1, []))
        #expect(EmbeddedHTTP2Client.statuses(try client.take()) == ["200"])
        #expect(client.harness.core.requests[0].body?.count == 6_000)
    }

    static let refused: [([(String, String)], String, String)] = [
        (Frames.fields(authority: "evil.example"), "421", "host_forbidden"),
        (Frames.fields([("host", "localhost:1")]), "400", "malformed_request"),
        (Frames.fields([("origin", "http://evil.example")]), "403", "origin_forbidden"),
        (Frames.fields([("sec-fetch-site", "cross-site")]), "403", "origin_forbidden"),
        (Frames.fields("GET", "/a#b"), "400", "malformed_request"),
        (
            Frames.fields("GET", "/" + String(repeating: "a", count: 16 << 10)), "414",
            "target_too_long"
        ),
        (Frames.fields([("a", String(repeating: "b", count: 33_000))]), "431", "headers_too_large"),
        (Frames.fields(Array(repeating: ("a", "b"), count: 101)), "431", "headers_too_large"),
        (Frames.fields(Array(repeating: ("a", "b"), count: 10_000)), "431", "headers_too_large"),
        (Frames.fields([("expect", "more")]), "417", "expectation_failed"),
        (
            Frames.fields([("expect", "more"), ("expect", "100-continue")]), "417",
            "expectation_failed"
        ),
        (
            Frames.fields([("origin", "http://evil.example"), ("origin", "http://localhost")]),
            "400", "malformed_request"
        ),
        (
            Frames.fields([("sec-fetch-site", "cross-site"), ("sec-fetch-site", "none")]),
            "400", "malformed_request"
        ),
        ([(":method", "CONNECT"), (":authority", "localhost:80")], "405", "method_not_allowed"),
        (
            [(":method", "GET"), (":scheme", "http"), (":path", "/a"), ("host", "evil.example")],
            "421",
            "host_forbidden"
        ),
    ]

    @Test(arguments: refused)
    func isRefused(fields: [(String, String)], status: String, code: String) throws {
        for end in [true, false] {
            let client = try EmbeddedHTTP2Client()
            try client.send(request(fields, end: end))
            let frames = try client.take()
            #expect(EmbeddedHTTP2Client.statuses(frames) == [status])
            #expect(EmbeddedHTTP2Client.body(frames, 1).contains("\"code\":\"\(code)\""))
            #expect(!frames.contains { $0.kind == .reset })
            // The rest of the request is not wanted, and the connection goes on.
            client.harness.pass(seconds: Limits.lingerTimeout.components.seconds + 1)
            let resets = try client.take().filter { $0.kind == .reset }
            #expect(resets.map { $0.number() } == (end ? [] : [0]))
            try client.send(Frames.get(3))
            #expect(EmbeddedHTTP2Client.statuses(try client.take()) == ["200"])
            #expect(client.harness.core.requests.count == 1)
        }
    }

    /// HEADERS and as many CONTINUATION as it takes.
    private func request(_ fields: [(String, String)], end: Bool) -> Bytes {
        let block = Frames.block(fields)
        var pieces: [Bytes] = []
        for start in stride(from: 0, to: block.count, by: 16_384) {
            pieces.append(Bytes(block[start..<min(start + 16_384, block.count)]))
        }
        var bytes: Bytes = []
        for (index, piece) in pieces.enumerated() {
            let flags = index == pieces.count - 1 ? Frames.endHeaders : 0
            bytes +=
                index == 0
                ? Frames.frame(.headers, flags: flags | (end ? 1 : 0), stream: 1, piece)
                : Frames.frame(.continuation, flags: flags, stream: 1, piece)
        }
        return bytes
    }

    static let malformed: [[(String, String)]] = [
        [(":method", "GET"), (":path", "/a")],
        [(":method", "GET"), (":scheme", "http"), (":path", "")],
        [(":method", "GET"), (":scheme", "http"), (":path", "a")],
        Frames.fields([(":path", "/b")]),
        Frames.fields([("x", "y"), (":late", "z")]),
        Frames.fields([(":status", "200")]),
        Frames.fields([("Upper", "x")]),
        Frames.fields([("connection", "close")]),
        Frames.fields([("transfer-encoding", "chunked")]),
        Frames.fields([("te", "gzip")]),
        Frames.fields([("upgrade", "h2c")]),
        Frames.fields([("a", "b\r\nc")]),
        Frames.fields([("a", "b\u{0}")]),
        Frames.fields([("content-length", "1")]),
        Frames.fields([("content-length", "x")]),
        Frames.fields([("host", "localhost"), ("host", "localhost")]),
        [
            (":method", "CONNECT"), (":scheme", "http"), (":path", "/a"),
            (":authority", "localhost"),
            (":protocol", "websocket"),
        ],
    ]

    /// RFC 9113 §8.1.1: a malformed request is an error of its stream.
    @Test(arguments: malformed)
    func isReset(fields: [(String, String)]) throws {
        let client = try EmbeddedHTTP2Client()
        try client.send(Frames.headers(1, fields))
        let frames = try client.take()
        #expect(frames.map(\.kind) == [.reset] && frames[0].number() == 1, "\(frames)")
        #expect(client.harness.core.requests.isEmpty)
        #expect(client.harness.front.counters.streamsResetByServer == 1)
        try client.send(Frames.get(3))
        #expect(EmbeddedHTTP2Client.statuses(try client.take()) == ["200"])
    }

    static let fatal: [(String, Bytes, nghttp2_error_code)] = [
        ("smaller id", Frames.get(5) + Frames.get(3), NGHTTP2_PROTOCOL_ERROR),
        ("even id", Frames.get(2), NGHTTP2_PROTOCOL_ERROR),
        ("id 0", Frames.get(0), NGHTTP2_PROTOCOL_ERROR),
        ("HEADERS on an ended stream", Frames.get(1) + Frames.get(1), NGHTTP2_STREAM_CLOSED),
        ("DATA on an ended stream", Frames.get(1) + Frames.data(1, [1]), NGHTTP2_STREAM_CLOSED),
        ("DATA on stream 0", Frames.data(0, [1]), NGHTTP2_PROTOCOL_ERROR),
        ("DATA on an idle stream", Frames.data(7, [1]), NGHTTP2_PROTOCOL_ERROR),
        ("RST_STREAM on an idle stream", Frames.reset(7), NGHTTP2_PROTOCOL_ERROR),
        ("WINDOW_UPDATE of 0", Frames.window(0, 0), NGHTTP2_PROTOCOL_ERROR),
        ("window overflow", Frames.window(0, 0x7FFF_FFFF), NGHTTP2_FLOW_CONTROL_ERROR),
        (
            "PUSH_PROMISE", Frames.frame(.push, flags: 4, stream: 1, Frames.number(2)),
            NGHTTP2_PROTOCOL_ERROR
        ),
        (
            "lone CONTINUATION", Frames.frame(.continuation, flags: 4, stream: 1, [0x82]),
            NGHTTP2_PROTOCOL_ERROR
        ),
        (
            "frame between",
            Frames.frame(.headers, flags: 1, stream: 1, [0x82])
                + Frames.frame(.ping, Bytes(repeating: 0, count: 8)),
            NGHTTP2_PROTOCOL_ERROR
        ),
        (
            "bad HPACK",
            Frames.frame(.headers, flags: 5, stream: 1, [0xFF, 0xFF, 0xFF, 0xFF, 0x7F]),
            NGHTTP2_COMPRESSION_ERROR
        ),
        ("huge frame", [0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0, 1], NGHTTP2_FRAME_SIZE_ERROR),
        ("short PING", Frames.frame(.ping, [1, 2, 3]), NGHTTP2_FRAME_SIZE_ERROR),
        ("bad SETTINGS", Frames.frame(.settings, [1]), NGHTTP2_FRAME_SIZE_ERROR),
        (
            "bad initial window", Frames.frame(.settings, [0, 4] + Frames.number(0x8000_0000)),
            NGHTTP2_FLOW_CONTROL_ERROR
        ),
        (
            "padding longer than the frame",
            Frames.headers(1, Frames.fields("PUT"), end: false)
                + Frames.frame(.data, flags: Frames.padded, stream: 1, [9, 1]),
            NGHTTP2_PROTOCOL_ERROR
        ),
    ]

    @Test(arguments: fatal)
    func endsTheConnection(name: String, bytes: Bytes, code: nghttp2_error_code) throws {
        let client = try EmbeddedHTTP2Client()
        try client.send(bytes)
        #expect(EmbeddedHTTP2Client.goAway(try client.take()) == code.rawValue, "\(name)")
        #expect(client.client.isClosed)
        #expect(client.harness.front.counters.connectionsClosed[.malformed] == 1)
        #expect(client.harness.front.counters.connectionsOpen == 0)
    }

    /// RFC 9113 §5.1: also when the answer is out and nghttp2 has forgotten the stream.
    @Test func dataOnAStreamThatIsOverEndsTheConnection() throws {
        for frame in [Frames.data(1, [1]), Frames.data(1, Bytes(repeating: 1, count: 300))] {
            let client = try EmbeddedHTTP2Client()
            try client.send(Frames.get(1))
            #expect(EmbeddedHTTP2Client.statuses(try client.take()) == ["200"])
            try client.send(frame)
            #expect(
                EmbeddedHTTP2Client.goAway(try client.take())
                    == NGHTTP2_STREAM_CLOSED.rawValue)
        }
    }

    @Test func aBadPrefaceOrNoSettingsEndsTheConnection() throws {
        let harness = FrontHarness()
        let client = try harness.connect()
        try client.send(Frames.preface + Frames.frame(.ping, Bytes(repeating: 0, count: 8)))
        let frames = FrameReader().read(try client.takeBytes())
        #expect(EmbeddedHTTP2Client.goAway(frames) == NGHTTP2_PROTOCOL_ERROR.rawValue)
        #expect(client.isClosed)
    }

    @Test func splittingTheBytesAnywhereChangesNothing() throws {
        let bytes =
            Frames.hello + Frames.get(1) + Frames.headers(3, Frames.fields("PUT", "/b"), end: false)
            + Frames.data(3, Bytes("body".utf8)) + Frames.get(5, "/c#") + Frames.get(7, "/d")
        func answers(_ pieces: [Bytes]) throws -> [String] {
            let harness = FrontHarness()
            let client = try harness.connect()
            for piece in pieces { try client.send(piece) }
            let frames = FrameReader().read(try client.takeBytes())
            return [Int32(1), 3, 5, 7].map { stream in
                (frames.first { $0.stream == stream }?.status ?? "")
                    + EmbeddedHTTP2Client.body(frames, stream)
            }
        }
        let whole = try answers([bytes])
        #expect(whole[0] == "200GET /a" && whole[1] == "200PUT /bbody" && whole[3] == "200GET /d")
        #expect(whole[2].hasPrefix("400{"))
        for cut in 1..<bytes.count {
            #expect(try answers([Bytes(bytes[..<cut]), Bytes(bytes[cut...])]) == whole, "\(cut)")
        }
        #expect(try answers(bytes.map { [$0] }) == whole)
    }

    @Test func answersComeInAnyOrder() throws {
        let client = try EmbeddedHTTP2Client()
        try client.send(Frames.get(1, "/hold") + Frames.get(3) + Frames.get(5, "/hold"))
        #expect(try client.take().filter { $0.kind == .headers }.map(\.stream) == [3])
        client.harness.core.release([1, 0])
        #expect(try client.take().filter { $0.kind == .headers }.map(\.stream) == [5, 1])
    }

    @Test func aBodyOverTheLimitIsRefusedAtOnce() throws {
        let client = try EmbeddedHTTP2Client()
        let length = ("content-length", String(Limits.bodyBytes + 1))
        try client.send(Frames.headers(1, Frames.fields("PUT", [length]), end: false))
        let frames = try client.take()
        #expect(EmbeddedHTTP2Client.statuses(frames) == ["413"])
        // curl up to 8.0 reports a reset in place of the answer (error 92).
        #expect(!frames.contains { $0.kind == .reset })
        client.harness.pass(seconds: Limits.lingerTimeout.components.seconds + 1)
        let later = try client.take()
        #expect(later.map(\.kind) == [.reset] && later.first?.number() == 0)
        // What was on its way is thrown away, and does not use up the connection's window.
        for _ in 0..<200 {
            try client.send(Frames.data(1, Bytes(repeating: 1, count: 16_384), end: false))
        }
        let opened = try client.take().filter { $0.kind == .window && $0.stream == 0 }
        #expect(
            opened.reduce(0) { $0 + Int($1.number()) } >= 200 * 16_384
                - Limits.connectionWindowBytes)
        #expect(!client.client.isClosed)
        #expect(client.harness.front.counters.requestBytesHeld == 0)
    }

    @Test func whoEndsARefusedRequestIsNotReset() throws {
        let client = try EmbeddedHTTP2Client()
        let length = ("content-length", String(Limits.bodyBytes + 1))
        try client.send(Frames.headers(1, Frames.fields("PUT", [length]), end: false))
        #expect(EmbeddedHTTP2Client.statuses(try client.take()) == ["413"])
        try client.send(Frames.reset(1) + Frames.get(3))
        client.harness.pass(seconds: 10)
        let frames = try client.take()
        #expect(EmbeddedHTTP2Client.statuses(frames) == ["200"])
        #expect(!frames.contains { $0.kind == .reset })
    }

    @Test func continueIsSentIfTheBodyIsWanted() throws {
        let client = try EmbeddedHTTP2Client()
        try client.send(
            Frames.headers(1, Frames.fields("PUT", [("expect", "100-continue")]), end: false))
        #expect(EmbeddedHTTP2Client.statuses(try client.take()) == ["100"])
        try client.send(Frames.data(1, [0x61]))
        #expect(EmbeddedHTTP2Client.statuses(try client.take()) == ["200"])
    }
}

extension Frames {
    static func fields(_ more: [(String, String)]) -> [(String, String)] {
        fields("GET", "/a", authority: "localhost", more)
    }

    static func fields(_ method: String, _ more: [(String, String)]) -> [(String, String)] {
        fields(method, "/a", authority: "localhost", more)
    }
}
