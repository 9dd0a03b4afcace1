// gzip on the front, in both protocols: which answers have it, which requests may, what is refused
// and that every byte of a body that was counted is let go.
import API
import Base
import CZlib
import HTTP
import NIOCore
import Testing

@Suite struct CodingTests {
    private static let json = Bytes(
        ("[" + String(repeating: "\"abcdefgh\",", count: 200) + "0]").utf8)

    private static func answer(_ type: ContentType = .json) -> Response {
        Response(status: 200, contentType: type, body: json)
    }

    private static func decode(_ bytes: Bytes) -> Bytes? {
        let decoder = GzipDecoder()
        var out = Bytes()
        let outcome = bytes.withUnsafeBytes { input in
            decoder.feed(input) { piece in
                out.append(contentsOf: piece)
                return true
            }
        }
        return outcome == .taken && decoder.isDone ? out : nil
    }

    private static func gzip(_ bytes: Bytes) -> Bytes {
        GzipEncoder(inputMax: bytes.count).encode(bytes)
    }

    /// Header section and body of one HTTP/1.1 answer.
    private func exchange(
        _ head: String, _ response: Response
    ) throws -> (fields: [String], body: Bytes) {
        let harness = FrontHarness()
        let client = try harness.connect()
        try client.send("\(head)Host: localhost\r\n\r\n")
        harness.front.respond(harness.core.held[0], response)
        harness.front.flush()
        let bytes = try client.takeBytes()
        #expect(harness.front.counters.responseBytesHeld == 0)
        let end = bytes.indices.first { bytes[$0...].starts(with: Bytes("\r\n\r\n".utf8)) }
        let split = try #require(end)
        let lines = String(decoding: bytes[..<split], as: UTF8.self)
            .components(separatedByText: "\r\n")
        return (lines.filter { !$0.hasPrefix("date") }, Bytes(bytes[(split + 4)...]))
    }

    @Test func answersAreCodedIfAskedFor() throws {
        let coded = try exchange("GET /hold HTTP/1.1\r\nAccept-Encoding: gzip\r\n", Self.answer())
        #expect(Self.decode(coded.body) == Self.json)
        #expect(coded.fields.contains("content-encoding: gzip"))
        #expect(coded.fields.contains("content-length: \(coded.body.count)"))
        #expect(coded.fields.contains("vary: accept-encoding"))
        let head = try exchange("HEAD /hold HTTP/1.1\r\nAccept-Encoding: gzip\r\n", Self.answer())
        #expect(head.fields == coded.fields && head.body.isEmpty)
        for field in ["", "Accept-Encoding: gzip;q=0\r\n", "Accept-Encoding: br\r\n"] {
            let plain = try exchange("GET /hold HTTP/1.1\r\n\(field)", Self.answer())
            #expect(plain.body == Self.json)
            #expect(plain.fields.contains("vary: accept-encoding"))
            #expect(!plain.fields.contains { $0.hasPrefix("content-encoding") })
        }
    }

    @Test func valuesAndTagsStayAsTheyAre() throws {
        var tagged = Self.answer()
        tagged.entityTag = Fingerprint(of: Self.json)
        for answer in [Self.answer(.bytes), tagged] {
            let sent = try exchange("GET /hold HTTP/1.1\r\nAccept-Encoding: gzip\r\n", answer)
            #expect(sent.body == Self.json)
            #expect(!sent.fields.contains { $0.hasPrefix("vary") || $0.contains("gzip") })
        }
    }

