// The client's half of HTTP/1.1 on bytes alone: an answer is read the same however it is cut, and
// what is not an answer is refused with a reason.
import Base
import HTTP
import NIOCore
import Testing

/// What a receiver was told, as text, one line for each call; adjoining pieces of a body are
/// joined.
final class RecordingReceiver: ClientReceiver {
    let wantsHeaders = true
    var story: [String] = []
    private(set) var bodies: [Int: Bytes] = [:]

    func connected(_ connection: ClientConnection) { story.append("connected") }
    func received(status: Int, _ exchange: Int) { story.append("\(exchange): \(status)") }
    func received(
        header name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, _ exchange: Int
    ) {
        let name = String(decoding: name, as: UTF8.self)
        story.append("\(exchange): \(name)=\(String(decoding: value, as: UTF8.self))")
    }
    func received(body: UnsafeRawBufferPointer, _ exchange: Int) {
        bodies[exchange, default: []].append(contentsOf: body)
    }
    func completed(_ exchange: Int) {
        story.append("\(exchange): \"\(String(decoding: bodies[exchange] ?? [], as: UTF8.self))\"")
    }
    func failed(_ exchange: Int, _ error: ClientError) { story.append("\(exchange): \(error)") }
    func disconnected(_ connection: ClientConnection, _ error: ClientError?) {
        story.append("disconnected")
    }
}

struct HTTP1ClientSessionTests {
    private func session(
        _ receiver: RecordingReceiver, _ methods: [String]
    ) -> HTTP1ClientSession {
        let session = HTTP1ClientSession(authority: "h:1", receiver: receiver)
        var out = ByteBuffer()
        for (index, method) in methods.enumerated() {
            session.submit(ClientRequest(method, "/"), index, into: &out)
        }
        return session
    }

    private func story(_ methods: [String], _ pieces: [Bytes]) throws -> [String] {
        let receiver = RecordingReceiver()
        let session = session(receiver, methods)
        for piece in pieces { try feed(session, piece) }
        session.endOfInput()
        return receiver.story
    }

    private func feed(_ session: HTTP1ClientSession, _ bytes: Bytes) throws(ClientError) {
        try bytes.withUnsafeBytes { bytes -> Result<Void, ClientError> in
            Result { () throws(ClientError) in try session.feed(bytes) }
        }.get()
    }

