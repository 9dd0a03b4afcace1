// A gateway whose group is led now here, now there, now by nobody: what is sent where, what waits,
// and what its client is told when an answer cannot come.
import API
import Base
import DequeModule
import Node
import Regions
import Testing

struct LoneGateway: ~Copyable {
    private static let shard = UnitAddress(core: 0, unit: .shard)

    var gateway: Gateway
    var now = Now(instant: .origin + .seconds(1), wall: WallTime(milliseconds: 1_700_000_000_000))
    private(set) var sent: [Envelope] = []
    private(set) var responses: [Response] = []
    var statuses: [Int] { responses.map(\.status) }
    private var stream: Int32 = 0

    init(turnWeightLimit: Int = 100) {
        var generator = SeededGenerator(seed: 1)
        let facts = NodeFacts(
            version: "1", revision: "1", nodeID: "node", store: StoreID(1), engine: "memory",
            memoryBoundBytes: nil, startedAt: now)
        gateway = Gateway(
            address: UnitAddress(core: 0, unit: .gateway), shard: Self.shard, facts: facts,
            turnWeightLimit: turnWeightLimit, generator: &generator)
    }

    mutating func ask(_ method: Method, _ target: String, _ body: String? = nil) {
        stream += 1
        let exchange = ExchangeID(slot: 0, generation: 0, stream: stream)
        var headers = RequestHeaders()
        if method == .post { headers.append(.contentType, Bytes("application/json".utf8)) }
        let request = Request(
            method: method, target: Bytes(target.utf8), headers: headers,
            body: body.map { Bytes($0.utf8) })
        step(.request(exchange, request))
    }

    mutating func leads(_ place: LeaderPlace) { receive(.leader(place), from: Self.shard) }

    mutating func answer(_ outcomes: [RawOutcome], stamp: ReplicaStamp) {
        guard case .request(let request)? = sent.last?.body else { return }
        let from = UnitAddress(core: 0, unit: .shard)
        receive(
            .reply(RegionReply(number: request.number, outcomes: outcomes, stamp: stamp)),
            from: from)
    }

    /// Answers the last request that was sent.
    mutating func answer(
        _ outcomes: RawOutcome..., from store: StoreID? = nil, stamp: ReplicaStamp? = nil
    ) {
        guard case .request(let request)? = sent.last?.body else { return }
        let from = UnitAddress(core: 0, unit: .shard, store: store)
        let reply = RegionReply(number: request.number, outcomes: outcomes, stamp: stamp)
        receive(.reply(reply), from: from)
    }

    /// Until the next deadline, so many times.
    mutating func wait(_ times: Int = 1) {
        for _ in 0..<times {
            now.instant = max(now.instant, gateway.nextDeadline ?? now.instant)
            step(.deadlineReached)
        }
    }

    private mutating func receive(_ body: Envelope.Body, from: UnitAddress) {
        let to = UnitAddress(core: 0, unit: .gateway)
        step(.received(Envelope(from: from, to: to, body: body)))
    }

    mutating func step(_ event: Event) {
        var effects: Effects = []
        gateway.step(event, at: now, into: &effects)
        for effect in effects {
            if case .send(let envelope) = effect { sent.append(envelope) }
            if case .respond(_, let response, _) = effect { responses.append(response) }
        }
    }

    var isIdle: Bool { gateway.isIdle }

    /// What they said of who answers, and how fresh.
    var rules: [ReadRule?] {
        sent.compactMap { envelope -> ReadRule?? in
            if case .request(let request) = envelope.body { .some(request.rule) } else { nil }
        }
    }

    /// The stores that requests went to; nil is this one.
    var targets: [StoreID?] {
        sent.compactMap { envelope -> StoreID?? in
            if case .request = envelope.body { .some(envelope.to.store) } else { nil }
        }
    }
}

@Suite struct GatewayLeaderTests {
    private let other = StoreID(2)
    private let refused = RawOutcome.refused(.noLeader)

    @Test func commandsGoToWhoLeads() {
        var host = LoneGateway()
        host.ask(.get, "/v1/raw/kv/a")
        host.leads(.store(other))
        host.ask(.put, "/v1/raw/kv/a", "1")
        host.answer(.written(previous: nil), from: other)
        host.leads(.here)
        host.ask(.get, "/v1/raw/kv/a")
        #expect(host.targets == [nil, other, nil])
        #expect(host.statuses == [200])
    }

