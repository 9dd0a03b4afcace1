// Streams between stores, from the client's half to a front without sockets: what goes through,
// what waits, who is refused, and how they end.
import API
import Base
import HTTP
import NIOCore
import NIOEmbedded
import Testing

struct PeerStreamTests {
    final class Pair {
        let harness: FrontHarness
        let client: EmbeddedClient
        let receiver = RecordingReceiver()
        let session: HTTP2ClientSession

        init(servesPeers: Bool = true) throws {
            harness = FrontHarness(FrontSettings(connections: 10, servesPeers: servesPeers))
            client = try harness.connect()
            session = HTTP2ClientSession(
                origin: Origin(scheme: .http, host: "127.0.0.1", port: 1), receiver: receiver)
        }

        func settle() throws {
            while true {
                var out = ByteBuffer()
                _ = try session.fill(&out, limit: .max)
                try client.send(Bytes(out.readableBytesView))
                harness.front.flush()
                let answer = try client.takeBytes()
                if out.readableBytes == 0, answer.isEmpty { return }
                try answer.withUnsafeBytes { bytes -> Result<Void, ClientError> in
                    Result { () throws(ClientError) in try session.feed(bytes) }
                }.get()
            }
        }

        func open(_ exchange: Int, _ headers: [ClientHeader] = []) throws {
            session.open(ClientRequest("POST", PeerStream.path, headers: headers), exchange)
            try settle()
        }

        var core: EchoCore { harness.core }
        var counters: FrontCounters { harness.front.counters }
    }

    @Test func bytesGoBothWaysForAsLongAsItLasts() throws {
        let pair = try Pair()
        try pair.open(0)
        let exchange = try #require(pair.core.opened.first)
        for round in 0..<5 as Range<UInt8> {
            pair.session.send([round], 0)
            try pair.settle()
            #expect(pair.core.streamed[exchange] == Bytes(0...round))
            pair.harness.front.answer(exchange, [round + 100])
            try pair.settle()
        }
        #expect(pair.receiver.story.first == "0: 200")
        #expect(pair.receiver.bodies[0] == [100, 101, 102, 103, 104])
        #expect(pair.counters.peerStreams == 1)
        #expect(pair.counters.connectionsOfPeers == 1)
        pair.session.cancel(0, .closed(address: ""))
        try pair.settle()
        #expect(pair.core.cancelled == [exchange])
        #expect(pair.counters.peerStreams == 0)
        #expect(pair.counters.connectionsOfPeers == 0)
    }

    // A last word, which a reset would take back.
    @Test func anAnswerEndsBehindWhatWasSaid() throws {
        let pair = try Pair()
        try pair.open(0)
        let exchange = try #require(pair.core.opened.first)
        let large = Bytes(repeating: 7, count: 300_000)
        pair.harness.front.answer(exchange, large)
        pair.harness.front.finish(exchange)
        try pair.settle()
        #expect(pair.receiver.bodies[0] == large)
        // The stream is over when its opener has ended its half, too.
        #expect(pair.receiver.story == ["0: 200"])
        pair.session.cancel(0, .closed(address: ""))
        try pair.settle()
        #expect(pair.counters.peerStreams == 0)
    }

    @Test func noMoreComesThanTheWindowUntilItIsTaken() throws {
        let pair = try Pair()
        try pair.open(0)
        let exchange = try #require(pair.core.opened.first)
        // A stream that was opened before the settings were seen gets the difference on top.
        let window = Limits.peerStreamWindowBytes + Limits.streamWindowBytes
        let count = window + 100_000
        pair.session.send(Bytes(repeating: 1, count: count), 0)
        try pair.settle()
        let first = try #require(pair.core.streamed[exchange]?.count)
        #expect(first <= window)
        #expect(pair.session.unsent(0) == count - first)
        // The other lane is not held up by it.
        try pair.open(1)
        pair.session.send([9], 1)
        try pair.settle()
        #expect(pair.core.streamed[pair.core.opened[1]] == [9])
        pair.harness.front.consume(exchange, first)
        try pair.settle()
        #expect(pair.core.streamed[exchange]?.count == count)
        #expect(pair.session.unsent(0) == 0)
    }

    // History: who asked for much and read little had all of the answers wait here.
    @Test func whatIsNotReadHasALimit() throws {
        let pair = try Pair()
        try pair.open(0)
        let exchange = try #require(pair.core.opened.first)
        let front = pair.harness.front
        let large = Bytes(repeating: 7, count: 4_000)
        #expect(front.answer(exchange, large, limit: 1_000), "one may pass it where none waits")
        #expect(!front.answer(exchange, [8], limit: 1_000))
        #expect(front.answer(exchange, [9], limit: 4_001))
        #expect(!front.answer(exchange, [8], limit: 4_001))
        #expect(front.answer(exchange, [10]))
        try pair.settle()
        #expect(pair.receiver.bodies[0] == large + [9, 10], "what was not taken is not sent")
        #expect(front.answer(exchange, large, limit: 1_000), "there is room again")
    }

