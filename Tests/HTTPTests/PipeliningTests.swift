// Pipelined requests of one HTTP/1.1 connection (RFC 9112 §9.3.2): safe ones run beside each other,
// one that changes something runs alone, answers keep their order, and what waits is bounded.
import API
import Base
import HTTP
import Testing

@Suite struct PipeliningTests {
    private static func request(_ method: String, _ target: String = "/hold") -> String {
        "\(method) \(target) HTTP/1.1\r\nHost: localhost\r\n"
            + (method == "GET" || method == "HEAD" ? "\r\n" : "Content-Length: 1\r\n\r\nx")
    }

    /// Which of the requests are with the core at once, turn by turn, when each turn answers all.
    static let tables: [([String], [[Int]])] = [
        (["GET", "GET", "HEAD"], [[0, 1, 2]]),
        (["PUT", "GET"], [[0], [1]]),
        (["GET", "PUT"], [[0], [1]]),
        (["PUT", "PUT"], [[0], [1]]),
        (["GET", "GET", "DELETE", "GET", "GET"], [[0, 1], [2], [3, 4]]),
        (["POST", "GET", "OPTIONS", "PUT"], [[0], [1, 2], [3]]),
    ]

    @Test(arguments: tables)
    func onlySafeRequestsRunBesideEachOther(methods: [String], turns: [[Int]]) throws {
        let harness = FrontHarness()
        let client = try harness.connect()
        try client.send(methods.map { Self.request($0) }.joined())
        var begun: [[Int]] = []
        var done = 0
        while done < methods.count {
            let held = harness.core.held.count
            begun.append(Array(done..<held))
            try #require(held > done)
            harness.core.release(Array((done..<held).reversed()))
            done = held
        }
        #expect(begun == turns)
        #expect(try client.takeText().statuses.count == methods.count)
        #expect(harness.front.counters.requestBytesHeld == 0)
        #expect(harness.front.counters.requestsInFlight == 0)
    }

    /// Whatever is sent and in whatever order the core answers: no request is with the core beside
    /// one that changes something.
    @Test func aChangeIsAloneInEveryOrder() throws {
        for seed in 0..<200 as Range<UInt64> {
            var random = SeededGenerator(seed: seed)
            let harness = FrontHarness()
            let client = try harness.connect()
            let methods = (0..<Int.random(in: 2...90, using: &random)).map { _ in
                ["GET", "GET", "PUT", "POST", "HEAD"].randomElement(using: &random) ?? ""
            }
            var unsent = Bytes(methods.map { Self.request($0) }.joined().utf8)
            var open: [Int] = []
            var seen = 0
            var answered = 0
            while answered < methods.count {
                if !unsent.isEmpty {
                    let count = min(unsent.count, Int.random(in: 1...400, using: &random))
                    try client.send(Bytes(unsent.prefix(count)))
                    unsent.removeFirst(count)
                }
                open += Array(seen..<harness.core.held.count)
                seen = harness.core.held.count
                let changes = open.contains { harness.core.requests[$0].method.isSafe == false }
                #expect(!changes || open.count == 1, "seed \(seed): \(open)")
                guard let next = open.randomElement(using: &random) else { continue }
                open.removeAll { $0 == next }
                harness.core.release([next])
                answered += 1
            }
            #expect(try client.takeText().statuses.count == methods.count, "seed \(seed)")
        }
    }

    /// Each head takes a moment, and the next has always begun when one ends: none is slow.
    @Test func aHeadBehindAnotherHasItsOwnClock() throws {
        let harness = FrontHarness()
        let client = try harness.connect()
        let half = "GET /a HTTP/1.1\r\nHo"
        try client.send(half)
        for _ in 0..<6 {
            harness.pass(seconds: 4)
            try client.send("st: localhost\r\n\r\n" + half)
        }
        #expect(try client.takeText().statuses == Array(repeating: 200, count: 6))
        harness.pass(seconds: 11)
        #expect(try client.takeText().statuses == [408])
    }

    /// Large heads count among the bytes of requests, as bodies do, until they are answered.
    @Test func largeHeadsAreHeld() throws {
        let harness = FrontHarness()
        let client = try harness.connect()
        let field = "If-Match: \"" + String(repeating: "x", count: 30_000) + "\"\r\n"
        try client.send("PUT /hold HTTP/1.1\r\nHost: localhost\r\n\(field)\r\n")
        try client.send("PUT /hold HTTP/1.1\r\nHost: localhost\r\n\(field)\r\n")
        #expect(harness.front.counters.requestBytesHeld > 60_000)
        harness.core.release([0])
        harness.core.release([1])
        #expect(try client.takeText().statuses == [200, 200])
        #expect(harness.front.counters.requestBytesHeld == 0)

        let second = try harness.connect()
        let fields = Frames.fields("PUT", "/hold") + [("if-match", String(field.prefix(10_000)))]
        try second.send(Frames.hello + Frames.headers(1, fields, end: false))
        #expect(harness.front.counters.requestBytesHeld > 10_000)
        try second.vanish()
        #expect(harness.front.counters.requestBytesHeld == 0)
    }

    @Test func whatWaitsBehindTheLastAnswerIsNotBegun() throws {
        let harness = FrontHarness()
        let client = try harness.connect()
        try client.send(Self.request("PUT", "/last") + Self.request("PUT", "/a"))
        #expect(try client.takeText().statuses == [200])
        #expect(client.isClosed)
        #expect(harness.core.requests.count == 1)
        #expect(harness.front.counters.requestBytesHeld == 0)
    }

    @Test func aWriteThatWaitedIsNotBegunWhenItsClientIsGone() throws {
        let harness = FrontHarness()
        let client = try harness.connect()
        try client.send(Self.request("PUT") + Self.request("PUT", "/a"))
        try client.vanish()
        #expect(harness.core.requests.count == 1)
        #expect(harness.core.cancelled.count == 1)
        #expect(harness.front.counters.requestsInFlight == 0)
        #expect(harness.front.counters.requestBytesHeld == 0)
    }

    /// Answers smaller than those that are shared count too.
    @Test func answersThatNobodyReadsAreBounded() throws {
        let harness = FrontHarness(FrontSettings(connections: 100))
        let body = String(repeating: "x", count: 60 << 10)
        let put = "PUT /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(body.count)\r\n\r\n"
        let most = Limits.responseBytes / body.count
        var clients: [EmbeddedClient] = []
        for _ in 0..<most / Limits.pipelinedRequests + 1 {
            let client = try harness.connect()
            clients.append(client)
            client.setWritable(false)
            for _ in 0..<Limits.pipelinedRequests { try client.send(put + body) }
        }
        let counters = harness.front.counters
        #expect(counters.answersShed > 0)
        #expect(counters.responseBytesHeld <= Limits.responseBytes + (64 << 10))
        let last = try #require(clients.last)
        last.setWritable(true)
        let answer = try last.takeText()
        #expect(answer.statuses.count == Limits.pipelinedRequests)
        #expect(answer.statuses.last == 429)
        #expect(answer.contains("\"code\":\"overloaded\""))
    }

    /// A body that HEAD does not send is not kept for it.
    @Test func headKeepsNoBody() throws {
        let harness = FrontHarness()
        let client = try harness.connect()
        client.setWritable(false)
        try client.send(String(repeating: Self.request("HEAD", "/big"), count: 64))
        #expect(harness.front.counters.responseBytesHeld == 0)
        client.setWritable(true)
        let answer = try client.takeText()
        #expect(answer.statuses.count == 64)
        #expect(answer.contains("content-length: \(4 << 20)\r\n"))
    }
}