    @Test func whatDoesNotShrinkIsSentAsItIs() throws {
        var generator = SeededGenerator(seed: 5)
        let noise = (0..<2_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let response = Response(status: 200, contentType: .json, body: noise)
        let sent = try exchange("GET /hold HTTP/1.1\r\nAccept-Encoding: gzip\r\n", response)
        #expect(sent.body == noise && sent.fields.contains("vary: accept-encoding"))
        #expect(!sent.fields.contains { $0.hasPrefix("content-encoding") })
    }

    @Test func answersAreCodedInHTTP2() throws {
        for method in ["GET", "HEAD"] {
            let client = try EmbeddedHTTP2Client()
            let fields = Frames.fields(
                method, "/hold", authority: "localhost", [("accept-encoding", "br, gzip")])
            try client.send(Frames.headers(1, fields))
            client.harness.front.respond(client.harness.core.held[0], Self.answer())
            client.harness.front.flush()
            let frames = try client.take()
            let sent = try #require(frames.first { $0.kind == .headers }).fields
            let body = frames.filter { $0.kind == .data }.flatMap(\.payload)
            let expected = Self.gzip(Self.json)
            #expect(body == (method == "GET" ? expected : []))
            #expect(sent.contains { $0 == ("content-encoding", "gzip") })
            #expect(sent.contains { $0 == ("content-length", "\(expected.count)") })
            #expect(sent.contains { $0 == ("vary", "accept-encoding") })
            #expect(client.harness.front.counters.responseBytesHeld == 0)
        }
    }

    // MARK: Requests

    private struct Sent {
        var statuses: [String]
        var text: String
        var core: [Request]
        var held: Int
    }

    /// One request in gzip, and a plain one after it on the same connection. The body comes in
    /// pieces as from a socket.
    private func send(
        _ body: Bytes, _ method: String = "POST", _ path: String = "/v1/raw/batch",
        coding: String = "gzip", http2: Bool, chunked: Bool = false
    ) throws -> Sent {
        let pieces = stride(from: 0, to: max(1, body.count), by: 16_384).map {
            Bytes(body[$0..<min($0 + 16_384, body.count)])
        }
        if http2 {
            let client = try EmbeddedHTTP2Client()
            let fields = Frames.fields(method, path, [("content-encoding", coding)])
            try client.send(Frames.headers(1, fields, end: false))
            for (index, piece) in pieces.enumerated() {
                try client.send(Frames.data(1, piece, end: index == pieces.count - 1))
            }
            try client.send(Frames.get(3))
            let frames = try client.take()
            return Sent(
                statuses: EmbeddedHTTP2Client.statuses(frames),
                text: EmbeddedHTTP2Client.body(frames, 1), core: client.harness.core.requests,
                held: client.harness.front.counters.requestBytesHeld)
        }
        let harness = FrontHarness()
        let client = try harness.connect()
        let framing = chunked ? "Transfer-Encoding: chunked" : "Content-Length: \(body.count)"
        try client.send(
            "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: \(coding)\r\n"
                + "\(framing)\r\n\r\n")
        for piece in pieces where !piece.isEmpty {
            let head = chunked ? Bytes("\(String(piece.count, radix: 16))\r\n".utf8) : []
            try client.send(head + piece + Bytes((chunked ? "\r\n" : "").utf8))
        }
        let end = chunked ? "0\r\n\r\n" : ""
        try client.send(end + "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n")
        let text = try client.takeText()
        return Sent(
            statuses: text.statuses.map(String.init), text: text, core: harness.core.requests,
            held: harness.front.counters.requestBytesHeld)
    }

    @Test(arguments: [false, true])
    func gzipIsUndone(http2: Bool) throws {
        for coding in ["gzip", "X-Gzip", "identity, gzip"] {
            for (method, path) in [("POST", "/v1/raw/batch"), ("PUT", "/v1/raw/entry")] {
                for chunked in [false, true] {
                    let sent = try send(
                        Self.gzip(Self.json), method, path, coding: coding, http2: http2,
                        chunked: chunked)
                    #expect(sent.statuses == ["200", "200"])
                    #expect(sent.core.first?.body == Self.json)
                    #expect(sent.core.first?.headers[.contentEncoding] == nil)
                    #expect(sent.held == 0)
                }
            }
        }
    }

    /// What the front does not undo reaches the core as it was sent; of two codings, none is.
    @Test(arguments: [false, true])
    func whatIsNotUndoneStaysAsItIs(http2: Bool) throws {
        let once = Self.gzip(Self.json)
        for (method, path, coding) in [
            ("PUT", "/v1/raw/kv/a", "gzip"), ("POST", "/v1/raw/batch", "br"),
            ("POST", "/v1/raw/batch", "gzip, gzip"),
        ] {
            let sent = try send(once, method, path, coding: coding, http2: http2)
            #expect(sent.core.first?.body == once)
            #expect(sent.core.first?.headers[.contentEncoding] == Bytes(coding.utf8))
        }
        // One coding is named and one is undone, whatever is in it.
        let twice = try send(Self.gzip(once), http2: http2)
        #expect(twice.core.first?.body == once)
    }

    /// Where the request ends was in no doubt if all of it is there: the connection goes on.
    /// Refused before, it ends in HTTP/1.1.
    @Test(arguments: [false, true])
    func whatIsNoGzipIsRefused(http2: Bool) throws {
        let whole = Self.gzip(Self.json)
        var miscounted = whole
        miscounted[whole.count - 5] ^= 1  // of the CRC
        var mismeasured = whole
        mismeasured[whole.count - 1] ^= 1
        let table: [(Bytes, String, whole: Bool)] = [
            (Self.json, "is not in gzip", false), (miscounted, "is not in gzip", false),
            (mismeasured, "is not in gzip", false), (whole + whole, "goes on after", false),
            (whole + [0], "goes on after", false), (Bytes(whole.dropLast()), "ends before", true),
            ([], "ends before", true), ([0x1F], "ends before", true),
        ]
        for (body, words, isWhole) in table {
            for chunked in [false, true] where !chunked || !http2 && !body.isEmpty {
                let sent = try send(body, http2: http2, chunked: chunked)
                let goesOn = http2 || isWhole
                #expect(sent.statuses == (goesOn ? ["400", "200"] : ["400"]), "\(words)")
                #expect(sent.text.contains("malformed_request") && sent.text.contains(words))
                #expect(sent.core.map(\.method) == (goesOn ? [.get] : []) && sent.held == 0)
            }
        }
    }

    @Test(arguments: [false, true])
    func aBombIsRefused(http2: Bool) throws {
        // Some forty times smaller.
        var generator = SeededGenerator(seed: 3)
        var text = Bytes(repeating: 0x20, count: Limits.bodyBytes)
        for _ in 0..<text.count / 96 { text[Int(generator.next() % UInt64(text.count))] = 0x31 }
        let fits = Self.gzip(text)
        #expect(fits.count > Limits.bodyBytes / Limits.gunzipGrowth && fits.count < 1 << 20)
        let sent = try send(fits, http2: http2)
        #expect(sent.core.first?.body?.count == Limits.bodyBytes && sent.held == 0)
        let always = Self.gzip(Bytes(repeating: 0x20, count: Limits.gunzipBytesAlways))
        #expect(try send(always, http2: http2).core.first?.body?.count == 1 << 20)
        let dense = Self.gzip(Bytes(repeating: 0x20, count: Limits.gunzipBytesAlways + 1))
        let over = Self.gzip(text + [0x20])
        for bomb in [dense, over, Self.gibibyteOfZeros()] {
            for chunked in [false, true] where !chunked || !http2 {
                let refused = try send(bomb, http2: http2, chunked: chunked)
                #expect(refused.statuses == (http2 ? ["413", "200"] : ["413"]))
                #expect(refused.text.contains("request_too_large"))
                #expect(refused.core.map(\.method) == (http2 ? [.get] : []))
                #expect(refused.held == 0)
            }
        }
    }

    /// Of empty stored blocks nothing comes out, however many there are: what is sent counts too.
    @Test(arguments: [false, true])
    func whatPutsNothingOutIsBoundedToo(http2: Bool) throws {
        let empty: Bytes = [0x00, 0x00, 0x00, 0xFF, 0xFF]
        var body = Self.header
        for _ in 0...Limits.bodyBytes / empty.count { body += empty }
        let refused = try send(body, http2: http2, chunked: true)
        #expect(refused.statuses.first == "413" && refused.held == 0)
    }

    /// What has come out is what is in memory, and counts until the answer; while the body
    /// arrives, so does the state.
    @Test func decodedBytesAreCounted() throws {
        let harness = FrontHarness()
        let client = try harness.connect()
        let body = Self.gzip(Self.json)
        let head =
            "POST /hold HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\n"
            + "Content-Length: \(body.count)\r\n\r\n"
        try client.send(Bytes(head.utf8) + body.dropLast())
        let (all, state) = (Self.json.count, GzipDecoder.stateBytes)
        #expect(harness.front.counters.requestBytesHeld == all + state)
        try client.send(Bytes(body.suffix(1)))
        #expect(harness.front.counters.requestBytesHeld == all)
        harness.core.release([0])
        #expect(harness.front.counters.requestBytesHeld == 0)
        // A connection that goes away in the middle, and one that falls silent.
        try client.send(Bytes(head.utf8) + body.dropLast())
        #expect(harness.front.counters.requestBytesHeld == all + state)
        try client.vanish()
        #expect(harness.front.counters.requestBytesHeld == 0)
        let silent = try harness.connect()
        try silent.send(Bytes(head.utf8) + body.dropLast())
        harness.pass(seconds: 40)
        #expect(try silent.takeText().statuses == [408])
        #expect(harness.front.counters.requestBytesHeld == 0)
    }

    @Test func decodedBytesAreCountedInHTTP2() throws {
        let client = try EmbeddedHTTP2Client()
        let fields = Frames.fields("POST", "/hold", [("content-encoding", "gzip")])
        let body = Self.gzip(Self.json)
        for stream: Int32 in [1, 3, 5] {
            try client.send(Frames.headers(stream, fields, end: false))
            try client.send(Frames.data(stream, Bytes(body.dropLast()), end: false))
        }
        let (all, state) = (Self.json.count, GzipDecoder.stateBytes)
        #expect(client.harness.front.counters.requestBytesHeld == 3 * (all + state))
        try client.send(Frames.data(1, Bytes(body.suffix(1)), end: true))
        #expect(client.harness.front.counters.requestBytesHeld == 3 * all + 2 * state)
        client.harness.core.release([0])
        try client.send(Frames.reset(3))
        #expect(client.harness.front.counters.requestBytesHeld == all + state)
        client.harness.pass(seconds: 40)
        #expect(client.harness.front.counters.requestBytesHeld == 0)
    }

    /// A client that sends next to nothing is one that stalls, whatever comes of it.
    @Test func aTrickleIsAStallHoweverMuchComesOut() throws {
        let harness = FrontHarness()
        let client = try harness.connect()
        let body = Self.gzip(Bytes(repeating: 0x20, count: 8 << 20))
        try client.send(
            "POST /hold HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\n"
                + "Content-Length: \(body.count)\r\n\r\n")
        for second in 0..<60 {
            try client.send(Bytes(body[second * 20..<second * 20 + 20]))
            harness.pass(seconds: 1)
        }
        #expect(try client.takeText().statuses == [408])
        #expect(harness.front.counters.requestBytesHeld == 0)
    }

    // MARK: Members made by hand

    private static let header: Bytes = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3]

    /// A mebibyte of zeros that refers to nothing before it, a thousand and twenty-four times.
    private static func gibibyteOfZeros() -> Bytes {
        var stream = z_stream()
        deflateInit2_(
            &stream, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        defer { deflateEnd(&stream) }
        var zeros = Bytes(repeating: 0, count: 1 << 20)
        var room = Bytes(repeating: 0, count: 1 << 16)
        let count = zeros.withUnsafeMutableBufferPointer { input in
            room.withUnsafeMutableBufferPointer { output in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(input.count)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(output.count)
                deflate(&stream, Z_FULL_FLUSH)
                return output.count - Int(stream.avail_out)
            }
        }
        var bomb = header
        for _ in 0..<1024 { bomb += room[..<count] }
        return bomb + [3, 0] + Bytes(repeating: 0, count: 8)
    }
}
