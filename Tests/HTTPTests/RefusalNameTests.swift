// What the front answers by itself carries a request id like any answer, in the field, in the
// problem and in the log; and a flood of refusals is no flood of log lines.
import API
import Base
import HTTP
import Logging
import Synchronization
import Testing

@Suite struct RefusalNameTests {
    /// Lines as they were logged: the level, the message and the metadata.
    private final class Lines: Sendable {
        struct Line: Sendable {
            var level: Logger.Level
            var message: String
            var metadata: [String: String]
        }

        private let written = Mutex<[Line]>([])

        func append(_ line: Line) { written.withLock { $0.append(line) } }

        var all: [Line] { written.withLock { $0 } }

        func logger() -> Logger {
            Logger(label: "test") { _ in Handler(lines: self) }
        }
    }

    private struct Handler: LogHandler {
        let lines: Lines
        var logLevel = Logger.Level.info
        var metadata: Logger.Metadata = [:]

        init(lines: Lines) { self.lines = lines }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            lines.append(
                Lines.Line(
                    level: event.level, message: "\(event.message)",
                    metadata: (event.metadata ?? [:]).mapValues { "\($0)" }))
        }
    }

    /// Head, body and log say the same; returns the id.
    private static func id(_ text: String, _ lines: Lines) throws -> String {
        let field = "\r\nmartlet-request-id: "
        let parts = text.components(separatedByText: field)
        try #require(parts.count == 2, "\(text)")
        let id = parts[1].components(separatedByText: "\r\n")[0]
        #expect(text.contains("\"request_id\":\"\(id)\""), "\(text)")
        #expect(lines.all.last?.metadata["request_id"] == id)
        return id
    }

    @Test(arguments: [
        "\u{1}\u{2}\u{3}",
        "GET /a HTTP/1.1\r\nHost : localhost\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "PUT /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 16777217\r\n\r\n",
        "PUT /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
    ])
    func isNamedInHTTP1(request: String) throws {
        let lines = Lines()
        let harness = FrontHarness(logger: lines.logger())
        var ids: Set<String> = []
        for _ in 0..<2 {
            let client = try harness.connect()
            try client.send(request)
            ids.insert(try Self.id(try client.takeText(), lines))
        }
        #expect(ids.count == 2)
        #expect(lines.all.count == 2)
        for line in lines.all {
            #expect(line.level == .info)
            #expect(line.metadata["code"] != nil && line.metadata["status"] != nil)
            #expect(line.metadata["detail"] != nil)
        }
    }

    @Test func isNamedAsTheClientDid() throws {
        let lines = Lines()
        let harness = FrontHarness(logger: lines.logger())
        let client = try harness.connect()
        try client.send(
            "GET /a HTTP/1.1\r\nMartlet-Request-Id: mine\r\nHost: evil.example\r\n\r\n")
        #expect(try Self.id(try client.takeText(), lines) == "mine")
    }

    @Test func isNamedInHTTP2() throws {
        let lines = Lines()
        let client = try EmbeddedHTTP2Client(FrontHarness(logger: lines.logger()))
        let named = [("martlet-request-id", "mine")]
        for (stream, fields) in [(Int32(1), []), (3, named)] {
            try client.send(
                Frames.headers(stream, Frames.fields(authority: "evil.example", fields)))
            let frames = try client.take()
            let fields = frames.first { $0.kind == .headers }?.fields ?? []
            let id = try #require(fields.first { $0.name == "martlet-request-id" }?.value)
            #expect((id == "mine") == (stream == 3))
            let body = EmbeddedHTTP2Client.body(frames, stream)
            #expect(body.contains("\"request_id\":\"\(id)\""), "\(body)")
            #expect(lines.all.last?.metadata["request_id"] == id)
        }
    }

    /// The core has named the answer that there was no room for.
    @Test func whatIsShedKeepsItsName() throws {
        let lines = Lines()
        let harness = FrontHarness(FrontSettings(connections: 1000), logger: lines.logger())
        var clients: [EmbeddedClient] = []
        while harness.front.counters.answersShed == 0 {
            let client = try harness.connect()
            client.setWritable(false)
            try client.send("GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n")
            var answer = Response(
                status: 200, contentType: .bytes, body: Bytes(repeating: 1, count: 4 << 20))
            answer.requestID = Bytes("held-\(clients.count)".utf8)
            let exchange = try #require(harness.core.held.last)
            harness.front.respond(exchange, answer)
            clients.append(client)
            try #require(clients.count < 500, "answers are never too many")
        }
        let last = try #require(clients.last)
        last.setWritable(true)
        #expect(try Self.id(try last.takeText(), lines) == "held-\(clients.count - 1)")
        #expect(lines.all.last?.level == .notice)
    }

    @Test func aFloodOfRefusalsIsNoFloodOfLines() throws {
        let lines = Lines()
        let harness = FrontHarness(logger: lines.logger())
        for _ in 0..<200 {
            let client = try harness.connect()
            try client.send("x")
            try client.vanish()
        }
        #expect(lines.all.count == Limits.refusalLinesPerSecond)
        harness.pass(seconds: 1)
        #expect(lines.all.count == Limits.refusalLinesPerSecond + 1)
        #expect(lines.all.last?.metadata["count"] == "\(200 - Limits.refusalLinesPerSecond)")
    }
}
