// The client's half of HTTP/2 on bytes alone, against nghttp2's server half: every exchange ends
// exactly once, whatever becomes of its stream.
import Base
import HTTP
import NIOCore
import Testing

struct HTTP2ClientSessionTests {
    private static let origin = Origin(scheme: .http, host: "h", port: 1)

    private struct Pair {
        let receiver = RecordingReceiver()
        let session: HTTP2ClientSession
        let peer: HTTP2Peer

        init(_ peer: HTTP2Peer) {
            self.peer = peer
            session = HTTP2ClientSession(origin: origin, receiver: receiver)
        }

        /// Carries bytes both ways, `size` at a time, until neither side has any.
        func settle(pieces size: Int = .max) throws {
            while true {
                var out = ByteBuffer()
                _ = try session.fill(&out, limit: .max)
                let sent = Bytes(out.readableBytesView)
                for start in stride(from: 0, to: sent.count, by: min(size, max(sent.count, 1))) {
                    peer.feed(Bytes(sent[start...].prefix(size)))
                }
                let answer = peer.output()
                if sent.isEmpty, answer.isEmpty { return }
                for start in stride(from: 0, to: answer.count, by: min(size, max(answer.count, 1)))
                {
                    try answer[start...].prefix(size).withUnsafeBytes {
                        bytes -> Result<Void, ClientError> in
                        Result { () throws(ClientError) in try session.feed(bytes) }
                    }.get()
                }
            }
        }
    }

    @Test(arguments: [1, 7, Int.max])
    func exchangesAreAnsweredHoweverBytesAreCut(_ size: Int) throws {
        let pair = Pair(HTTP2Peer())
        pair.session.submit(ClientRequest("GET", "/a"), 10)
        pair.session.submit(ClientRequest("PUT", "/b", body: Bytes("xyz".utf8)), 11)
        pair.session.submit(ClientRequest("PUT", "/c", body: []), 12)
        try pair.settle(pieces: size)
        #expect(
            Set(pair.receiver.story)
                == [
                    "10: 200", "10: \"GET /a \"", "11: 200", "11: \"PUT /b xyz\"", "12: 200",
                    "12: \"PUT /c \"",
                ])
        #expect(pair.session.exchangesOpen == 0)
    }

    @Test func bodiesLargerThanTheWindowsPass() throws {
        let pair = Pair(HTTP2Peer())
        let body = Bytes(repeating: 0x61, count: 3 << 20)
        pair.session.submit(ClientRequest("PUT", "/", body: body), 0)
        // nghttp2's server half opens its windows as it hands data on; the answer is as large.
        try pair.settle()
        #expect(pair.receiver.story.first == "0: 200")
        #expect(pair.receiver.story.last?.count == body.count + "0: \"PUT / \"".count)
    }

    @Test func requestsPastTheServersLimitWaitTheirTurn() throws {
        let pair = Pair(HTTP2Peer(streamsMax: 2))
        try pair.settle()
        for exchange in 0..<50 { pair.session.submit(ClientRequest("GET", "/"), exchange) }
        try pair.settle()
        #expect(pair.receiver.story.filter { $0.hasSuffix("200") }.count == 50)
        #expect(pair.session.exchangesOpen == 0)
    }

    @Test func aResetStreamFailsWithItsCode() throws {
        let pair = Pair(HTTP2Peer { $0 == 1 ? .reset(11) : .reset(7) })
        pair.session.submit(ClientRequest("GET", "/"), 0)
        pair.session.submit(ClientRequest("GET", "/"), 1)
        try pair.settle()
        #expect(
            pair.receiver.story == [
                "0: \(ClientError.streamReset(code: 11))",
                "1: \(ClientError.notProcessed(address: "h:1"))",
            ])
    }

    @Test func goAwayEndsNewRequestsAndFinishesCoveredOnes() throws {
        let pair = Pair(HTTP2Peer { _ in .goAwayAndEcho })
        pair.session.submit(ClientRequest("GET", "/"), 0)
        try pair.settle()
        #expect(pair.receiver.story == ["0: 200", "0: \"GET / \""])
        #expect(pair.session.isDraining)
        #expect(pair.session.isFinished)
    }

    @Test func goAwayReturnsTheRequestsThatItDoesNotCover() throws {
        let pair = Pair(HTTP2Peer { $0 == 1 ? .silence : .goAwayWithout })
        pair.session.submit(ClientRequest("GET", "/"), 0)
        pair.session.submit(ClientRequest("GET", "/"), 1)
        try pair.settle()
        #expect(pair.receiver.story == ["1: \(ClientError.notProcessed(address: "h:1"))"])
        pair.session.failAll(.closed(address: "h:1"))
        #expect(pair.receiver.story.last == "0: \(ClientError.closed(address: "h:1"))")
        #expect(pair.session.exchangesOpen == 0)
    }

    @Test func aCancelledExchangeEndsOnceAndResetsItsStream() throws {
        let pair = Pair(HTTP2Peer { _ in .silence })
        pair.session.submit(ClientRequest("GET", "/"), 0)
        try pair.settle()
        pair.session.cancel(0, .closed(address: "x"))
        try pair.settle()
        #expect(pair.receiver.story == ["0: \(ClientError.closed(address: "x"))"])
        #expect(pair.peer.resets == [8])
        #expect(pair.session.exchangesOpen == 0)
        pair.session.failAll(.closed(address: "y"))
        #expect(pair.receiver.story.count == 1)
    }

    @Test func requestsNeverSentAreNotProcessed() {
        let pair = Pair(HTTP2Peer())
        pair.session.submit(ClientRequest("GET", "/"), 0)
        pair.session.failAll(.closed(address: "h:1"))
        #expect(pair.receiver.story == ["0: \(ClientError.notProcessed(address: "h:1"))"])
    }

    @Test func whatIsNotHTTP2IsRefused() {
        let pair = Pair(HTTP2Peer())
        let text = Bytes("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)
        #expect(throws: ClientError.self) {
            try text.withUnsafeBytes { bytes -> Result<Void, ClientError> in
                Result { () throws(ClientError) in try pair.session.feed(bytes) }
            }.get()
        }
    }
}
