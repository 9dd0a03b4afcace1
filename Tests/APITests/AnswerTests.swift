// Answers that a scenario cannot show: refusals by the store, and answers too large to be built.
import API
import Base
import Foundation
import Regions
import Storage
import Testing

@Suite struct AnswerTests {
    private func route(_ target: String, body: String? = nil) throws -> RawRequest {
        var request = Request(
            method: body == nil ? .get : .post, target: Bytes(target.utf8),
            body: body.map { Bytes($0.utf8) })
        request.headers.append(.contentType, Bytes("application/json".utf8))
        guard case .raw(let raw) = try Router().route(request, generatedID: []).result.get() else {
            throw Problem(.internal, "not a raw request")
        }
        return raw
    }

    @Test(
        arguments: [
            (
                .diskFull(
                    SpaceShortage(free: 1, needed: 2, refusesDeletes: false)), 507,
                "disk_full", "30"
            ),
            (.overloaded(resource: .readerQueue), 429, "overloaded", "1"),
            (.deadlineExceeded, 504, "deadline_exceeded", "1"),
            (.replicaTooStale("old"), 503, "replica_too_stale", "1"),
            (.notFollower(elsewhere: nil), 503, "no_follower", "1"),
            (.versionUnknown(at: 3), 400, "invalid_argument", nil),
            (.rangeTooLarge, 413, "request_too_large", nil),
            (.answerTooLarge, 413, "answer_too_large", nil),
            (.outcomeUnknown("lost"), 504, "outcome_unknown", nil),
            (.storageFailed("corrupt"), 500, "internal", nil),
        ] as [(Refusal, Int, String, String?)])
    func refusals(_ refusal: Refusal, _ status: Int, _ code: String, _ retry: String?) throws {
        for target in ["/v1/raw/kv/a", "/v1/raw/entry?key=a", "/v1/raw/scan"] {
            let response = respond(
                to: try route(target), with: [.refused(refusal)], requestID: Bytes("r".utf8))
            #expect(response.status == status)
            #expect(response.problem?.rawValue == code)
            #expect(response[.retryAfter] == retry.map { Bytes($0.utf8) })
            #expect(response[.requestID] == Bytes("r".utf8))
        }
    }

    /// A few kilobytes of request must not become gigabytes of answer.
    @Test func aBatchOfLargeReadsIsCut() throws {
        let ops = Array(repeating: "{\"op\":\"get\",\"key\":\"a\"}", count: 1000)
            .joined(separator: ",")
        let raw = try route("/v1/raw/batch", body: "{\"ops\":[\(ops)]}")
        let value = RawValue(value: Bytes(repeating: 0x61, count: Limits.valueBytes))
        let response = respond(
            to: raw, with: Array(repeating: .found(value), count: 1000), requestID: [])
        #expect(response.status == 200)
        #expect(response.body.count < Limits.batchAnswerBytes + 1000 * 512)
        let text = String(decoding: response.body.suffix(600), as: UTF8.self)
        #expect(text.contains("\"code\":\"answer_too_large\""))
        #expect(text.hasSuffix("],\"failed\":997}\n"))
    }

    // What is stored is no measure of what is written: a control character becomes six bytes, and
    // what is no text a third more.
    @Test(arguments: [0x01, 0xFF] as Bytes) func aBatchKeepsToItsBoundsWhateverItHolds(
        byte: UInt8
    ) throws {
        let ops = Array(repeating: "{\"op\":\"get\",\"key\":\"a\"}", count: 40)
            .joined(separator: ",")
        let raw = try route("/v1/raw/batch", body: "{\"ops\":[\(ops)]}")
        let value = RawValue(value: Bytes(repeating: byte, count: 1 << 20))
        let response = respond(
            to: raw, with: Array(repeating: .found(value), count: 40), requestID: [])
        #expect(response.body.count < Limits.batchAnswerBytes + 40 * 512)
        let done = byte == 0x01 ? 2 : 11
        let text = String(decoding: response.body.suffix(100), as: UTF8.self)
        #expect(text.hasSuffix("],\"failed\":\(40 - done)}\n"), "\(text)")
    }

    /// What happened is told, whatever does not fit.
    @Test func aBatchOfWritesIsReportedWithoutWhatWasThere() throws {
        let ops = Array(
            repeating: "{\"op\":\"delete\",\"key\":\"a\",\"return_previous\":true}", count: 10
        ).joined(separator: ",")
        let raw = try route("/v1/raw/batch", body: "{\"ops\":[\(ops)]}")
        let value = RawValue(value: Bytes(repeating: 0x61, count: Limits.valueBytes))
        let response = respond(
            to: raw, with: Array(repeating: .deleted(previous: value), count: 10), requestID: [])
        #expect(response.body.count < Limits.batchAnswerBytes + 10_000)
        #expect(
            String(decoding: response.body.suffix(60), as: UTF8.self)
                .hasSuffix("{\"ok\":true,\"previous_omitted\":true}],\"failed\":0}\n"))
    }

    @Test func everyProblemHasItsExplanation() {
        for code in ProblemCode.allCases {
            let text = String(
                decoding: Response.explanation(of: code, requestID: []).body, as: UTF8.self)
            #expect(text.hasPrefix("\(code.rawValue): \(code.title)\nstatus: \(code.status)\n"))
            #expect((400...599).contains(code.status))
        }
    }

    @Test func readinessNamesWhatFails() {
        let checks = [
            HealthCheck(name: "a", isPassing: true, detail: "fine"),
            HealthCheck(name: "b", isPassing: false, detail: "broken"),
        ]
        let short = Response.readiness(checks, verbose: false, requestID: [])
        #expect(short.status == 503)
        #expect(short.problem == .notReady)
        let text = String(decoding: short.body, as: UTF8.self)
        #expect(text.contains("{\"pointer\":\"b\",\"detail\":\"failing: broken\"}"))
        #expect(!text.contains("\"pointer\":\"a\""))
    }
}
