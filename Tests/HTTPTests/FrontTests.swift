// The front around its sessions: slots, turns, back-pressure, time-outs, draining, what a browser
// may do.
import API
import Base
import HTTP
import NIOCore
import NIOEmbedded
import Testing

@Suite struct FrontTests {
    private let get = "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n"
    private let hold = "GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n"

    @Test func aStaleAnswerReachesNobody() throws {
        let harness = FrontHarness()
        let first = try harness.connect()
        try first.send(hold)
        let stale = harness.core.held[0]
        try first.vanish()
        #expect(harness.core.cancelled == [stale])
        let second = try harness.connect()
        try second.send(hold)
        #expect(harness.core.held[1].slot == stale.slot)
        #expect(harness.core.held[1].generation != stale.generation)
        harness.core.release([0])
        #expect(try second.takeText() == "")
        harness.core.release([1])
        #expect(try second.takeText().hasSuffix("held 1"))
        harness.core.release([1])
        #expect(try second.takeText() == "", "an exchange is answered once")
        #expect(harness.front.counters.requestsInFlight == 0)
    }

    @Test func whatOneTurnAnswersIsOneWrite() throws {
        let harness = FrontHarness()
        let one = try EmbeddedHTTP2Client(harness)
        for stream in stride(from: Int32(1), through: 19, by: 2) {
            try one.send(Frames.get(stream, "/hold"))
        }
        for exchange in harness.core.held {
            harness.front.respond(exchange, Response(status: 204, contentType: nil))
        }
        #expect(try one.client.channel.readOutbound(as: ByteBuffer.self) == nil)
        harness.loop.run()
        let write = try #require(try one.client.channel.readOutbound(as: ByteBuffer.self))
        #expect(FrameReader().read(Bytes(write.readableBytesView)).count == 10)
        #expect(try one.client.channel.readOutbound(as: ByteBuffer.self) == nil)
    }

    @Test func connectionsPastTheLimitAreRefused() throws {
        let harness = FrontHarness(FrontSettings(connections: 1))
        let first = try harness.connect()
        #expect(throws: FrontHarness.Refused.self) { try harness.connect() }
        #expect(harness.front.counters.connectionsRefused == 1)
        try first.vanish()
        _ = try harness.connect()
        #expect(harness.front.counters.connectionsOpen == 1)
    }

    // MARK: Back-pressure

    @Test(arguments: [false, true])
    func outputStopsWhileTheChannelIsNotWritable(http2: Bool) throws {
        let harness = FrontHarness()
        let client: EmbeddedClient
        if http2 {
            let speaker = try EmbeddedHTTP2Client(harness)
            client = speaker.client
            try speaker.send(
                Frames.window(0, 64 << 20)
                    + Frames.frame(.settings, [0, 4] + Frames.number(64 << 20)))
            _ = try speaker.take()
            client.channel.isWritable = false
            try speaker.send(Frames.get(1, "/big") + Frames.get(3, "/big"))
        } else {
            client = try harness.connect()
            client.channel.isWritable = false
            try client.send("GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n")
            try client.send("GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n")
        }
        #expect(try client.takeBytes().isEmpty)
        // The core's array is held twice and counted once.
        #expect(harness.front.counters.responseBytesHeld == 4 << 20)
        // Each time it becomes writable it is given batches until it says stop; here, all of it.
        client.setWritable(true)
        #expect(try client.takeBytes().count > 8 << 20)
        #expect(harness.front.counters.responseBytesHeld == 0)
    }

    /// A node with a certificate that spoke in clear to the network too would be read by everybody.
    @Test func whatComesInClearFromAfarIsRefused() throws {
        let settings = FrontSettings(takesClearFromLoopbackOnly: true, connections: 10)
        for near in ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"] {
            let harness = FrontHarness(settings)
            let client = try harness.connect(from: near)
            try client.send("GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n")
            #expect(try client.takeText().statuses == [200], "\(near)")
            #expect(harness.core.requests.count == 1)
        }
        for far in ["10.9.9.1", "128.0.0.1", "::2", "::ffff:10.9.9.1", "fe80::1"] {
            let harness = FrontHarness(settings)
            let client = try harness.connect(from: far)
            try client.send("GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n")
            let answer = try client.takeText()
            #expect(answer.statuses == [400], "\(far)")
            #expect(answer.contains("https://"))
            #expect(client.isClosed && harness.core.requests.isEmpty)
            #expect(harness.front.counters.connectionsClosed[.tlsRequired] == 1)

            let second = try harness.connect(from: far)
            try second.send(Frames.hello + Frames.get(1, "/a"))
            #expect(try second.takeBytes().suffix(4) == [0, 0, 0, 12], "inadequate security")
            #expect(second.isClosed && harness.core.requests.isEmpty)
        }
        let harness = FrontHarness()
        let client = try harness.connect(from: "10.9.9.1")
        try client.send("GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(try client.takeText().statuses == [200])
        #expect(harness.core.requests.count == 1)
    }

