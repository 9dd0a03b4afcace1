// Which route a target takes, and that its key is decoded once and no more.
import API
import Base
import Regions
import Testing

@Suite struct RouterTests {
    @Test func bytesLaneDecodesThePathOnce() throws {
        let routed = Router().route(
            Request(method: .put, target: Bytes("/v1/raw/kv/a%2Fb+?ttl_seconds=5".utf8), body: [1]),
            generatedID: Bytes("id".utf8))
        guard case .success(.raw(let raw)) = routed.result else {
            Issue.record("\(routed)")
            return
        }
        #expect(
            raw.commands == [
                .put(RawPut(key: Key(utf8: "a/b+"), value: [1], timeToLive: 5))
            ])
        let response = respond(
            to: raw, with: [.written(previous: nil)], requestID: routed.requestID)
        #expect(response.status == 200)
        #expect(response.body == Bytes("{\"etag\":\"7ace5c908374fe16778867e4430e6785\"}\n".utf8))
    }
}
