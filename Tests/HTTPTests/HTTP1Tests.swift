// HTTP/1.1 on the front, byte for byte: what is answered, in what order, what ends it.
import API
import Base
import HTTP
import Testing

@Suite struct HTTP1Tests {
    private let get = "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n"

    private func ask(_ request: String) throws -> (answer: String, isClosed: Bool) {
        let harness = FrontHarness()
        let client = try harness.connect()
        try client.send(request)
        return (try client.takeText(), client.isClosed)
    }

    @Test func anAnswerIsComplete() throws {
        let (answer, isClosed) = try ask(get)
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\n"))
        #expect(answer.contains("\r\ncontent-length: 6\r\ndate: "))
        #expect(answer.hasSuffix(" GMT\r\nx-content-type-options: nosniff\r\n\r\nGET /a"))
        #expect(!isClosed)
    }

    @Test(
        arguments: [
            // A request, the end of its answer, and whether the connection goes on.
            ("HEAD /a HTTP/1.1\r\nHost: x.localhost\r\n\r\n", "nosniff\r\n\r\n", true),
            ("GET /nothing HTTP/1.1\r\nHost: [::1]:7\r\n\r\n", "nosniff\r\n\r\n", true),
            ("GET /a HTTP/1.1\r\nhOSt: LOCALHOST:1\r\nConnection: close\r\n\r\n", "GET /a", false),
            ("GET /a HTTP/1.0\r\n\r\n", "close\r\n\r\nGET /a", false),
            ("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive\r\n\r\nGET /a", true),
            ("GET http://localhost/b?c HTTP/1.1\r\nHost: evil.example\r\n\r\n", "GET /b?c", true),
            ("GET http://localhost?c HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /?c", true),
            ("GET HTTPS://localhost HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /", true),
            ("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", "OPTIONS *", true),
            ("TRACE /a HTTP/1.1\r\nHost: localhost\r\n\r\n", "OTHER /a", true),
            ("FROBNICATE /a HTTP/1.1\r\nHost: localhost\r\n\r\n", "OTHER /a", true),
            (
                "PUT //a%2F/../%00?q HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi",
                "PUT //a%2F/../%00?qhi", true
            ),
            (
                "PUT /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + "3;x=y\r\nabc\r\n1\r\nd\r\n0\r\nTrailer: t\r\n\r\n", "PUT /aabcd", true
            ),
            (
                "GET /a HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
                "nosniff\r\n\r\nGET /a", true
            ),
            (
                "PUT /a HTTP/1.1\r\nHost: localhost\r\ntransfer-ENCODING: Chunked \r\n\r\n"
                    + "2\r\nab\r\n00\r\nHost: evil.example\r\nAge: 9\r\n\r\n",
                "PUT /aab", true
            ),
            (
                "GET /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx", "GET /ax",
                true
            ),
            ("GET /a HTTP/1.1\r\nHost: localhost\r\nA: \u{E9}\t b\r\n\r\n", "GET /a", true),
            ("GET /a HTTP/1.1\r\nHost: localhost\r\nA:\r\n\r\n", "GET /a", true),
            (
                "GET /a HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
                "GET /ax", false
            ),
            ("\r\n\nGET /a HTTP/1.1\r\nHost: localhost \r\n\r\n", "GET /a", true),
            (
                "GET /a HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n\r\n", "GET /a",
                true
            ),
            ("GET /last HTTP/1.1\r\nHost: localhost\r\n\r\n", "close\r\n\r\n.", false),
        ] as [(String, String, Bool)])
    func isServed(request: String, suffix: String, goesOn: Bool) throws {
        let (answer, isClosed) = try ask(request)
        #expect(answer.hasSuffix(suffix), "\(answer)")
        #expect(isClosed != goesOn, "\(answer)")
    }

    @Test func answersKeepTheOrderOfPipelinedRequests() throws {
        let harness = FrontHarness()
        let client = try harness.connect()
        let hold = "GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n"
        try client.send(hold + get + hold + hold)
        #expect(harness.core.held.count == 3)
        #expect(try client.takeText() == "")
        harness.core.release([2, 1])
        #expect(try client.takeText() == "")
        harness.core.release([0])
        let answer = try client.takeText()
        let bodies = answer.components(separatedByText: "\r\n\r\n").dropFirst().map {
            $0.components(separatedByText: "HTTP/1.1")[0]
        }
        #expect(bodies == ["held 0", "GET /a", "held 1", "held 2"])
        #expect(harness.front.counters.requestsInFlight == 0)
    }