    @Test(arguments: [1, 4]) func largeAnswersAreShedWhenTooManyWait(cores: Int) throws {
        let harness = FrontHarness(FrontSettings(connections: 1_000, cores: cores))
        let limit = Limits.responseBytes / cores
        var blocked: [EmbeddedClient] = []
        for _ in 0..<limit / (4 << 20) + 1 {
            let client = try harness.connect()
            client.channel.isWritable = false
            try client.send(hold)
            blocked.append(client)
        }
        for exchange in harness.core.held {
            let value = Bytes(repeating: 7, count: 4 << 20)
            harness.front.respond(
                exchange, Response(status: 200, contentType: .bytes, body: value))
        }
        #expect(harness.front.counters.responseBytesHeld <= limit + 1_000)
        #expect(harness.front.counters.answersShed == 1)
        try blocked[blocked.count - 1].vanish()
        for client in blocked { try client.vanish() }
        #expect(harness.front.counters.responseBytesHeld == 0)
    }

    // MARK: Time

    @Test(arguments: ["", "P", "PRI * HTTP/2.0\r\n\r\nSM"])
    func aConnectionThatSaysNothingOfItsProtocolIsClosed(bytes: String) throws {
        let harness = FrontHarness()
        let client = try harness.connect()
        if !bytes.isEmpty { try client.send(bytes) }
        harness.pass(seconds: 4)
        #expect(!client.isClosed)
        harness.pass(seconds: 2)
        #expect(client.isClosed)
        #expect(harness.front.counters.timeouts[.handshake] == 1)
    }

    @Test func slowHeadersAreCutOff() throws {
        let harness = FrontHarness()
        let client = try harness.connect()
        try client.send(get + "GET /a HTTP/1.1\r\n")
        for _ in 0..<20 {
            harness.pass(seconds: 1)
            try client.send("A: b\r\n")
        }
        #expect(try client.takeText().statuses == [200, 408])
        #expect(client.isClosed)
        #expect(harness.front.counters.timeouts[.headers] == 1)
    }

    @Test func headersThatNeverEndAreCutOff() throws {
        let client = try EmbeddedHTTP2Client()
        try client.send(Frames.frame(.headers, stream: 1, Frames.block(Frames.fields())))
        client.harness.pass(seconds: 11)
        #expect(EmbeddedHTTP2Client.goAway(try client.take()) == 11)
        #expect(client.client.isClosed)
        #expect(client.harness.front.counters.timeouts[.headers] == 1)
    }

    @Test(arguments: [false, true])
    func aBodyThatStallsIsCutOff(http2: Bool) throws {
        let harness = FrontHarness()
        if http2 {
            let client = try EmbeddedHTTP2Client(harness)
            try client.send(Frames.headers(1, Frames.fields("PUT"), end: false))
            for _ in 0..<32 {
                try client.send(Frames.data(1, [1], end: false))
                harness.pass(seconds: 1)
            }
            #expect(EmbeddedHTTP2Client.statuses(try client.take()) == ["408"])
        } else {
            let client = try harness.connect()
            try client.send("PUT /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n")
            for _ in 0..<32 {
                try client.send("a")
                harness.pass(seconds: 1)
            }
            #expect(try client.takeText().statuses == [408])
        }
        #expect(harness.front.counters.timeouts[.body] == 1)
        #expect(harness.front.counters.requestBytesHeld == 0)
    }

