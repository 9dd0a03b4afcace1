// What is kept of request heads: counted while it is there, gone when it is not needed; and the
// clock of a head that the server itself keeps waiting.
import API
import Base
import HTTP
import Testing

@Suite struct HeldHeadTests {
    private static let field = "A: " + String(repeating: "x", count: 30_000)

    /// The request goes on as a stream of HTTP/2; what it held as one of HTTP/1.1 is given back.
    @Test func anUpgradeKeepsNothingOfItsHead() throws {
        let harness = FrontHarness()
        for method in ["GET", "PUT"] {
            let client = try harness.connect()
            let ask = String(decoding: UpgradeTests.ask(method, "/a"), as: UTF8.self)
            try client.send(ask.dropLast() + Self.field + "\r\n\r\n")
            #expect(try client.takeBytes().starts(with: UpgradeTests.switching))
            #expect(harness.front.counters.requestBytesHeld == 0)
        }
    }

    @Test func thePartThatIsThereCounts() throws {
        let harness = FrontHarness()
        let client = try harness.connect()
        try client.send("GET /a HTTP/1.1\r\nHost: localhost\r\n" + Self.field)
        #expect(harness.front.counters.requestBytesHeld > 30_000)
        try client.send("\r\n\r\n")
        #expect(try client.takeText().statuses == [200])
        #expect(harness.front.counters.requestBytesHeld == 0)
        for end in 0..<3 {
            let client = try harness.connect()
            try client.send("GET /" + String(repeating: "a", count: 5_000))
            #expect(harness.front.counters.requestBytesHeld > 5_000)
            switch end {
            case 0: try client.vanish()
            case 1: client.endInput()
            default: harness.pass(seconds: 11)
            }
            #expect(harness.front.counters.requestBytesHeld == 0, "\(end)")
        }
    }

    /// As bodies are: one more is refused when too much is there already.
    @Test func tooManyPartsAreRefused() throws {
        let harness = FrontHarness(FrontSettings(connections: 100_000))
        let part = "GET /a HTTP/1.1\r\nHost: localhost\r\n" + Self.field + "\r\n" + Self.field
        let limit = Limits.requestBytes + Limits.requestBytes / 4
        var clients: [EmbeddedClient] = []
        var answer = ""
        while answer.isEmpty, clients.count * part.utf8.count < 2 * limit {
            let client = try harness.connect()
            try client.send(part)
            answer = try client.takeText()
            clients.append(client)
        }
        #expect(answer.statuses == [429])
        #expect(harness.front.counters.requestBytesHeld <= limit)
        for client in clients { try client.vanish() }
        #expect(harness.front.counters.requestBytesHeld == 0)
    }

    /// History: (1) a client is slow to read a large answer, (2) half of its next head is there,
    /// (3) the server reads nothing before its answer is out, (4) ten seconds pass.
    @Test func aHeadThatTheServerDoesNotReadIsNotSlow() throws {
        let harness = FrontHarness()
        let client = try harness.connect()
        client.setWritable(false)
        try client.send("GET /big HTTP/1.1\r\nHost: localhost\r\n\r\nGET /a HTTP/1.1\r\nHo")
        harness.pass(seconds: 12)
        client.setWritable(true)
        try client.send("st: localhost\r\n\r\n")
        #expect(try client.takeText().statuses == [200, 200])
    }

    @Test func aFirstLineWithoutASpaceIsNoTarget() throws {
        let harness = FrontHarness()
        for (line, status) in [("A", 400), ("GET /", 414)] {
            let client = try harness.connect()
            try client.send(line + String(repeating: "A", count: 200_000))
            #expect(try client.takeText().statuses == [status])
        }
    }

    /// A client may end its own part of the connection while the answer is still on its way, at
    /// whatever point of it.
    @Test func anAnswerIsWholeForWhoHasNothingMoreToSay() throws {
        let front = try LiveFront()
        let size = 4 << 20
        for left in stride(from: 20 << 10, to: 1 << 20, by: 60 << 10) {
            let socket = try RawSocket(port: front.port)
            socket.send(Bytes("GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8))
            var count = 0
            while count < size - left, let bytes = socket.receive() { count += bytes.count }
            socket.endOutput()
            while let bytes = socket.receive() { count += bytes.count }
            #expect(count > size, "ended with \(left) bytes to come: \(size - count) are missing")
        }
        try front.drain()
    }
}