    @Test func requestsAheadOfTheirAnswersAreBounded() throws {
        let harness = FrontHarness()
        let client = try harness.connect()
        let hold = "GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n"
        let count = 3_000
        try client.send(String(repeating: hold, count: count))
        let ahead = harness.core.held.count
        #expect(ahead >= Limits.pipelinedRequests && ahead < Limits.pipelinedRequests + 200)
        var answered = 0
        while answered < harness.core.held.count {
            harness.core.release([answered])
            answered += 1
        }
        #expect(answered == count)
        #expect(try client.takeText().statuses.count == count)
    }

    @Test func splittingTheBytesAnywhereChangesNothing() throws {
        let conversation =
            get + "PUT /b HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "4\r\nbody\r\n0\r\n\r\nPUT /c HTTP/1.1\r\nHost: localhost\r\n"
            + "Content-Length: 2\r\n\r\nhi"
            + "GET /d HTTP/1.1\r\nHost: evil.example\r\n\r\n"
        let bytes = Bytes(conversation.utf8)
        func answers(_ pieces: [Bytes]) throws -> String {
            let harness = FrontHarness()
            let client = try harness.connect()
            for piece in pieces { try client.send(piece) }
            return try client.takeText().withoutDates
        }
        let whole = try answers([bytes])
        #expect(whole.statuses == [200, 200, 200, 421])
        for cut in 1..<bytes.count {
            #expect(try answers([Bytes(bytes[..<cut]), Bytes(bytes[cut...])]) == whole, "\(cut)")
        }
        #expect(try answers(bytes.map { [$0] }) == whole)
    }

    @Test func continueIsSentInItsPlaceAndOnlyIfTheBodyIsWanted() throws {
        let harness = FrontHarness()
        let client = try harness.connect()
        let put = "PUT /a HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
        try client.send("GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n")
        try client.send(put + "Content-Length: 2\r\n\r\n")
        #expect(try client.takeText() == "")
        harness.core.release([0])
        let text = try client.takeText()
        #expect(text.hasSuffix("held 0HTTP/1.1 100 Continue\r\n\r\n"))
        try client.send("hi")
        #expect(try client.takeText().hasSuffix("PUT /ahi"))
        // Without a body, or with one that is there already, nobody waits.
        try client.send(put + "Content-Length: 0\r\n\r\n" + put + "Content-Length: 1\r\n\r\nx")
        #expect(try client.takeText().statuses == [200, 200])
    }

    @Test func aBodyIsDistinguishedFromNone() throws {
        let harness = FrontHarness()
        let client = try harness.connect()
        try client.send("PUT /a HTTP/1.1\r\nHost: localhost\r\n\r\n")
        try client.send("PUT /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
        try client.send(
            "PUT /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
        #expect(harness.core.requests.map(\.body) == [nil, [], []])
    }

    @Test func aChunkedBodyOverTheLimitIsRefused() throws {
        let harness = FrontHarness()
        let client = try harness.connect()
        try client.send(
            "PUT /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                + String(Limits.bodyBytes, radix: 16) + "\r\n")
        let piece = Bytes(repeating: 0x61, count: 1 << 20)
        for _ in 0..<16 { try client.send(piece) }
        #expect(try client.takeText() == "")
        #expect(harness.front.counters.requestBytesHeld == Limits.bodyBytes)
        try client.send("\r\n1\r\na")
        #expect(try client.takeText().statuses == [413])
        #expect(harness.front.counters.requestBytesHeld == 0)
    }

    @Test func aChunkThatSaysItIsOverTheLimitIsRefusedAtOnce() throws {
        let (answer, isClosed) = try ask(
            "PUT /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                + String(Limits.bodyBytes + 1, radix: 16) + "\r\n")
        #expect(answer.statuses == [413])
        #expect(answer.contains("\"actual\":\(Limits.bodyBytes + 1)"))
        #expect(isClosed)
    }

    @Test func extensionsOfChunksAreBounded() throws {
        let chunk = "1;" + String(repeating: "x", count: 1000) + "\r\na\r\n"
        let put = "PUT /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        let end = "0\r\n\r\n"
        #expect(try ask(put + String(repeating: chunk, count: 16) + end).answer.statuses == [200])
        #expect(try ask(put + String(repeating: chunk, count: 17) + end).answer.statuses == [400])
        let long = "1;" + String(repeating: "x", count: 1100) + "\r\na\r\n"
        #expect(try ask(put + long + end).answer.statuses == [400])
    }

    @Test func headersThatMeanNothingAreLeftOut() throws {
        let harness = FrontHarness()
        let client = try harness.connect()
        try client.send(
            "GET /a HTTP/1.1\r\nHost: localhost\r\nUser-Agent: x\r\n"
                + "ACCEPT: a/b\r\nIf-Match:  7 \r\n\r\n"
        )
        let headers = harness.core.requests[0].headers
        #expect(headers.fields.map(\.name) == [.accept, .ifMatch])
        #expect(headers[.ifMatch] == Bytes("7".utf8))
    }
}
