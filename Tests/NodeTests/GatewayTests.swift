// Requests through a gateway and its shard: what a client is promised beyond one command.
import API
import Base
import DequeModule
import Node
import Regions
import Storage
import Testing

@Suite struct GatewayTests {
    @Test func aValueGoesInAndComesOut() {
        var host = NodeHost()
        #expect(host.run(.put, "/v1/raw/kv/hello", "world")?.status == 200)
        let read = host.run(.get, "/v1/raw/kv/hello")
        #expect(read?.status == 200)
        #expect(read?.text == "world")
        #expect(read?[.entityTag] != nil)
        #expect(host.run(.get, "/v1/raw/kv/absent")?.status == 404)
    }

    /// Writes have one owner. A read, and the word that its time is over, goes no further than its
    /// own core.
    @Test func readsStayOnTheirCoreAndWritesGoToTheOwner() {
        var generator = SeededGenerator(seed: 1)
        let now = Now(instant: .origin + .seconds(1), wall: WallTime(milliseconds: 1))
        var gateway = Gateway(
            address: UnitAddress(core: 1, unit: .gateway),
            shard: UnitAddress(core: 0, unit: .shard),
            facts: NodeFacts(
                version: "1", revision: "a", nodeID: "n", store: StoreID(1),
                engine: "memory", memoryBoundBytes: nil, startedAt: now),
            generator: &generator)
        for (method, owner) in [(Method.get, 1), (.put, 0)] {
            var effects: Effects = []
            let exchange = ExchangeID(slot: 0, generation: 0, stream: Int32(owner))
            let request = Request(
                method: method, target: Bytes("/v1/raw/kv/k".utf8), headers: RequestHeaders(),
                body: method == .put ? Bytes("v".utf8) : nil)
            gateway.step(.request(exchange, request), at: now, into: &effects)
            gateway.step(.cancelled(exchange), at: now, into: &effects)
            let receivers = effects.compactMap { effect -> UnitAddress? in
                if case .send(let envelope) = effect { envelope.to } else { nil }
            }
            #expect(receivers == Array(repeating: UnitAddress(core: owner, unit: .shard), count: 2))
        }
    }

    @Test func aBatchReadsWhatItWrote() {
        var host = NodeHost()
        let answer = host.run(
            .post, "/v1/raw/batch",
            #"{"ops":[{"op":"get","key":"k"},{"op":"put","key":"k","value":"1"},"#
                + #"{"op":"get","key":"k"}]}"#,
            [.contentType: "application/json"])
        #expect(answer?.status == 200)
        let text = answer?.text ?? ""
        #expect(text.contains(#""found":false"#))
        #expect(text.contains(#""value":"1""#))
    }

