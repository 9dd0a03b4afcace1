// Floods: what costs the server more than the client ends the connection, with a count, and is
// bounded.
import API
import Base
import CNghttp2
import HTTP
import NIOEmbedded
import Testing

@Suite struct FloodTests {
    /// Each is repeated until the connection ends; the number stands for the stream.
    static let floods: [(String, GlitchKind, @Sendable (Int32) -> Bytes)] = [
        ("rapid reset", .reset, { Frames.get($0, "/hold") + Frames.reset($0) }),
        ("PING", .ping, { _ in Frames.frame(.ping, Bytes(repeating: 0, count: 8)) }),
        ("SETTINGS", .settings, { _ in Frames.frame(.settings) }),
        (
            "answers to no PING", .ping,
            { _ in Frames.frame(.ping, flags: Frames.ack, Bytes(repeating: 0, count: 8)) }
        ),
        ("WINDOW_UPDATE of the connection", .window, { _ in Frames.window(0, 1) }),
        (
            "WINDOW_UPDATE of one stream", .window,
            { ($0 == 1 ? Frames.get(1, "/hold") : []) + Frames.window(1, 1) }
        ),
        (
            "a window opened a byte at a time", .window,
            {
                ($0 > 1
                    ? []
                    : Frames.frame(.settings, [0, 4] + Frames.number(0)) + Frames.get(1, "/big"))
                    + Frames.window(1, 1)
            }
        ),
        ("unknown frames", .other, { _ in Frames.frame(type: 0x77, flags: 0, stream: 0, []) }),
        ("ALTSVC", .other, { _ in Frames.frame(type: 0x0A, flags: 0, stream: 0, [0, 0]) }),
        ("ORIGIN", .other, { _ in Frames.frame(type: 0x0C, flags: 0, stream: 0, []) }),
        (
            "PRIORITY_UPDATE", .other,
            { _ in Frames.frame(type: 0x10, flags: 0, stream: 0, Frames.number(1)) }
        ),
        (
            "GOAWAY", .other,
            {
                ($0 == 1 ? Frames.get(1, "/hold") : [])
                    + Frames.frame(.goAway, Frames.number(0) + Frames.number(0))
            }
        ),
        ("PRIORITY", .priority, { Frames.frame(.priority, stream: $0, [0, 0, 0, 0, 1]) }),
        (
            "window overflow resets", .serverReset,
            {
                Frames.get($0, "/hold") + Frames.window($0, 0x7FFF_FFFF)
            }
        ),
        ("malformed requests", .serverReset, { Frames.headers($0, [(":method", "GET")]) }),
        (
            "refused requests", .refused,
            { Frames.headers($0, Frames.fields(authority: "no")) + Frames.window(0, 999) }
        ),
    ]

    /// Whether the client reads what it provokes or not.
    @Test(arguments: floods, [true, false])
    func endsTheConnection(
        flood: (name: String, kind: GlitchKind, frame: @Sendable (Int32) -> Bytes), isRead: Bool
    ) throws {
        let client = try EmbeddedHTTP2Client()
        let counters = { client.harness.front.counters }
        client.client.channel.isWritable = isRead
        var sent = 0
        var frames: [FrameReader.Frame] = []
        while counters().floods.total == 0, sent < 3 * Limits.glitchBurst {
            try client.send(flood.frame(Int32(2 * sent + 1)))
            if isRead { frames += try client.take() }
            sent += 1
        }
        #expect(sent <= Limits.glitchBurst + Limits.streamsPerConnection + 10)
        #expect(client.client.isClosed == isRead)
        client.client.setWritable(true)
        frames += try client.take()
        #expect(client.client.isClosed)
        #expect(EmbeddedHTTP2Client.goAway(frames) == NGHTTP2_ENHANCE_YOUR_CALM.rawValue)
        let taker = GlitchKind.allCases.filter { counters().floods[$0] == 1 }
        // Past the limit of streams, what is reset has been refused before, and frames for it come
        // too late.
        #expect(taker == [flood.kind] || taker == [.serverReset] || !isRead, "\(taker)")
        #expect(counters().floods.total == 1)
        #expect(counters().connectionsClosed[.flood] == 1)
        #expect(counters().requestsInFlight == 0)
        #expect(counters().responseBytesHeld == 0)
    }

