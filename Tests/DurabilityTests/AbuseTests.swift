// Clients that mean harm, over real sockets: the node answers an ordinary request afterwards and
// its memory is bounded. What each refusal looks like to the byte is tested beside the sessions, in
// HTTPTests; here it is the whole process that must hold.
import Base
import Foundation
import Testing

@Suite(.serialized) struct AbuseTests {
    /// What a debug build's allocator may keep after any of these.
    private static let growth = 24 << 20

    @Test func clientsThatReadNothing() throws {
        try withNode { node in
            let value = Ledger.value("large", size: 4 << 20)
            let wire = try node.connect()
            #expect(try wire.request("PUT", "/v1/raw/kv/large", value).isSuccess)
            // Compared here: a failed #expect would look for the difference of two 4 MiB arrays.
            let isWhole = try wire.request("GET", "/v1/raw/kv/large").body == value
            #expect(isWhole)
            let before = node.residentBytes
            let clients = try (0..<100).map { _ in try node.connect(receiveBuffer: 16 << 10) }
            for client in clients {
                client.send("GET /v1/raw/kv/large HTTP/1.1\r\nHost: localhost\r\n\r\n")
            }
            let answered = clients.count { $0.receiveFirstBytes() == "HTTP/1.1 200" }
            #expect(answered == 100)
            try node.answersAsEver("beside 100 clients that read nothing")
            let growth = node.residentBytes - before
            #expect(growth <= 100 * 300_000, "\(growth / 100) bytes for each")
            let queued = try node.sendQueues()
            #expect(queued.count >= 100 && queued.allSatisfy { $0 <= 250_000 }, "\(queued)")
            withExtendedLifetime(clients) {}
        }
    }

    @Test func idleConnections() throws {
        try withNode { node in
            // A test bundle with few descriptors has fewer; the count is in the message.
            let descriptors = try raiseDescriptors()
            let count = min(10_000, descriptors - 2_000)
            try #require(count >= 200, "\(descriptors) descriptors are too few for a test")
            let before = node.residentBytes
            var clients: [Wire] = []
            for _ in 0..<count {
                let client = try node.connect()
                // An answered request: from here on it is the idle time-out that counts.
                guard try client.request("GET", "/livez").status == 200 else { continue }
                clients.append(client)
            }
            #expect(clients.count == count)
            try node.answersAsEver("beside \(count) idle connections")
            let growth = node.residentBytes - before
            #expect(growth <= count * 30_000, "\(growth / count) bytes for each of \(count)")
            withExtendedLifetime(clients) {}
        }
    }

    @Test func headersByteByByte() throws {
        try withNode { node in
            let clients = try (0..<50).map { _ in try node.connect() }
            let head = Array("GET /livez HTTP/1.1\r\nHost: localhost\r\nX: ".utf8)
            var open = clients
            var sent = 0
            let isCutOff = poll(.seconds(30)) {
                let byte = sent < head.count ? head[sent] : UInt8(ascii: "x")
                sent += 1
                open.removeAll { !$0.send([byte]) || $0.receive(isWaiting: false) == .end }
                // A byte ten times a second: each is progress, the head as a whole is not.
                usleep(100_000)
                return open.isEmpty
            }
            #expect(isCutOff, "\(open.count) slow heads are still read")
            try node.answersAsEver("after slow headers")
        }
    }

    private static let smuggled = "GET /v1/raw/kv/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"

    /// Each would be two requests to one reader and one to another (RFC 9112 §11.2).
    static let ambiguous: [(String, String)] = [
        ("CL and TE", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("TE and CL", "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"),
        ("two lengths", "Content-Length: 0\r\nContent-Length: 9\r\n\r\n"),
        ("a list of lengths", "Content-Length: 0, 9\r\n\r\n"),
        ("a signed length", "Content-Length: +0\r\n\r\n"),
        ("chunked twice", "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
        ("chunked not last", "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
        ("space before the colon", "Content-Length : 0\r\n\r\n"),
        ("a folded header", "X: 1\r\n Content-Length: 0\r\n\r\n"),
        ("NUL in a header", "X: 1\0\r\nContent-Length: 0\r\n\r\n"),
        ("a bad chunk size", "Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n"),
        ("a bare LF", "X: 1\nContent-Length: 0\r\n\r\n"),
    ]

    @Test func smuggling() throws {
        try withNode { node in
            for (name, rest) in AbuseTests.ambiguous {
                let wire = try node.connect()
                wire.send("PUT /v1/raw/kv/a HTTP/1.1\r\nHost: localhost\r\n" + rest)
                wire.send(AbuseTests.smuggled)
                let bytes = try #require(wire.untilClosed(), "\(name): still open")
                let answers = String(decoding: bytes, as: UTF8.self)
                    .components(separatedBy: "HTTP/1.1 ").filter { $0.first?.isNumber == true }
                #expect(answers.count == 1, "\(name): \(answers)")
                let isRefused =
                    answers.first?.hasPrefix("4") == true
                    || answers.first?.hasPrefix("501") == true
                #expect(isRefused, "\(name): \(answers)")
            }
            try node.answersAsEver("after smuggling")
        }
    }

    @Test func moreThanTheLimits() throws {
        try withNode { node in
            let before = node.residentBytes
            func status(_ head: String) throws -> String {
                let wire = try node.connect()
                wire.send(head)
                let answer = try #require(wire.untilClosed(), "still open")
                return String(decoding: answer.dropFirst(9).prefix(3), as: UTF8.self)
            }
            let start = "PUT /v1/raw/kv/a HTTP/1.1\r\nHost: localhost\r\n"
            for _ in 0..<20 {
                let field = "X: " + String(repeating: "x", count: 64 << 10) + "\r\n\r\n"
                #expect(try status(start + field) == "431")
                let many = (0..<200).map { "X\($0): 1\r\n" }.joined()
                #expect(try status(start + many + "\r\n") == "431")
                let large = "Content-Length: \(1 << 40)\r\n\r\n"
                #expect(try status(start + large) == "413")
                let target = String(repeating: "a", count: 64 << 10)
                #expect(try status("GET /\(target) HTTP/1.1\r\nHost: localhost\r\n\r\n") == "414")
            }
            #expect(node.residentBytes - before <= AbuseTests.growth)
            try node.answersAsEver("after more than the limits")
        }
    }

    @Test(arguments: [3, UInt64.random(in: 0 ... .max)])
    func garbageFirst(seed: UInt64) throws {
        try withNode { node in
            var generator = SeededGenerator(seed: seed)
            let before = node.residentBytes
            for _ in 0..<200 {
                let wire = try node.connect()
                let count = Int.random(in: 1...2000, using: &generator)
                wire.send((0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) })
                wire.send("\r\n\r\n")
                // Whatever it says, it does not wait for more.
                _ = try #require(wire.untilClosed(), "seed \(seed): still open")
            }
            #expect(node.residentBytes - before <= AbuseTests.growth, "seed \(seed)")
            try node.answersAsEver("after garbage")
        }
    }
}
