// The header fields of answers as they leave: each once, in both protocols, and there is room for
// all of them at once.
import API
import Base
import HTTP
import Regions
import Testing

@Suite struct AnswerFieldTests {
    /// With every field that there is.
    private static func everything() -> Response {
        var response = Response(status: 431, contentType: .openMetrics, body: [0x2E])
        response.requestID = Bytes(repeating: 0x69, count: 64)
        response.entityTag = Fingerprint(of: [])
        response.servedBy = ServedBy(store: StoreID(.max), role: .follower)
        response.isStorable = false
        response.isWholeOnly = true
        for name in ResponseHeaderName.allCases where !given.contains(name) {
            response.set(name, "value")
        }
        return response
    }

    /// By the properties.
    private static let given: [ResponseHeaderName] = [
        .acceptRanges, .cacheControl, .contentTypeOptions, .entityTag, .requestID, .servedBy,
    ]

    @Test func everyFieldLeavesOnceInHTTP1() throws {
        let harness = FrontHarness()
        let client = try harness.connect()
        try client.send("GET /hold HTTP/1.0\r\nHost: localhost\r\n\r\n")
        harness.front.respond(harness.core.held[0], Self.everything())
        harness.front.flush()
        let text = try client.takeText()
        for field in Self.everything().fields {
            let value = String(decoding: field.value, as: UTF8.self)
            let line = "\r\n\(field.name.rawValue): \(value)\r\n"
            #expect(text.components(separatedByText: line).count == 2, "\(line): \(text)")
        }
        let names = Set(Self.everything().fields.map(\.name))
        #expect(names == Set(ResponseHeaderName.allCases))
    }

    @Test func everyFieldLeavesOnceInHTTP2() throws {
        let client = try EmbeddedHTTP2Client()
        try client.send(Frames.headers(1, Frames.fields("GET", "/hold")))
        client.harness.front.respond(client.harness.core.held[0], Self.everything())
        client.harness.front.flush()
        let fields = try client.take().first { $0.kind == .headers }?.fields ?? []
        for field in Self.everything().fields {
            let values = fields.filter { $0.0 == field.name.rawValue }.map(\.1)
            #expect(values == [String(decoding: field.value, as: UTF8.self)])
        }
    }

    /// No resource is named by CONNECT, so Allow names no method; both protocols say so alike.
    @Test func allowOfATunnelIsEmpty() throws {
        let harness = FrontHarness()
        let client = try harness.connect()
        try client.send("CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        let text = try client.takeText()
        #expect(text.statuses == [405] && text.contains("\r\nallow: \r\n"), "\(text)")
        let second = try EmbeddedHTTP2Client()
        try second.send(
            Frames.headers(1, [(":method", "CONNECT"), (":authority", "localhost:80")]))
        let fields = try second.take().first { $0.kind == .headers }?.fields ?? []
        #expect(fields.contains { $0 == ("allow", "") })
    }

    /// A method that nobody knows is the core's to answer, which knows what a path takes.
    @Test func unknownMethodsReachTheCore() throws {
        let harness = FrontHarness()
        let client = try harness.connect()
        try client.send("BREW /a HTTP/1.1\r\nHost: localhost\r\n\r\n")
        let second = try EmbeddedHTTP2Client()
        try second.send(Frames.headers(1, Frames.fields("BREW", "/a")))
        let requests = harness.core.requests + second.harness.core.requests
        #expect(requests.map(\.method) == [.other, .other])
    }
}
