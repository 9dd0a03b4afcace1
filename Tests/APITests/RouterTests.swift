// Which route a target takes, which methods each route does, and that a key is decoded once and no
// more.
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

    /// Whatever the method: 405 names what exactly this route takes, and a path that leads nowhere
    /// is 404.
    @Test(arguments: Method.allCases) func methodOfARoute(method: Method) {
        for route in Route.allCases {
            let target = Bytes(route.template.utf8)
            let request = Request(
                method: method, target: route == .unknown ? [0x2F, 0x78] : target)
            let routed = Router(hasFailpoints: true).route(request, generatedID: [0x69])
            #expect(routed.route == route)
            var refused: Problem?
            if case .failure(let problem) = routed.result { refused = problem }
            let isTaken = route.methods.contains(method)
            #expect((refused?.code == .methodNotAllowed) == (!isTaken && route != .unknown))
            if route == .unknown { #expect(refused?.code == .routeNotFound) }
            if let refused, refused.code == .methodNotAllowed {
                let allow = Response(refused, requestID: routed.requestID)[.allow]
                let names = route.methods.map(\.name).joined(separator: ", ")
                #expect(allow == Bytes(names.utf8))
            }
        }
    }
}
