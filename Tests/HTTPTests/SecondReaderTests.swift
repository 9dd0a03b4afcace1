// The same bytes read by two readers: ours, and NIO's decoder (llhttp). Requests are smuggled where
// two servers in a row cut a stream of bytes differently, so whatever ours takes as a request the
// other one has to take as the same request. Ours may refuse more; it may not accept more.
import API
import Base
import HTTP
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@Suite struct SecondReaderTests {
    struct Seen: Equatable {
        var method: String
        var target: String
        var body: Bytes
    }

    private static func ours(_ bytes: Bytes) throws -> [Seen] {
        let harness = FrontHarness()
        let client = try harness.connect()
        try client.send(bytes)
        return harness.core.requests.map { request in
            Seen(
                method: request.method.name,
                target: String(decoding: request.target, as: UTF8.self), body: request.body ?? [])
        }
    }

    /// What the other reader takes, and whether it stopped because it does not know a method, which
    /// says nothing about where requests begin.
    private static func theirs(_ bytes: Bytes) throws -> (seen: [Seen], stopsAtMethod: Bool) {
        let channel = EmbeddedChannel(
            handler: ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)))
        var stopsAtMethod = false
        do {
            try channel.writeInbound(ByteBuffer(bytes: bytes))
        } catch HTTPParserError.invalidMethod {
            stopsAtMethod = true
        } catch is HTTPParserError {
            stopsAtMethod = false
        }
        var seen: [Seen] = []
        var current: Seen?
        while let part = try channel.readInbound(as: HTTPServerRequestPart.self) {
            switch part {
            case .head(let head):
                let isKnown = Method.allCases.contains { $0.name == head.method.rawValue }
                current = Seen(
                    method: isKnown ? head.method.rawValue : Method.other.name,
                    target: head.uri.split(separator: "localhost").last.map(String.init) ?? "",
                    body: [])
            case .body(let bytes): current?.body += Bytes(bytes.readableBytesView)
            case .end:
                if let current { seen.append(current) }
            }
        }
        _ = try? channel.finish(acceptAlreadyClosed: true)
        return (seen, stopsAtMethod)
    }

    private static let requests = [
        "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "\r\nGET /b?c=d HTTP/1.1\r\nhost:localhost\r\nAccept: */*\r\nA:\r\n\r\n",
        "PUT /c HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody",
        "PUT /d HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "4;x=y\r\nbody\r\n2\r\nhi\r\n0\r\nA: b\r\n\r\n",
        "POST /e HTTP/1.1\r\nHost: localhost\r\nContent-Length: 33\r\n\r\n"
            + "GET /x HTTP/1.1\r\nHost: smuggled\r\n\r\n",
    ]

    /// What sits where readers have differed before. Without the tab, which the other one does not
    /// take for white space behind a number (RFC 9110 §5.6.3 does).
    private static let barbs = [
        "\r\n", "\n", "\r", " ", "\0", ":", ";", ",", "0", "\r\n ", "\r\n\r\n", "chunked",
        "Content-Length: 4\r\n", "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: x\r\n", "+",
    ]

    @Test func whatOursTakesTheOtherTakes() throws {
        var taken = 0
        for round in 0..<3_000 * FrontFuzzTests.rounds {
            var random = SeededGenerator(seed: UInt64(round))
            var bytes = (0..<Int.random(in: 1...4, using: &random)).flatMap { _ in
                Bytes((Self.requests.randomElement(using: &random) ?? "").utf8)
            }
            for _ in 0..<Int.random(in: 0...2, using: &random) {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                if Bool.random(using: &random) { bytes.remove(at: at) }
                let barb = Self.barbs.randomElement(using: &random) ?? ""
                bytes.insert(contentsOf: barb.utf8, at: at)
            }
            let ours = try Self.ours(bytes)
            let (theirs, stopsAtMethod) = try Self.theirs(bytes)
            let common = stopsAtMethod ? min(ours.count, theirs.count) : ours.count
            #expect(
                Array(ours.prefix(common)) == Array(theirs.prefix(common)),
                "round \(round): \(String(decoding: bytes, as: UTF8.self).debugDescription)")
            taken += common
        }
        #expect(taken > 3_000, "most conversations are good ones")
    }
}
