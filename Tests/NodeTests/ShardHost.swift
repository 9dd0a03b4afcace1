// A host for one shard that does each thing only when a test says so: end the turn, sync the log,
// apply, finish the reads. So a test can stand between any two steps of a write.
import Base
import DequeModule
import Node
import Regions
import Storage

struct ShardHost: ~Copyable {
    static let requester = UnitAddress(core: 0, unit: .gateway)
    static let shardAddress = UnitAddress(core: 0, unit: .shard)

    var store: TestStore
    var shard: Shard
    var now = Now(instant: .origin, wall: WallTime(milliseconds: 1_000_000))
    private(set) var replies: [UInt64: [RawOutcome]] = [:]
    private(set) var stopped: Set<ReadToken> = []
    var readCount: Int { reads.count }
    private(set) var reads: [(ReadToken, RawRead, (any EngineView)?, WallTime)] = []
    private var next: UInt64 = 0

    var engine: MemoryEngine { store.engine }
    /// The batches on their way into the log.
    var batches: [WriteBatch] { get throws { try store.batches } }

    /// One that leads already.
    init(engine: MemoryEngine = MemoryEngine(), settings: ShardSettings = ShardSettings()) {
        self.init(store: TestStore(engine: engine), settings: settings)
        step(.deadlineReached)
        settle()
    }

    /// One that has just begun.
    init(store: TestStore, settings: ShardSettings = ShardSettings()) {
        self.store = store
        do {
            let replica = try store.makeReplica(at: now.instant)
            shard = Shard(
                address: Self.shardAddress, engine: store.engine, replica: replica,
                settings: settings)
        } catch {
            fatalError("a store in memory opens: \(error)")
        }
    }

    mutating func send(_ commands: RawCommand...) -> UInt64 { sendAll(commands) }

    mutating func sendAll(_ commands: [RawCommand]) -> UInt64 {
        next += 1
        let request = RegionRequest(
            number: next, deadline: .distantFuture, commands: commands)
        deliver(.request(request))
        return next
    }

    mutating func expire(_ number: UInt64) { deliver(.expire(number)) }

    mutating func endTurn() { step(.turnEnded) }

    /// Syncs what is at the log, and applies what that commits.
    mutating func sync() {
        syncLog()
        apply()
    }

    mutating func syncLog() {
        for event in store.syncLog() { step(event) }
    }

    mutating func apply() {
        for event in store.apply() { step(event) }
    }

    mutating func finishReads() {
        while !reads.isEmpty { finishRead(0) }
    }

    /// Reads now, and reports, the one at `index` of those that are out.
    mutating func finishRead(_ index: Int) {
        let (token, read, view, wall) = reads.remove(at: index)
        do {
            guard
                let outcome = try read.run(
                    on: engine, view, at: wall, tier: .disk,
                    isWanted: { !stopped.contains(token) })
            else {
                step(.readFinished(token, .failure(.failed("no answer from disk"))))
                return
            }
            step(.readFinished(token, .success(outcome)))
        } catch {
            step(.readFinished(token, .failure(error)))
        }
    }

    /// Turns, syncs and reads until nothing is left to do.
    mutating func settle() {
        for _ in 0..<100 {
            endTurn()
            sync()
            finishReads()
            if shard.isIdle, shard.takesRequests, store.isIdle { return }
        }
    }

    mutating func run(_ command: RawCommand) -> RawOutcome? {
        let number = send(command)
        settle()
        return replies[number]?.first
    }

    mutating func step(_ event: Event) {
        var effects: Effects = []
        shard.step(event, at: now, into: &effects)
        for effect in effects {
            switch effect {
            case .read(let token, let read, let view, let wall):
                reads.append((token, read, view, wall))
            case .send(let envelope):
                if case .reply(let reply) = envelope.body { replies[reply.number] = reply.outcomes }
            case .stopRead(let token): stopped.insert(token)
            case .append, .apply, .compact, .damaged, .refusedForSpace:
                _ = store.take(effect)
            case .respond, .released, .scrape, .sendFromLog, .sendSnapshot, .discardSnapshot,
                .stopSnapshots, .changed, .commandFailpoints, .commandStores:
                break
            }
        }
    }

    private mutating func deliver(_ body: Envelope.Body) {
        step(.received(Envelope(from: Self.requester, to: Self.shardAddress, body: body)))
    }
}

extension RawCommand {
    static func put(_ key: String, _ value: String, if condition: RawCondition = .none) -> Self {
        .put(RawPut(key: Key(utf8: key), value: Bytes(value.utf8), condition: condition))
    }

    static func get(_ key: String) -> Self { .get(Key(utf8: key)) }

    static func swap(_ key: String, _ expected: String?, _ value: String) -> Self {
        .compareAndSwap(
            RawCompareAndSwap(
                key: Key(utf8: key), expected: expected.map { Bytes($0.utf8) },
                replacement: .put(Bytes(value.utf8), timeToLive: nil)))
    }

    static func deleteRange(_ start: String, _ end: String) -> Self {
        .deleteRange(KeyRange(start: Key(utf8: start), end: Key(utf8: end)), dryRun: false)
    }
}

extension RawOutcome {
    static func found(_ value: String) -> Self { .found(RawValue(value: Bytes(value.utf8))) }
}
