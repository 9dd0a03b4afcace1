// Hostile requests: whatever comes, an operation or a problem comes back, and every problem is one
// that a client may cause. `FUZZ_ROUNDS` multiplies the rounds.
import API
import Base
import Foundation
import Regions
import Testing

@Suite struct RequestFuzzTests {
    static let rounds = Int(ProcessInfo.processInfo.environment["FUZZ_ROUNDS"] ?? "") ?? 1

    private static let words: [String] =
        FieldName.allCases.map(\.text) + ProblemCode.allCases.map(\.rawValue)
        + Route.allCases.map(\.template) + [
            "/v1/raw/kv/", "?", "&", "=", "%", "%2F", "%zz", "+", "true", "false", "1", "0", "-1",
            "18446744073709551616", "base64", "YQ==", "_w", "/", "//", "..", "\u{FF}", "é",
            "{", "}", "[", "]", ",", ":", "\"", "\\u0000", "\\ud800", "null", "1.5", "1e9",
            "{\"ops\":[", "{\"op\":\"put\",\"key\":\"", "\"}", "get", "put", "delete", "cas",
            "scan",
            "delete_range", "*", "W/\"x\"", "\"0123456789abcdef0123456789abcdef\"", "2.5",
            "application/json", "application/x-ndjson", "ARQEZGlyLwQCMgAEMngrEA",
        ]

    private static func noise(_ generator: inout SeededGenerator, words count: Int) -> Bytes {
        var bytes = Bytes()
        for _ in 0..<Int.random(in: 0...count, using: &generator) {
            if generator.chance(1, in: 12) {
                bytes.append(UInt8.random(in: 0...255, using: &generator))
            } else {
                bytes += Bytes((words.randomElement(using: &generator) ?? "").utf8)
            }
        }
        return bytes
    }

    private static func request(_ generator: inout SeededGenerator) -> Request {
        let methods: [Method] = [.get, .head, .put, .post, .delete, .options, .other]
        var target = noise(&generator, words: 5)
        if generator.chance(4, in: 5), let route = Route.allCases.randomElement(using: &generator) {
            target = Bytes((route == .rawValue ? "/v1/raw/kv/" : route.template).utf8) + target
        }
        var request = Request(
            method: methods.randomElement(using: &generator) ?? .get, target: target)
        if generator.chance(2, in: 3) { request.body = noise(&generator, words: 12) }
        if generator.chance(2, in: 3) {
            request.headers.append(.contentType, Bytes("application/json".utf8))
        }
        if generator.chance(1, in: 4),
            let name = HeaderName.allCases.randomElement(using: &generator)
        {
            request.headers.append(name, noise(&generator, words: 3))
        }
        return request
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64]) func fuzzRequests(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let node = RawNode()
        var successes = 0
        for round in 0..<3000 * Self.rounds {
            let request = Self.request(&generator)
            let response = try node.answer(request)
            if response.status < 400 { successes += 1 }
            #expect(response.status < 500, "seed \(seed), round \(round): \(request)")
            if response.contentType == .json || response.contentType == .problem {
                let text = Data(response.body)
                #expect(
                    (try? JSONSerialization.jsonObject(with: text)) != nil,
                    "seed \(seed), round \(round): \(String(decoding: text, as: UTF8.self))")
            }
        }
        #expect(successes > 30, "the generator makes legal requests too")
    }

    /// One byte changed in a legal batch.
    @Test(arguments: [1, 2] as [UInt64]) func fuzzJSON(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let legal =
            Bytes(
                #"{"ops":[{"op":"put","key":"é\u00e9\ud83d\ude00","value_base64":"/wA=","#
                    .utf8)
            + Bytes(
                #""ttl_seconds":5},"#
                    .utf8)
            + Bytes(
                #"{"op":"scan","prefix":"a/","delimiter":"/","limit":3},{"op":"get","key":"b"}]}"#
                    .utf8)
        for _ in 0..<10_000 * Self.rounds {
            var body = legal
            for _ in 0...Int.random(in: 0...2, using: &generator) {
                let index = Int.random(in: 0..<body.count, using: &generator)
                switch Int.random(in: 0...2, using: &generator) {
                case 0: body[index] = UInt8.random(in: 0...255, using: &generator)
                case 1: body.remove(at: index)
                default: body.insert(UInt8.random(in: 0x20...0x7E, using: &generator), at: index)
                }
            }
            var request = Request(method: .post, target: Bytes("/v1/raw/batch".utf8), body: body)
            request.headers.append(.contentType, Bytes("application/json".utf8))
            let routed = Router().route(request, generatedID: [])
            let isJSON = (try? JSONSerialization.jsonObject(with: Data(body))) != nil
            if case .success = routed.result {
                #expect(isJSON, "seed \(seed): \(String(decoding: body, as: UTF8.self))")
            }
        }
    }

    /// Every key comes back the same by every way in and out.
    @Test(arguments: [1, 2] as [UInt64]) func keysRoundTrip(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let fixed: [Bytes] = [
            Bytes("//".utf8), Bytes("..".utf8), Bytes("a/../b".utf8), [0], [0xFF], Bytes("a/".utf8),
            Bytes("%2F".utf8), Bytes("+ ".utf8), Bytes(repeating: 0xFF, count: Limits.keyBytes),
            Bytes("é".utf8), Bytes("e\u{301}".utf8), Bytes("?&=#".utf8),
        ]
        let random = (0..<500).map { _ in
            (0..<Int.random(in: 1...12, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
        }
        for key in fixed + random {
            let escaped = PercentCoding.encode(key)
            let inURL = Base64.encodeForURL(key)
            let inBody = Base64.encode(key)
            var put = Request(
                method: .put, target: Bytes("/v1/raw/entry".utf8),
                body: Bytes("{\"value\":\"\",\"key_base64\":\"".utf8) + inBody + Bytes("\"}".utf8))
            put.headers.append(.contentType, Bytes("application/json".utf8))
            let requests = [
                Request(method: .get, target: Bytes("/v1/raw/kv/".utf8) + escaped),
                Request(method: .get, target: Bytes("/v1/raw/entry?key=".utf8) + escaped),
                Request(method: .get, target: Bytes("/v1/raw/entry?key_base64=".utf8) + inURL),
                put,
            ]
            for request in requests {
                guard case .success(.raw(let raw)) = Router().route(request, generatedID: []).result
                else {
                    Issue.record("seed \(seed): \(request)")
                    continue
                }
                switch raw.commands[0] {
                case .get(let decoded): #expect(decoded.bytes == key, "seed \(seed)")
                case .put(let put): #expect(put.key.bytes == key, "seed \(seed)")
                default: Issue.record("seed \(seed): \(raw)")
                }
            }
        }
    }
}
