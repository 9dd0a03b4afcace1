// The largest request head that is taken and the first that is not, in each protocol; and how much
// memory a body is given for what its length only claims.
import API
import Base
import Testing

@Suite struct HeadLimitTests {
    /// Field lines that have `count` names and values of `bytes` bytes in all, `cost` more each.
    private static func filler(
        _ count: Int, bytes: Int, cost: Int
    ) -> [(name: String, value: String)] {
        var left = bytes - count * cost
        return (0..<count).map { index in
            let share = left / (count - index)
            left -= share
            return ("a", String(repeating: "b", count: share - 1))
        }
    }

    // MARK: HTTP/1.1

    private func status(target: Int = 2, fields: Int = 2, bytes: Int = 40) throws -> [Int] {
        let harness = FrontHarness()
        let client = try harness.connect()
        let host = "Host: localhost"
        let lines = Self.filler(fields - 1, bytes: bytes - host.utf8.count, cost: 2)
            .map { "\($0.name): \($0.value)\r\n" }.joined()
        let path = "/" + String(repeating: "a", count: target - 1)
        try client.send("GET \(path) HTTP/1.1\r\n\(host)\r\n\(lines)\r\n")
        return try client.takeText().statuses
    }

    @Test func ofHTTP1() throws {
        #expect(try status(target: Limits.targetBytes) == [200])
        #expect(try status(target: Limits.targetBytes + 1) == [414])
        let many = Limits.headerFields
        #expect(try status(fields: many, bytes: 1000) == [200])
        #expect(try status(fields: many + 1, bytes: 1000) == [431])
        #expect(try status(fields: 5, bytes: Limits.headerBytes) == [200])
        #expect(try status(fields: 5, bytes: Limits.headerBytes + 1) == [431])
        #expect(
            try status(target: Limits.targetBytes, fields: many, bytes: Limits.headerBytes)
                == [200])
    }

    // MARK: HTTP/2

    /// `fields` beside the four pseudo-fields; `bytes` as RFC 9113 §6.5.2 counts, 32 for each, but
    /// for the path, which has its own limit.
    private func status2(target: Int = 2, fields: Int = 2, bytes: Int = 300) throws -> [String] {
        let client = try EmbeddedHTTP2Client()
        let path = "/" + String(repeating: "a", count: target - 1)
        let pseudo = Frames.fields("GET", path)
        let taken = pseudo.reduce(0) { $0 + $1.0.utf8.count + $1.1.utf8.count + 32 } - target
        let all = pseudo + Self.filler(fields, bytes: bytes - taken, cost: 32)
        try client.send(Self.head(1, all))
        return EmbeddedHTTP2Client.statuses(try client.take())
    }

    /// HEADERS and as many CONTINUATION as it takes.
    private static func head(_ stream: Int32, _ fields: [(String, String)]) -> Bytes {
        var rest = Frames.block(fields)[...]
        var bytes: Bytes = []
        var kind = Frames.Kind.headers
        repeat {
            let piece = Bytes(rest.prefix(16_384))
            rest = rest.dropFirst(16_384)
            let flags =
                (rest.isEmpty ? Frames.endHeaders : 0) | (kind == .headers ? Frames.endStream : 0)
            bytes += Frames.frame(kind, flags: flags, stream: stream, piece)
            kind = .continuation
        } while !rest.isEmpty
        return bytes
    }

    @Test func ofHTTP2() throws {
        #expect(try status2(target: Limits.targetBytes) == ["200"])
        #expect(try status2(target: Limits.targetBytes + 1) == ["414"])
        let many = Limits.headerFields
        #expect(try status2(fields: many, bytes: 6000) == ["200"])
        #expect(try status2(fields: many + 1, bytes: 6000) == ["431"])
        #expect(try status2(fields: 5, bytes: Limits.headerBytes) == ["200"])
        #expect(try status2(fields: 5, bytes: Limits.headerBytes + 1) == ["431"])
        #expect(
            try status2(target: Limits.targetBytes, fields: many, bytes: Limits.headerBytes)
                == ["200"])
    }

    // MARK: Bodies

    /// One window is reserved at once, and exactly; what is claimed beyond it is made when it
    /// comes, by doubling.
    private func checkCapacity(_ body: Bytes?, of length: Int) throws {
        let capacity = try #require(body).capacity
        if length <= Limits.streamWindowBytes {
            #expect(capacity < length + length / 4, "\(capacity) for \(length)")
        } else {
            #expect(capacity >= 2 * Limits.streamWindowBytes, "\(capacity) for \(length)")
        }
    }

    private static let lengths = [
        Limits.streamWindowBytes - 1000, Limits.streamWindowBytes,
        Limits.streamWindowBytes + 20_000,
    ]

    @Test(arguments: lengths) func reservationInHTTP1(length: Int) throws {
        let harness = FrontHarness()
        let client = try harness.connect()
        try client.send(
            "PUT /hold HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(length)\r\n\r\n")
        for start in stride(from: 0, to: length, by: 1000) {
            try client.send(Bytes(repeating: 1, count: min(1000, length - start)))
        }
        try checkCapacity(harness.core.requests[0].body, of: length)
    }

    @Test(arguments: lengths) func reservationInHTTP2(length: Int) throws {
        let client = try EmbeddedHTTP2Client()
        let fields = Frames.fields("PUT", "/hold", [("content-length", "\(length)")])
        try client.send(Frames.headers(1, fields, end: false))
        for start in stride(from: 0, to: length, by: 1000) {
            let bytes = Bytes(repeating: 1, count: min(1000, length - start))
            try client.send(Frames.data(1, bytes, end: start + 1000 >= length))
        }
        try checkCapacity(client.harness.core.requests[0].body, of: length)
    }
}