    @Test func requestsHaveTheirBytes() {
        let receiver = RecordingReceiver()
        let session = HTTP1ClientSession(authority: "h:1", receiver: receiver)
        var out = ByteBuffer()
        session.submit(ClientRequest("GET", "/a%2Fb?x=1"), 0, into: &out)
        session.submit(
            ClientRequest("PUT", "/k", headers: [ClientHeader("if-match", "*")], body: [0x68]),
            1, into: &out)
        session.submit(ClientRequest("PUT", "/k", body: []), 2, into: &out)
        #expect(
            String(buffer: out) == """
                GET /a%2Fb?x=1 HTTP/1.1\r\nhost: h:1\r\nuser-agent: martlet\r\n\r\n\
                PUT /k HTTP/1.1\r\nhost: h:1\r\nuser-agent: martlet\r\nif-match: *\r\n\
                content-length: 1\r\n\r\nh\
                PUT /k HTTP/1.1\r\nhost: h:1\r\nuser-agent: martlet\r\n\
                content-length: 0\r\n\r\n
                """)
    }

    static let answers: [(methods: [String], text: String, story: [String])] = [
        (
            ["GET"], "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA:  b \r\n\r\nhello",
            ["0: 200", "0: Content-Length=5", "0: A=b", "0: \"hello\""]
        ),
        (
            ["GET", "GET"],
            "HTTP/1.1 404 \r\ncontent-length: 0\r\n\r\n"
                + "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx",
            [
                "0: 404", "0: content-length=0", "0: \"\"", "1: 200", "1: content-length=1",
                "1: \"x\"",
            ]
        ),
        (
            ["GET"],
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "5\r\nhello\r\nB;x=y\r\n, my world!\r\n0\r\ntrailer: 1\r\n\r\n",
            ["0: 200", "0: Transfer-Encoding=chunked", "0: \"hello, my world!\""]
        ),
        (
            ["HEAD", "GET"],
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
            ["0: 200", "0: content-length=9", "0: \"\"", "1: 204", "1: \"\""]
        ),
        (
            ["PUT"],
            "HTTP/1.1 100 Continue\r\nx: y\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n1",
            ["0: 200", "0: content-length=1", "0: \"1\""]
        ),
        (["GET"], "HTTP/1.0 200 OK\r\n\r\nuntil the end", ["0: 200", "0: \"until the end\""]),
    ]

    @Test(arguments: answers.indices)
    func answersAreReadTheSameHoweverTheyAreCut(_ index: Int) throws {
        let (methods, text, expected) = Self.answers[index]
        let bytes = Bytes(text.utf8)
        #expect(try story(methods, [bytes]) == expected)
        #expect(try story(methods, bytes.map { [$0] }) == expected)
        for cut in 1..<bytes.count {
            let pieces = [Bytes(bytes[..<cut]), Bytes(bytes[cut...])]
            #expect(try story(methods, pieces) == expected, "cut at \(cut)")
        }
    }

    @Test(arguments: [
        ("SSH-2.0-OpenSSH\r\n\r\n", "it starts with \"SSH-2.0-OpenSSH\""),
        ("HTTP/1.1 2x0 OK\r\n\r\n", "a status that is no number"),
        ("HTTP/1.1 101 Switching\r\n\r\n", "status 101"),
        ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "a header line without a name"),
        ("HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", "a content-length that is no number"),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
            "a content-length that is no number"
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
            "a transfer coding other than chunked"
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
            "a chunk size that is no number"
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc\r\n",
            "a chunk that is longer than its size"
        ),
        ("HTTP/1.1 204 No\r\n\r\nmore", "4 bytes that nothing asked for"),
    ])
    func whatIsNoAnswerIsRefused(_ text: String, _ reason: String) {
        #expect(throws: ClientError.malformedResponse(reason: reason)) {
            _ = try story(["GET"], [Bytes(text.utf8)])
        }
    }

    @Test func aHeadWithoutEndIsRefused() {
        let endless = Bytes("HTTP/1.1 200 OK\r\nx: ".utf8) + Bytes(repeating: 0x61, count: 100_000)
        #expect(throws: ClientError.self) { _ = try story(["GET"], [endless]) }
    }

    @Test func closeAndHTTP10AreNotReused() throws {
        for head in ["HTTP/1.1 200 OK\r\nConnection: close\r\n", "HTTP/1.0 200 OK\r\n"] {
            let session = session(RecordingReceiver(), ["GET"])
            #expect(session.isReusable)
            try feed(session, Bytes("\(head)content-length: 0\r\n\r\n".utf8))
            #expect(!session.isReusable)
        }
    }
}

struct OriginTests {
    @Test(arguments: [
        ("http://127.0.0.1:7171", "http://127.0.0.1:7171", "/"),
        ("HTTPS://db1/a/../b?x=%20#", nil, nil),
        ("HTTPS://db1/a/../b?x=%20", "https://db1:7171", "/a/../b?x=%20"),
        ("db1:80/x", "http://db1:80", "/x"),
        ("http://[::1]:9/", "http://[::1]:9", "/"),
        ("http://[::1]", "http://[::1]:7171", "/"),
        ("http://h?q", "http://h:7171", "/?q"),
        ("http://::1", nil, nil), ("http://h:0", nil, nil), ("http://h:x", nil, nil),
        ("http://", nil, nil), ("ftp://h", nil, nil), ("http://u@h", nil, nil),
        ("http://h/a b", nil, nil), ("http://[::1", nil, nil), ("", nil, nil),
    ])
    func urlsAreReadOrRefused(_ url: String, _ origin: String?, _ target: String?) {
        let parsed = try? Origin.parse(url)
        #expect(parsed?.origin.description == origin)
        #expect(parsed.map { String(decoding: $0.target, as: UTF8.self) } == target)
    }
}
