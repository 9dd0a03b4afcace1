// A gateway and its shard on one core, in one thread: requests in, responses out. Disk and readers
// do their work when `settle` is called, or step by step when a test wants to stand in between.
import API
import Base
import DequeModule
import Failpoints
import Node
import Regions
import Storage
import Telemetry

struct NodeHost: ~Copyable {
    static let gatewayAddress = UnitAddress(core: 0, unit: .gateway)
    static let shardAddress = UnitAddress(core: 0, unit: .shard)

    var store = TestStore()
    var engine: MemoryEngine { store.engine }
    var gateway: Gateway
    var shard: Shard
    var now = Now(instant: .origin + .seconds(1), wall: WallTime(milliseconds: 1_700_000_000_000))
    private(set) var responses: [ExchangeID: [Response]] = [:]
    private(set) var released: [ExchangeID] = []
    private(set) var stopped: Set<ReadToken> = []
    private var reads: [(ReadToken, RawRead, (any EngineView)?, WallTime)] = []
    private var events: [(UnitAddress.Unit, Event)] = []
    private var stream: Int32 = 0
    private var failpoints = FailpointTable(generator: SeededGenerator(seed: 1))

    init(hasFailpoints: Bool = false) {
        var generator = SeededGenerator(seed: 1)
        let facts = NodeFacts(
            version: "1.2.3", revision: "abc", nodeID: "node", store: StoreID(1),
            engine: "memory", memoryBoundBytes: nil, startedAt: now, hasFailpoints: hasFailpoints)
        gateway = Gateway(
            address: Self.gatewayAddress, shard: Self.shardAddress, facts: facts,
            generator: &generator)
        do {
            shard = Shard(
                address: Self.shardAddress, engine: store.engine,
                replica: try store.makeReplica(at: now.instant))
        } catch {
            fatalError("a store in memory opens: \(error)")
        }
        handle(.shard, .deadlineReached)
        settle()
    }

    /// A host that has the request refused before the gateway looks at it.
    mutating func refuse(_ method: Method, _ target: String, _ problem: Problem) -> ExchangeID {
        stream += 1
        let exchange = ExchangeID(slot: 0, generation: 0, stream: stream)
        let request = Request(method: method, target: Bytes(target.utf8))
        handle(.gateway, .refused(exchange, request, problem))
        return exchange
    }

    mutating func send(
        _ method: Method, _ target: String, _ body: String? = nil,
        _ fields: [HeaderName: String] = [:]
    ) -> ExchangeID {
        stream += 1
        let exchange = ExchangeID(slot: 0, generation: 0, stream: stream)
        var headers = RequestHeaders()
        for name in HeaderName.allCases {
            if let value = fields[name] { headers.append(name, Bytes(value.utf8)) }
        }
        let request = Request(
            method: method, target: Bytes(target.utf8), headers: headers,
            body: body.map { Bytes($0.utf8) })
        handle(.gateway, .request(exchange, request))
        return exchange
    }

    mutating func run(
        _ method: Method, _ target: String, _ body: String? = nil,
        _ fields: [HeaderName: String] = [:]
    ) -> Response? {
        let exchange = send(method, target, body, fields)
        settle()
        return responses[exchange]?.first
    }

    mutating func handle(_ unit: UnitAddress.Unit, _ event: Event) {
        events.append((unit, event))
        while !events.isEmpty {
            let (unit, event) = events.removeFirst()
            var effects: Effects = []
            switch unit {
            case .gateway: gateway.step(event, at: now, into: &effects)
            case .shard: shard.step(event, at: now, into: &effects)
            }
            for effect in effects { execute(effect) }
        }
    }

    /// Ends a turn and, if the gateway asks for that, begins the next one at once.
    mutating func endTurn() {
        handle(.shard, .turnEnded)
        handle(.gateway, .turnEnded)
        if let due = gateway.nextDeadline, due <= now.instant {
            handle(.gateway, .deadlineReached)
        }
    }

    mutating func settle() {
        for _ in 0..<1_000 {
            endTurn()
            for event in store.syncLog() { handle(.shard, event) }
            for event in store.apply() { handle(.shard, event) }
            finishReads()
            if gateway.isIdle, shard.isIdle, shard.takesRequests, store.isIdle { return }
        }
    }

    mutating func finishReads() {
        while !reads.isEmpty {
            let (token, read, view, wall) = reads.removeFirst()
            do {
                let outcome = try read.run(
                    on: engine, view, at: wall, tier: .disk,
                    isWanted: { !stopped.contains(token) })
                guard let outcome else { return }
                handle(.shard, .readFinished(token, .success(outcome)))
            } catch {
                handle(.shard, .readFinished(token, .failure(error)))
            }
        }
    }

    private mutating func execute(_ effect: Effect) {
        switch effect {
        case .append, .apply, .compact, .damaged, .refusedForSpace:
            _ = store.take(effect)
        case .read(let token, let read, let view, let wall):
            reads.append((token, read, view, wall))
        case .send(let envelope): events.append((envelope.to.unit, .received(envelope)))
        case .respond(let exchange, let response, _):
            responses[exchange, default: []].append(response)
        case .stopRead(let token): stopped.insert(token)
        case .sendFromLog, .sendSnapshot, .stopSnapshots, .discardSnapshot, .changed,
            .commandStores:
            break
        case .released(let exchange): released.append(exchange)
        case .commandFailpoints(let token, let command):
            events.append((.gateway, .failpoints(token, failpoints.perform(command))))
        case .scrape(let token):
            var scrape = Scrape()
            gateway.measure(into: &scrape)
            shard.measure(into: &scrape)
            events.append((.gateway, .scraped(token, scrape)))
        }
    }
}

extension Response {
    var text: String { String(decoding: body, as: UTF8.self) }
}
