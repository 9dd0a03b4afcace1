// HTTP/1.1 that the front refuses: each with its status, its code, and the end of the connection.
import API
import Base
import HTTP
import Testing

@Suite struct HTTP1RefusalTests {
    /// `{put}` and `{get}` stand for a request line and a Host, `{chunked}` for more.
    private static func expanded(_ text: String) -> String {
        var text = text
        for (name, meaning) in [
            ("{chunked}", "{put}Transfer-Encoding: chunked\r\n\r\n"),
            ("{put}", "PUT /a HTTP/1.1\r\nHost: localhost\r\n"),
            ("{get}", "GET /a HTTP/1.1\r\nHost: localhost\r\n"),
        ] {
            text = text.replacing(name, with: meaning)
        }
        return text
    }

    static let refused: [(String, Int, String)] = [
        // Framing that two servers could read differently (RFC 9112 §6.3).
        (
            "{put}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
            "malformed_request"
        ),
        (
            "{put}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400,
            "malformed_request"
        ),
        ("{put}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400, "malformed_request"),
        ("{put}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400, "malformed_request"),
        ("{put}Content-Length: 3, 3\r\n\r\nabc", 400, "malformed_request"),
        ("{put}Content-Length: +3\r\n\r\nabc", 400, "malformed_request"),
        ("{put}Content-Length: -3\r\n\r\nabc", 400, "malformed_request"),
        ("{put}Content-Length: 0x3\r\n\r\nabc", 400, "malformed_request"),
        ("{put}Content-Length:\r\n\r\nabc", 400, "malformed_request"),
        ("{put}Content-Length: 99999999999999999999\r\n\r\n", 400, "malformed_request"),
        ("{put}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400, "malformed_request"),
        ("{put}Transfer-Encoding: gzip\r\n\r\n", 400, "malformed_request"),
        ("{put}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400, "malformed_request"),
        (
            "{put}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
            "malformed_request"
        ),
        (
            "PUT /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
            "malformed_request"
        ),
        ("{chunked}x\r\n", 400, "malformed_request"),
        ("{chunked}-1\r\n", 400, "malformed_request"),
        ("{chunked}0x3\r\nabc\r\n", 400, "malformed_request"),
        ("{chunked}1\r\nabc\r\n", 400, "malformed_request"),
        ("{chunked}fffffffffffffffff\r\n", 400, "malformed_request"),
        ("{chunked}1;x\na\r\n0\r\n\r\n", 400, "malformed_request"),
        ("{chunked}1\na\r\n0\r\n\r\n", 400, "malformed_request"),
        ("{chunked}1 \r\na\r\n0\r\n\r\n", 400, "malformed_request"),
        ("{chunked}1\r\na\n0\r\n\r\n", 400, "malformed_request"),
        ("{chunked}1;a\r\r\na\r\n0\r\n\r\n", 400, "malformed_request"),
        ("{chunked}\r\n1\r\na\r\n0\r\n\r\n", 400, "malformed_request"),
        ("{chunked}0\r\nContent-Length: 9\r\n\r\n", 400, "malformed_request"),
        ("{chunked}1\r\na\r\n0\r\nA b\r\n\r\n", 400, "malformed_request"),
        ("{put}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400, "malformed_request"),
        ("{put}Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", 400, "malformed_request"),
        ("{put}Transfer-Encoding: identity\r\n\r\n", 400, "malformed_request"),
        ("{put}Transfer-Encoding:\r\n\r\n", 400, "malformed_request"),
        ("{put}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400, "malformed_request"),
        ("{put}Content-Length: 3 3\r\n\r\nabc", 400, "malformed_request"),
        ("{put}Transfer-Encoding: chunked\n\nA: b\r\n\r\n0\r\n\r\n", 400, "malformed_request"),
        ("{put}Transfer-Encoding:\u{B}chunked\r\n\r\n0\r\n\r\n", 400, "malformed_request"),
        // Fields.
        ("{get}A: b\r\n c\r\n\r\n", 400, "malformed_request"),
        ("{get} Transfer-Encoding: chunked\r\n\r\n", 400, "malformed_request"),
        ("{get}A: b\u{0}c\r\n\r\n", 400, "malformed_request"),
        ("{get}A: b\rc\r\n\r\n", 400, "malformed_request"),
        ("{get}A: b\u{7F}\r\n\r\n", 400, "malformed_request"),
        ("{get}A\u{0}: b\r\n\r\n", 400, "malformed_request"),
        ("{get}A: b\nC: d\r\n\r\n", 400, "malformed_request"),
        ("GET /a HTTP/1.1\nHost: localhost\n\n", 400, "malformed_request"),
        ("GET /a HTTP/1.1\r\n\tHost: localhost\r\n\r\n", 400, "malformed_request"),
        ("GET /a HTTP/1.1\r\nHost : localhost\r\n\r\n", 400, "malformed_request"),
        ("{get}A b: c\r\n\r\n", 400, "malformed_request"),
        ("{get}: c\r\n\r\n", 400, "malformed_request"),
        ("{get}nocolon\r\n\r\n", 400, "malformed_request"),
        // The authority.
        ("GET /a HTTP/1.1\r\n\r\n", 400, "malformed_request"),
        ("{get}Host: localhost\r\n\r\n", 400, "malformed_request"),
        ("GET /a HTTP/1.1\r\nHost:\r\n\r\n", 400, "malformed_request"),
        ("GET /a HTTP/1.1\r\nHost: a@localhost\r\n\r\n", 400, "malformed_request"),
        ("GET /a HTTP/1.1\r\nHost: localhost:8x\r\n\r\n", 400, "malformed_request"),
        ("GET /a HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421, "host_forbidden"),
        ("GET /a HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n", 421, "host_forbidden"),
        ("GET /a HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\n\r\n", 421, "host_forbidden"),
        ("GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 421, "host_forbidden"),
        (
            "{get}Origin: http://evil.example\r\n\r\n", 403,
            "origin_forbidden"
        ),
        ("{get}Origin: null\r\n\r\n", 403, "origin_forbidden"),
        (
            "{get}Origin: http://localhost:99\r\n\r\n", 403,
            "origin_forbidden"
        ),
        (
            "{get}Sec-Fetch-Site: cross-site\r\n\r\n", 403,
            "origin_forbidden"
        ),
        (
            "{get}Origin: http://evil.example\r\nOrigin: http://localhost\r\n\r\n", 400,
            "malformed_request"
        ),
        (
            "{get}Sec-Fetch-Site: cross-site\r\nSec-Fetch-Site: none\r\n\r\n", 400,
            "malformed_request"
        ),
        // The request line.
        ("GET /a HTTP/2.0\r\nHost: localhost\r\n\r\n", 505, "http_version_not_supported"),
        ("GET /a HTTP/1.2\r\nHost: localhost\r\n\r\n", 505, "http_version_not_supported"),
        ("GET /a HTTP/0.9\r\nHost: localhost\r\n\r\n", 505, "http_version_not_supported"),
        ("GET /a\r\n\r\n", 505, "http_version_not_supported"),
        ("GET /a HTTP/1.1 \r\nHost: localhost\r\n\r\n", 505, "http_version_not_supported"),
        ("GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "malformed_request"),
        ("GET /a\tHTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "malformed_request"),
        ("GET /a http/1.1\r\nHost: localhost\r\n\r\n", 400, "malformed_request"),
        ("GET /a HTTP/1.10\r\nHost: localhost\r\n\r\n", 505, "http_version_not_supported"),
        ("GET a HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "malformed_request"),
        ("GET * HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "malformed_request"),
        ("GET /a#b HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "malformed_request"),
        ("GET /\u{FF} HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "malformed_request"),
        ("CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, "method_not_allowed"),
        ("get /a HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "malformed_request"),
        ("\u{1}\u{2}\u{3}", 400, "malformed_request"),
        ("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", 505, "http_version_not_supported"),
        (
            "GET /" + String(repeating: "a", count: 16 << 10)
                + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 414, "target_too_long"
        ),
        (
            "GET /" + String(repeating: "a", count: 99_000)
                + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 414, "target_too_long"
        ),
        // Limits.
        (
            "{get}A: " + String(repeating: "b", count: 33_000)
                + "\r\n\r\n", 431, "headers_too_large"
        ),
        (
            "{get}" + String(repeating: "A: b\r\n", count: 100)
                + "\r\n", 431, "headers_too_large"
        ),
        (
            "{get}" + String(repeating: "A: b\r\n", count: 10_000) + "\r\n", 431,
            "headers_too_large"
        ),
        (
            "{chunked}0\r\n" + String(repeating: "A: b\r\n", count: 10_000) + "\r\n", 431,
            "headers_too_large"
        ),
        (
            "{chunked}0\r\nA: " + String(repeating: "b", count: 99_000) + "\r\n\r\n", 431,
            "headers_too_large"
        ),
        (
            "{put}Content-Length: 16777217\r\n\r\n", 413,
            "request_too_large"
        ),
        ("{put}Expect: 100-continue\r\nContent-Length: 16777217\r\n\r\n", 413, "request_too_large"),
        (
            "{put}Expect: more\r\nContent-Length: 1\r\n\r\nx", 417,
            "expectation_failed"
        ),
        (
            "{put}Expect: more\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx", 417,
            "expectation_failed"
        ),
        (
            "{put}Expect: 100-continue, more\r\nContent-Length: 1\r\n\r\nx", 417,
            "expectation_failed"
        ),
    ]

    @Test(arguments: refused)
    func isRefused(request: String, status: Int, code: String) throws {
        let request = Self.expanded(request)
        let follows = request + "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
        for bytes in [Bytes(request.utf8), Bytes(follows.utf8)] {
            let harness = FrontHarness()
            let client = try harness.connect()
            // A `\u{FF}` stands for that byte.
            try client.send(bytes.filter { $0 != 0xC3 }.map { $0 == 0xBF ? 0xFF : $0 })
            let answer = try client.takeText()
            #expect(answer.statuses == [status], "\(answer)")
            #expect(answer.contains("application/problem+json"))
            #expect(answer.contains("\"code\":\"\(code)\""), "\(answer)")
            #expect(answer.contains("\r\nconnection: close\r\n"))
            #expect(client.isClosed)
            #expect(harness.core.requests.isEmpty)
            #expect(harness.front.counters.requestsRefused == 1)
        }
    }
}
