// Valid conversations of both protocols, broken at random: whatever comes, the front neither traps
// nor forgets what it holds. `FUZZ_ROUNDS` multiplies the rounds.
import API
import Base
import Foundation
import HTTP
import Testing

@Suite struct FrontFuzzTests {
    static let rounds = Int(ProcessInfo.processInfo.environment["FUZZ_ROUNDS"] ?? "") ?? 1

    private static func http1(_ random: inout SeededGenerator) -> Bytes {
        let requests = [
            "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "GET /hold HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n",
            "GET /big HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
            "PUT /b HTTP/1.1\r\nHost: [::1]:7\r\nContent-Length: 4\r\n\r\nbody",
            "PUT /hold HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "4;x=y\r\nbody\r\n0\r\nA: b\r\n\r\n",
            "PUT /c HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
                + "Content-Length: 2\r\n\r\nhi",
            "GET /d HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                + "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n\r\n",
        ]
        return (0..<Int.random(in: 1...12, using: &random)).flatMap { _ in
            Bytes((requests.randomElement(using: &random) ?? "").utf8)
        }
    }

    /// From the one to the other.
    private static func upgraded(_ random: inout SeededGenerator) -> Bytes {
        let path = ["/a", "/big", "/hold"].randomElement(using: &random) ?? ""
        return UpgradeTests.ask("GET", path) + http2(&random)
    }

    private static func http2(_ random: inout SeededGenerator) -> Bytes {
        var bytes = Frames.hello
        var stream: Int32 = 1
        for _ in 0..<Int.random(in: 1...30, using: &random) {
            let paths = ["/a", "/hold", "/big", "/nothing", "/last"]
            let path = paths.randomElement(using: &random) ?? ""
            switch Int.random(in: 0..<12, using: &random) {
            case 0...3: bytes += Frames.get(stream, path)
            case 4:
                bytes += Frames.headers(stream, Frames.fields("PUT", path), end: false)
                bytes += Frames.data(stream, Bytes("body".utf8))
            case 5: bytes += Frames.get(stream, path) + Frames.reset(stream)
            case 6: bytes += Frames.frame(.ping, Bytes(repeating: 1, count: 8))
            case 7: bytes += Frames.window(0, 1 << 20) + Frames.window(max(1, stream - 2), 1 << 20)
            case 8:
                bytes += Frames.frame(
                    .settings, [0, 4] + Frames.number(random.next() & 1 == 0 ? 0 : 1 << 22))
            case 9: bytes += Frames.headers(stream, Frames.fields(authority: "evil.example"))
            case 10: bytes += Frames.frame(.goAway, Frames.number(0) + Frames.number(0))
            default:
                bytes += Frames.headers(stream, Frames.fields("PUT", path), end: false)
                bytes += Frames.frame(.data, flags: 8, stream: stream, [2, 0x61, 0, 0])
            }
            stream += 2
        }
        return bytes
    }

    private static func broken(_ bytes: Bytes, _ random: inout SeededGenerator) -> Bytes {
        var bytes = bytes
        for _ in 0..<Int.random(in: 0...4, using: &random) where !bytes.isEmpty {
            let at = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<5, using: &random) {
            case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 2: bytes.remove(at: at)
            case 3: bytes.insert(bytes[at], at: at)
            default:
                let end = min(bytes.count, at + Int.random(in: 1...40, using: &random))
                bytes.insert(
                    contentsOf: bytes[at..<end], at: Int.random(in: 0...at, using: &random))
            }
        }
        return bytes
    }

    private static func run(
        _ conversation: Bytes, _ random: inout SeededGenerator, _ name: Comment
    ) throws {
        let harness = FrontHarness()
        let client = try harness.connect()
        var rest = conversation[...]
        while !rest.isEmpty {
            let count = min(rest.count, Int.random(in: 1...(1 + rest.count), using: &random))
            try client.send(Bytes(rest.prefix(count)))
            rest = rest.dropFirst(count)
            switch Int.random(in: 0..<8, using: &random) {
            case 0: harness.pass(seconds: Int64.random(in: 0...20, using: &random))
            case 1: client.setWritable(random.next() & 1 == 0)
            case 2: harness.core.release(Array(harness.core.held.indices))
            case 3: harness.front.drain {}
            case 4: client.endInput()
            default: break
            }
        }
        client.setWritable(true)
        // What waits behind a write comes only when that is answered.
        var released = 0
        while released < harness.core.held.count {
            released = harness.core.held.count
            harness.core.release(Array(harness.core.held.indices))
        }
        harness.pass(seconds: 70)
        harness.pass(seconds: 70)
        #expect(client.isClosed, name)
        let counters = harness.front.counters
        #expect(counters.connectionsOpen == 0 && counters.connectionsClosed.total == 1, name)
        #expect(counters.requestsInFlight == 0, name)
        #expect(counters.requestBytesHeld == 0, name)
        #expect(counters.responseBytesHeld == 0, name)
    }

    enum Conversation: UInt64, CaseIterable { case http1 = 1, http2, upgraded }

    @Test(arguments: Conversation.allCases)
    func whateverComesIsSurvivedAndReleased(conversation: Conversation) throws {
        for round in 0..<300 * Self.rounds {
            var random = SeededGenerator(seed: UInt64(round) << 2 | conversation.rawValue)
            let valid =
                switch conversation {
                case .http1: Self.http1(&random)
                case .http2: Self.http2(&random)
                case .upgraded: Self.upgraded(&random)
                }
            let bytes = Self.broken(valid, &random)
            try Self.run(bytes, &random, "\(conversation), round \(round)")
        }
    }
}
