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

    @Test(arguments: floods)
    func endsTheConnection(
        name: String, kind: GlitchKind, frame: @Sendable (Int32) -> Bytes
    ) throws {
        let client = try EmbeddedHTTP2Client()
        var sent = 0
        var frames: [FrameReader.Frame] = []
        while !client.client.isClosed, sent < 3 * Limits.glitchBurst {
            try client.send(frame(Int32(2 * sent + 1)))
            frames += try client.take()
            sent += 1
        }
        #expect(client.client.isClosed, "\(name)")
        #expect(EmbeddedHTTP2Client.goAway(frames) == NGHTTP2_ENHANCE_YOUR_CALM.rawValue)
        #expect(sent <= Limits.glitchBurst + 10)
        let counters = client.harness.front.counters
        let taker = GlitchKind.allCases.filter { counters.floods[$0] == 1 }
        // Past the limit of streams, what is reset has been refused before.
        #expect(taker == [kind] || taker == [.serverReset])
        #expect(counters.connectionsClosed[.flood] == 1)
        #expect(counters.requestsInFlight == 0)
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