    /// However the bytes are cut, the same frame is the one too many.
    @Test(arguments: [1, 2, 5, 8, 9, 10, 17, 4_096])
    func theBudgetCountsFramesAndNotReads(size: Int) throws {
        let frame = Frames.frame(type: 0x77, flags: 0, stream: 0, [1, 2, 3])
        // The client's own SETTINGS took a token.
        let affordable = Limits.glitchBurst - 1
        let client = try EmbeddedHTTP2Client()
        let bytes = Bytes(Array(repeating: frame, count: affordable + 1).joined())
        // All but the last byte of a header, which has nine (RFC 9113 §4.1).
        let spared = affordable * frame.count + 8
        for start in stride(from: 0, to: spared, by: size) {
            try client.send(Bytes(bytes[start..<min(start + size, spared)]))
        }
        #expect(client.harness.front.counters.floods.total == 0)
        try client.send([bytes[spared]])
        #expect(client.harness.front.counters.floods[.other] == 1)
        #expect(client.client.isClosed)
    }

    /// It gets a second to read its GOAWAY, and the linger time.
    @Test func aFloodThatReadsNothingIsClosedAllTheSame() throws {
        let client = try EmbeddedHTTP2Client()
        client.client.channel.isWritable = false
        for _ in 0..<200 { try client.send(Frames.frame(.settings)) }
        #expect(!client.client.isClosed)
        client.harness.pass(seconds: 4)
        #expect(client.client.isClosed)
        #expect(client.harness.front.counters.connectionsClosed[.flood] == 1)
    }

    /// Some clients open both windows for each frame of an answer, and the stream's at its start.
    @Test func windowUpdatesThatAnswersPayForAreFree() throws {
        let client = try EmbeddedHTTP2Client()
        for index in 0..<Int32(2_000) {
            let id = 2 * index + 1
            let path = index % 100 == 0 ? "/big" : "/a"
            try client.send(Frames.get(id, path) + Frames.window(id, 1 << 20))
            var isOver = false
            while !isOver {
                let frames = try client.take().filter { $0.kind == .data }
                try #require(!frames.isEmpty, "stream \(id)")
                for frame in frames {
                    let count = UInt32(frame.payload.count)
                    isOver = isOver || frame.flags & Frames.endStream != 0
                    try client.send(Frames.window(0, count) + Frames.window(id, count))
                }
            }
        }
        #expect(client.harness.front.counters.floods.total == 0)
    }

    /// Frames for streams that nghttp2 has forgotten are thrown away, and not for nothing.
    @Test(
        arguments: [
            { Frames.headers($0, Frames.fields("PUT"), end: false) }, { Frames.data($0, []) },
            { Frames.data($0, [1], end: false) },
        ] as [@Sendable (Int32) -> Bytes])
    func framesOfForgottenStreamsEndTheConnection(frame: @Sendable (Int32) -> Bytes) throws {
        let client = try EmbeddedHTTP2Client()
        for index in 0..<Int32(70) { try client.send(Frames.get(2 * index + 1)) }
        // The front does not know a stream that old any more, nor one that it reset itself.
        let malformed = Frames.headers(201, [(":method", "GET")])
        try client.send(malformed)
        for id in [Int32(1), 201] {
            for _ in 0..<Limits.glitchBurst / 2 + 1 { try client.send(frame(id)) }
        }
        #expect(EmbeddedHTTP2Client.goAway(try client.take()) == 11)
        #expect(client.harness.front.counters.floods[.other] == 1)
    }

    @Test(arguments: [false, true])
    func emptyDataEndsTheConnection(padded: Bool) throws {
        let client = try EmbeddedHTTP2Client()
        try client.send(Frames.headers(1, Frames.fields("PUT"), end: false))
        let empty =
            padded
            ? Frames.frame(.data, flags: Frames.padded, stream: 1, [4, 0, 0, 0, 0])
            : Frames.data(1, [], end: false)
        for _ in 0...Limits.glitchBurst { try client.send(empty) }
        #expect(EmbeddedHTTP2Client.goAway(try client.take()) == 11)
        #expect(client.harness.front.counters.floods[.emptyFrame] == 1)
    }

    /// A client in earnest pings once a second and cancels now and then, for hours.
    @Test func theBudgetComesBack() throws {
        let client = try EmbeddedHTTP2Client()
        var stream: Int32 = 1
        for _ in 0..<200 {
            for _ in 0..<Limits.glitchesPerSecond / 2 {
                try client.send(Frames.get(stream, "/hold") + Frames.reset(stream))
                stream += 2
            }
            client.harness.core.release(Array(client.harness.core.held.indices))
            client.harness.core.held = []
            client.harness.pass(seconds: 1)
        }
        try client.send(Frames.get(stream))
        #expect(EmbeddedHTTP2Client.statuses(try client.take()).last == "200")
    }