    @Test func everyRequestIsAnsweredOnce() {
        var host = NodeHost()
        var exchanges: [ExchangeID] = []
        for index in 0..<50 {
            exchanges.append(host.send(.put, "/v1/raw/kv/k\(index % 5)", "v"))
            exchanges.append(host.send(.get, "/v1/raw/kv/k\(index % 5)"))
            exchanges.append(host.send(.get, "/nowhere"))
            exchanges.append(host.send(.get, "/v1/raw/count"))
            exchanges.append(host.send(.get, "/metrics"))
        }
        host.settle()
        for exchange in exchanges { #expect(host.responses[exchange]?.count == 1) }
    }

    @Test func aDeadlineEndsWhatHasNotBegunAndSaysWhatIsNotKnown() {
        var host = NodeHost()
        let timeout = [HeaderName.requestTimeout: "0.5"]
        let atDisk = host.send(.put, "/v1/raw/kv/k", "1", timeout)
        host.handle(.shard, .turnEnded)
        let behind = host.send(
            .put, "/v1/raw/kv/k", "2", [.requestTimeout: "0.5", .ifMatch: "*"])
        #expect(host.gateway.nextDeadline == host.now.instant + .milliseconds(500))
        host.now.instant = host.now.instant + .milliseconds(500)
        host.handle(.gateway, .deadlineReached)
        #expect(host.responses[atDisk]?.first?.problem == .outcomeUnknown)
        #expect(host.responses[behind]?.first?.problem == .deadlineExceeded)
        host.settle()
        #expect(host.run(.get, "/v1/raw/kv/k")?.text == "1")
        #expect(host.responses[atDisk]?.count == 1)
        #expect(host.responses[behind]?.count == 1)
    }

    /// History: a join that was in the log was answered "nothing was written".
    @Test func aChangeOfTheStoresMayHappenAfterItsTime() {
        var host = NodeHost()
        let timeout = [HeaderName.requestTimeout: "0.5"]
        let json: [HeaderName: String] = [.requestTimeout: "0.5", .contentType: "application/json"]
        let changes = [
            host.send(.post, "/v1/stores", #"{"address":"http://x"}"#, json),
            host.send(.delete, "/v1/stores/2", nil, timeout),
            host.send(.post, "/v1/stores/1/drain", nil, timeout),
            host.send(.post, "/v1/regions/1/transfer-leader", #"{"store_id":"2"}"#, json),
        ]
        let looks = ["/v1/stores", "/v1/regions"].map { host.send(.get, $0, nil, timeout) }
        host.now.instant = host.now.instant + .milliseconds(500)
        host.handle(.gateway, .deadlineReached)
        for change in changes {
            #expect(host.responses[change]?.first?.problem == .outcomeUnknown)
            #expect(host.responses[change]?.first?.text.contains("GET /v1/stores tells") == true)
        }
        for look in looks { #expect(host.responses[look]?.first?.problem == .deadlineExceeded) }
    }

    @Test func aClientThatLeavesIsNotAnsweredAndHoldsNothing() {
        var host = NodeHost()
        let gone = host.send(.put, "/v1/raw/kv/k", "1")
        let goneToo = host.send(.put, "/v1/raw/kv/k", "2", [.ifMatch: "*"])
        host.handle(.gateway, .cancelled(gone))
        host.handle(.gateway, .cancelled(goneToo))
        host.settle()
        #expect(host.responses.isEmpty)
        #expect(host.released.count == 2 && Set(host.released) == [gone, goneToo])
        let isIdle = host.gateway.isIdle && host.shard.isIdle
        #expect(isIdle)
        #expect(host.run(.get, "/v1/raw/kv/k")?.status == 200, "what was at the disk stays")
    }

    @Test func tenThousandClientsThatLeaveHoldNothing() {
        var host = NodeHost()
        let first = host.send(.put, "/v1/raw/kv/k", "0")
        let gone = (0..<10_000).map { _ in
            host.send(.put, "/v1/raw/kv/k", "1", [.ifMatch: "*"])
        }
        for exchange in gone { host.handle(.gateway, .cancelled(exchange)) }
        host.settle()
        #expect(host.responses[first]?.first?.status == 200)
        #expect(host.responses.count == 1)
        #expect(Set(host.released) == Set(gone) && host.released.count == gone.count)
        let isIdle = host.gateway.isIdle && host.shard.isIdle
        #expect(isIdle)
        #expect(host.run(.get, "/v1/raw/kv/k")?.text == "0")
    }

    @Test func aScrapeWhoseClientLeavesIsReleased() {
        var host = NodeHost()
        let exchange = ExchangeID(slot: 0, generation: 0, stream: 1)
        let request = Request(
            method: .get, target: Bytes("/metrics".utf8), headers: RequestHeaders(), body: nil)
        var effects: Effects = []
        host.gateway.step(.request(exchange, request), at: host.now, into: &effects)
        host.gateway.step(.cancelled(exchange), at: host.now, into: &effects)
        let released: [ExchangeID] = effects.compactMap {
            if case .released(let exchange) = $0 { exchange } else { nil }
        }
        #expect(released == [exchange])
        let isIdle = host.gateway.isIdle
        #expect(isIdle)
    }

    @Test func electionsUnreadyNobodyAndRemovalDoes() {
        var host = NodeHost()
        func leads(_ place: LeaderPlace) -> Event {
            .received(
                Envelope(
                    from: NodeHost.shardAddress, to: NodeHost.gatewayAddress,
                    body: .leader(place)))
        }
        host.handle(.gateway, leads(.unknown))
        #expect(host.run(.get, "/readyz")?.status == 200)
        host.handle(.gateway, .removed("Move its directory away."))
        let removed = host.run(.get, "/readyz?verbose=true")
        #expect(removed?.status == 503)
        #expect(removed?.text.contains("Move its directory away.") == true)
    }

    @Test func readinessFollowsTheDiskAndTheStop() {
        var host = NodeHost()
        #expect(host.run(.get, "/readyz")?.status == 200)
        let full = DiskGuard.seen(free: 1)
        host.handle(.gateway, .diskSpace(full))
        #expect(host.run(.get, "/readyz")?.status == 503)
        #expect(host.run(.get, "/livez")?.status == 200, "liveness never depends on the disk")
        let empty = DiskGuard.seen(free: 1 << 29)
        host.handle(.gateway, .diskSpace(empty))
        #expect(host.run(.get, "/readyz")?.status == 200)
        host.handle(.gateway, .storeFailed(.failed("sync: input/output error")))
        #expect(host.run(.get, "/readyz")?.text.contains("input/output error") == true)
        #expect(host.run(.get, "/readyz")?.status == 503)
        host.handle(.gateway, .diskSpace(empty))
        #expect(host.run(.get, "/readyz")?.status == 503, "space does not mend a failed store")
        host.handle(.gateway, .stopping)
        let stopping = host.run(.get, "/readyz?verbose=true")
        #expect(stopping?.status == 503)
        #expect(stopping?.text.contains("accepting_requests") == true)
    }

    @Test func equalLargeValuesShareTheirBytes() {
        var host = NodeHost()
        let large = String(repeating: "x", count: 100_000)
        _ = host.run(.put, "/v1/raw/kv/k", large)
        let first = host.run(.get, "/v1/raw/kv/k")?.body ?? []
        let second = host.run(.get, "/v1/raw/kv/k")?.body ?? []
        #expect(first.count == 100_000)
        let same = first.withUnsafeBufferPointer { a in
            second.withUnsafeBufferPointer { b in a.baseAddress == b.baseAddress }
        }
        #expect(same)
        _ = host.run(.put, "/v1/raw/kv/k", large + "y")
        #expect(host.run(.get, "/v1/raw/kv/k")?.body.count == 100_001)
    }

    @Test func aScrapeCountsWhatWasAsked() {
        var host = NodeHost()
        _ = host.run(.put, "/v1/raw/kv/k", "v")
        _ = host.run(.get, "/v1/raw/kv/none")
        let text = host.run(.get, "/metrics")?.text ?? ""
        #expect(
            text.contains(
                #"martlet_http_requests_total{route="/v1/raw/kv/{key}",method="PUT",code="200"} 1"#)
        )
        #expect(text.contains(#"martlet_errors_total{code="key_not_found"} 1"#))
        #expect(
            text.contains(#"martlet_kv_operations_total{space="raw",op="get",result="missing"} 1"#))
    }
}