    /// Whoever asked: what counts is whose data it is. Where no data was looked at nobody served.
    @Test func theAnswerSaysWhoServed() {
        var host = LoneGateway()
        host.ask(.get, "/v1/raw/kv/a")
        host.answer(.missing, stamp: ReplicaStamp(role: .leader))
        host.leads(.store(other))
        host.ask(.get, "/v1/raw/kv/a")
        host.answer(
            .found(RawValue(value: [1])), from: other, stamp: ReplicaStamp(role: .follower))
        host.ask(.put, "/v1/raw/kv/a", "1")
        host.answer(.refused(.overloaded(resource: .unsyncedWrites)), from: other)
        host.ask(.get, "/v1/status")
        let served = host.responses.map {
            $0[.servedBy].map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(host.statuses == [404, 200, 429, 200])
        #expect(served == ["store=1 role=leader", "store=2 role=follower", nil, nil])
    }

    /// An election is nothing that a client notices.
    @Test func whatNobodyTookIsSentAgain() {
        var host = LoneGateway()
        host.ask(.put, "/v1/raw/kv/a", "1")
        host.answer(refused)
        #expect(host.targets == [nil] && host.statuses.isEmpty)
        host.leads(.store(other))
        host.answer(refused, from: other)
        #expect(host.statuses.isEmpty)
        // Nobody says anything new, and the other one leads after all.
        host.wait()
        host.answer(.written(previous: nil), from: other)
        #expect(host.targets == [nil, other, other])
        #expect(host.statuses == [200])
    }

    @Test func nobodyWaitsForALeaderForEver() {
        var host = LoneGateway()
        host.ask(.put, "/v1/raw/kv/a", "1")
        for _ in 0..<200 where host.statuses.isEmpty {
            host.answer(refused)
            host.wait()
        }
        #expect(host.statuses == [503])
        #expect(host.targets.count > 10, "it was tried again meanwhile")
        let isIdle = host.isIdle
        #expect(isIdle)
    }

    @Test func aLostStoreLeavesWritesUnknownAndReadsToOthers() {
        var host = LoneGateway()
        host.leads(.store(other))
        host.ask(.put, "/v1/raw/kv/a", "1")
        host.step(.peerLost(other))
        #expect(host.statuses == [504])
        // An answer that comes all the same finds nobody.
        host.answer(.written(previous: nil), from: other)
        host.ask(.get, "/v1/raw/kv/a")
        host.step(.peerLost(other))
        host.leads(.here)
        host.answer(.found(RawValue(value: [1])))
        #expect(host.statuses == [504, 200])
        #expect(host.targets == [other, other, nil])
    }

    /// History: (1) a batch's write goes to a store and waits for a latch there, (2) the connection
    /// breaks, (3) the batch's range delete goes to the same store by the next connection, (4) the
    /// write is carried out behind it. So nothing goes out behind a write that may yet happen.
    @Test func nothingFollowsAWriteThatIsLost() {
        var host = LoneGateway()
        host.leads(.store(other))
        host.ask(
            .post, "/v1/raw/batch",
            #"{"ops":[{"op":"put","key":"a","value":"1"},"#
                + #"{"op":"delete_range","start":"a","end":"b"}]}"#)
        host.step(.peerLost(other))
        #expect(host.statuses == [200])
        #expect(host.targets == [other])
        let isIdle = host.isIdle
        #expect(isIdle)
    }

    /// The answer of another store may never come: at its deadline the request ends.
    @Test func aDeadlineWaitsForNoOtherStore() {
        var host = LoneGateway()
        host.leads(.store(other))
        host.ask(.put, "/v1/raw/kv/a", "1")
        host.ask(.get, "/v1/raw/kv/a")
        host.now.instant = host.now.instant + Limits.requestTimeoutDefault
        host.step(.deadlineReached)
        #expect(host.statuses == [504, 504])
        let isIdle = host.isIdle
        #expect(isIdle)
    }

    /// History: (1) a batch has the outcomes of its first run from another store, (2) its next run
    /// waits for the next turn, (3) that store is lost: the run that waits is not there.
    @Test func aRunThatWaitsForItsTurnIsWithNobody() {
        var host = LoneGateway(turnWeightLimit: 1)
        host.leads(.store(other))
        host.ask(
            .post, "/v1/raw/batch",
            #"{"ops":[{"op":"put","key":"a","value":"1"},{"op":"put","key":"b","value":"1"},"#
                + #"{"op":"get","key":"a"}]}"#)
        host.answer(.written(previous: nil), .written(previous: nil), from: other)
        host.step(.peerLost(other))
        host.leads(.here)
        host.step(.turnEnded)
        host.wait()
        host.answer(.found(RawValue(value: [1])))
        #expect(host.statuses == [200])
        #expect(host.targets == [other, nil])
    }
}