    /// Cancelled streams that the core still works on count against the limit of streams.
    @Test func aCancelledStreamKeepsItsPlaceUntilTheCoreIsDone() throws {
        let client = try EmbeddedHTTP2Client()
        for index in 0..<Int32(Limits.streamsPerConnection) {
            try client.send(Frames.get(2 * index + 1, "/hold") + Frames.reset(2 * index + 1))
        }
        #expect(client.harness.core.cancelled.count == Limits.streamsPerConnection)
        #expect(client.harness.front.counters.requestsInFlight == Limits.streamsPerConnection)
        try client.send(Frames.get(1_001))
        let refused = try client.take()
        #expect(refused.contains { $0.kind == .reset && $0.number() == 7 })
        #expect(EmbeddedHTTP2Client.statuses(refused).isEmpty)
        client.harness.core.release([0])
        try client.send(Frames.get(1_003))
        #expect(EmbeddedHTTP2Client.statuses(try client.take()) == ["200"])
        // A core that forgets them does not shut the connection for ever.
        client.harness.pass(seconds: 31)
        #expect(client.harness.front.counters.requestsInFlight == 0)
    }

    @Test func aCancelledRequestThatIsReleasedHoldsNothing() throws {
        let client = try EmbeddedHTTP2Client()
        try client.send(
            Frames.headers(1, Frames.fields("POST", "/hold"), end: false)
                + Frames.data(1, [1, 2, 3]) + Frames.reset(1))
        let core = client.harness.core
        let front = client.harness.front
        try #require(core.cancelled.count == 1)
        #expect(front.counters.requestsInFlight == 1)
        #expect(front.counters.requestBytesHeld == 3)
        front.release(core.cancelled[0])
        #expect(front.counters.requestsInFlight == 0)
        #expect(front.counters.requestBytesHeld == 0)
        front.release(core.cancelled[0])
        #expect(front.counters.requestsInFlight == 0, "once")
    }

    @Test func streamsPastTheLimitAreNotServed() throws {
        let client = try EmbeddedHTTP2Client()
        for index in 0...Int32(Limits.streamsPerConnection) {
            try client.send(Frames.get(2 * index + 1, "/hold"))
        }
        #expect(client.harness.core.held.count == Limits.streamsPerConnection)
    }

    @Test func continuationsWithoutEndAreCutOff() throws {
        let client = try EmbeddedHTTP2Client()
        try client.send(Frames.frame(.headers, flags: 1, stream: 1, Frames.block(Frames.fields())))
        var sent = 0
        while !client.client.isClosed, sent < 100 {
            try client.send(Frames.frame(.continuation, stream: 1, Frames.block([("a", "b")])))
            sent += 1
        }
        #expect(sent < 20)
        #expect(client.client.isClosed)
        #expect(client.harness.front.counters.floods[.continuation] == 1)
    }

    /// One byte each that HPACK makes four kilobytes of.
    @Test func aHeaderBombIsCutOff() throws {
        let client = try EmbeddedHTTP2Client()
        var block = Frames.block(Frames.fields())
        // Literal with indexing: ("bomb", 3,900 bytes), then references to it.
        block += [0x40, 4] + Bytes("bomb".utf8) + [127]
        block.appendVarint(UInt64(3_900 - 127))
        block += Bytes(repeating: 0x61, count: 3_900)
        block += Bytes(repeating: 0x80 | 62, count: 11_000)
        try client.send(Frames.frame(.headers, flags: 5, stream: 1, block))
        #expect(EmbeddedHTTP2Client.goAway(try client.take()) == 11)
        #expect(client.harness.front.counters.floods.total == 1)
    }

    @Test func aSlowReaderOfAnswersToPingsDoesNotGrowTheOutput() throws {
        let client = try EmbeddedHTTP2Client()
        client.client.channel.isWritable = false
        for _ in 0..<300 {
            try client.send(Frames.frame(.ping, Bytes(repeating: 0, count: 8)))
        }
        client.client.setWritable(true)
        #expect(try client.take().filter { $0.kind == .ping }.count <= 110)
    }
}