    /// What is not body moves the clock of the body no more than nothing does.
    @Test(arguments: ["1;", "0\r\nA: "])
    func chunkExtensionsAndTrailersThatGoOnForEverAreCutOff(start: String) throws {
        let harness = FrontHarness()
        let client = try harness.connect()
        try client.send(
            "PUT /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + start)
        for _ in 0..<32 {
            try client.send("xxxx")
            harness.pass(seconds: 1)
        }
        #expect(try client.takeText().statuses == [408])
        #expect(harness.front.counters.timeouts[.body] == 1)
    }

    /// Windows that never open, and such as open a byte at a time.
    @Test(arguments: [false, true])
    func anAnswerThatIsNotReadIsReset(aByteAtATime: Bool) throws {
        let client = try EmbeddedHTTP2Client()
        try client.send(Frames.frame(.settings, [0, 4] + Frames.number(0)) + Frames.get(1, "/big"))
        #expect(client.harness.front.counters.responseBytesHeld == 4 << 20)
        var frames = try client.take()
        for _ in 0..<33 {
            if aByteAtATime { try client.send(Frames.window(1, 1)) }
            client.harness.pass(seconds: 1)
            frames += try client.take()
        }
        #expect(frames.contains { $0.kind == .reset && $0.number() == 8 })
        #expect(client.harness.front.counters.responseBytesHeld == 0)
        #expect(client.harness.front.counters.timeouts[.write] == 1)
        try client.send(Frames.frame(.settings, [0, 4] + Frames.number(65_535)) + Frames.get(3))
        #expect(EmbeddedHTTP2Client.statuses(try client.take()) == ["200"])
    }

    @Test(arguments: [false, true])
    func anIdleConnectionIsClosed(http2: Bool) throws {
        let harness = FrontHarness()
        let client: EmbeddedClient
        if http2 {
            client = try EmbeddedHTTP2Client(harness).client
        } else {
            client = try harness.connect()
            try client.send(get)
        }
        harness.pass(seconds: 59)
        #expect(!client.isClosed)
        harness.pass(seconds: 4)
        #expect(client.isClosed)
        #expect(harness.front.counters.timeouts[.idle] == 1)
    }

    @Test func aRequestThatTheCoreWorksOnIsNotIdle() throws {
        let harness = FrontHarness()
        let client = try harness.connect()
        try client.send(hold)
        harness.pass(seconds: 300)
        harness.core.release([0])
        #expect(try client.takeText().hasSuffix("held 0"))
    }

    // MARK: The end

    @Test func drainingFinishesWhatIsInFlight() throws {
        let harness = FrontHarness()
        let idle = try harness.connect()
        try idle.send(get)
        let busy = try harness.connect()
        try busy.send(hold)
        let stream = try EmbeddedHTTP2Client(harness)
        try stream.send(Frames.get(1, "/hold"))
        var isEmpty = false
        harness.front.drain { isEmpty = true }
        #expect(idle.isClosed)
        let notice = try stream.take()
        #expect(notice.first { $0.kind == .goAway }?.number() == 0x7FFF_FFFF)
        let ping = try #require(notice.first { $0.kind == .ping })
        // A request that was on its way is still taken.
        try stream.send(Frames.get(3, "/b"))
        #expect(EmbeddedHTTP2Client.statuses(try stream.take()) == ["200"])
        try stream.send(Frames.frame(.ping, flags: Frames.ack, ping.payload))
        #expect(try stream.take().first { $0.kind == .goAway }?.number() == 3)
        #expect(throws: FrontHarness.Refused.self) { try harness.connect() }
        #expect(!isEmpty)
        harness.core.release([0, 1])
        let last = try busy.takeText()
        #expect(last.contains("\r\nconnection: close\r\n") && last.hasSuffix("held 0"))
        #expect(busy.isClosed)
        #expect(EmbeddedHTTP2Client.body(try stream.take(), 1) == "held 1")
        harness.pass(seconds: 4)
        #expect(stream.client.isClosed)
        #expect(isEmpty)
        #expect(harness.front.counters.connectionsClosed[.drained] >= 2)
    }

    @Test func aHalfClosedClientIsAnswered() throws {
        let harness = FrontHarness()
        let client = try harness.connect()
        try client.send(hold)
        client.endInput()
        #expect(!client.isClosed)
        harness.core.release([0])
        #expect(try client.takeText().hasSuffix("held 0"))
        #expect(client.isClosed)
    }

    @Test func allowedNamesAreServed() throws {
        for (allowed, host, status) in [
            (["martlet.example"], "Martlet.Example:80", 200), (["*"], "any.thing", 200),
            (["martlet.example"], "martlet.example.", 200), (["martlet.example"], "other", 421),
            ([], "192.168.1.1", 200), ([], "1.2.3.4.5", 421), ([], "[fe80::1]:1", 200),
            ([], "256.1.1.1", 421), ([], "a.localhost", 200),
        ] {
            let harness = FrontHarness(FrontSettings(allowedHosts: allowed, connections: 1))
            let client = try harness.connect()
            try client.send("GET /a HTTP/1.1\r\nHost: \(host)\r\n\r\n")
            #expect(try client.takeText().statuses == [status], "\(host)")
        }
    }
}