    @Test func whatIsLittleComesAmongWhatIsMuch() throws {
        let pair = try Pair()
        try pair.open(0)
        try pair.open(1)
        pair.session.send(Bytes(repeating: 1, count: 1 << 20), 0)
        pair.session.send([7], 1)
        var out = ByteBuffer()
        _ = try pair.session.fill(&out, limit: 64 << 10)
        try pair.client.send(Bytes(out.readableBytesView))
        #expect(pair.core.streamed[pair.core.opened[1]] == [7])
    }

    @Test func aRefusalSaysWhy() throws {
        let pair = try Pair()
        try pair.open(0)
        let exchange = try #require(pair.core.opened.first)
        pair.harness.front.refuse(exchange, Problem(.wrongCluster, "Not here."))
        pair.session.send([1, 2, 3], 0)
        try pair.settle()
        #expect(pair.receiver.story.first == "0: 409")
        let body = String(decoding: pair.receiver.bodies[0] ?? [], as: UTF8.self)
        #expect(body.contains(#""code":"wrong_cluster","detail":"Not here.""#), "\(body)")
        #expect(pair.counters.peerStreams == 0)
        #expect(pair.core.streamed.isEmpty)
    }

    @Test func oneThatWasTakenIsResetWhenItIsRefused() throws {
        let pair = try Pair()
        try pair.open(0)
        let exchange = try #require(pair.core.opened.first)
        pair.harness.front.answer(exchange, [1])
        try pair.settle()
        pair.harness.front.refuse(exchange, Problem(.clocksDiffer, "No."))
        try pair.settle()
        #expect(pair.receiver.story.last == "0: \(ClientError.streamReset(code: 8))")
        #expect(pair.counters.peerStreams == 0)
    }

    // A page of another origin may post without asking first.
    @Test(arguments: [
        ClientHeader("origin", "http://127.0.0.1:1"),
        ClientHeader("sec-fetch-site", "same-origin"),
    ])
    func aBrowserOpensNone(_ header: ClientHeader) throws {
        let pair = try Pair()
        try pair.open(0, [header])
        #expect(pair.core.opened.isEmpty)
    }

    @Test func aFrontThatServesNoneTakesNone() throws {
        let pair = try Pair(servesPeers: false)
        try pair.open(0)
        #expect(pair.core.opened.isEmpty)
    }

    @Test func aRequestThatEndsIsOrdinary() throws {
        let pair = try Pair()
        pair.session.submit(ClientRequest("POST", PeerStream.path), 0)
        try pair.settle()
        #expect(pair.core.opened.isEmpty)
        #expect(pair.core.requests.count == 1)
    }

    @Test func silenceEndsTheConnection() throws {
        let pair = try Pair()
        try pair.open(0)
        for _ in 0..<20 {
            pair.harness.pass(seconds: 1)
            pair.session.ping()
            try pair.settle()
        }
        #expect(pair.core.cancelled.isEmpty, "whoever pings is there")
        pair.harness.pass(seconds: Int64(Limits.peerSilence.components.seconds) + 1)
        try pair.client.collect()
        #expect(pair.core.cancelled == pair.core.opened)
        #expect(pair.counters.timeouts[.peer] == 1)
        #expect(pair.counters.connectionsOfPeers == 0)
    }

    @Test func aConnectionThatBreaksEndsItsStreams() throws {
        let pair = try Pair()
        try pair.open(0)
        try pair.open(1)
        try pair.client.channel.close().wait()
        #expect(Set(pair.core.cancelled) == Set(pair.core.opened))
        #expect(pair.counters.peerStreams == 0)
        #expect(pair.counters.connectionsOfPeers == 0)
    }

    // What is in flight may need other stores to the last.
    @Test func aDrainWaitsForClientsAndNotForStores() throws {
        let pair = try Pair()
        try pair.open(0)
        let other = try pair.harness.connect()
        try other.send("GET /hold HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        var isEmpty = false
        pair.harness.front.drain { isEmpty = true }
        try pair.settle()
        #expect(!isEmpty)
        pair.session.send([5], 0)
        try pair.settle()
        #expect(pair.core.streamed.values.first == [5])
        pair.core.release([0])
        pair.harness.loop.run()
        pair.harness.pass(seconds: 3)
        #expect(isEmpty)
    }

    @Test func thereIsALimit() throws {
        let pair = try Pair()
        for exchange in 0..<Limits.streamsPerConnection { try pair.open(exchange) }
        #expect(pair.counters.peerStreams == Limits.streamsPerConnection)
        try pair.open(1_000)
        #expect(pair.core.opened.count == Limits.streamsPerConnection)
    }
}
