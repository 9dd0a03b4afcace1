/// One simulated node: cores, a disk, clocks; several lives, one after the other.
internal import API
internal import Base
internal import Failpoints
internal import Node
internal import Raft
internal import Regions
internal import Storage

final class SimNode {
    static let group = GroupID(1)

    let id: Int
    private(set) var store: StoreID
    private(set) var replica: ReplicaID
    /// Of the group when it began; empty for a store that is to join it.
    private var membership: Membership
    private let isSolo: Bool
    var clock: SimClock
    var disk: SimDisk
    /// Of all its lives.
    var failpoints: FailpointTable
    private(set) var cores: [SimCore] = []
    private(set) var incarnation = 0
    private(set) var isUp = false
    private(set) var crashedAt: Instant?
    /// Nothing is on its disk.
    private var isNew = true

    /// By index: what was handed to the log there last, in any life. The simulator's own memory:
    /// what a crash takes is overwritten before it is applied.
    var entries: [LogIndex: Bytes] = [:]
    /// What was compared with what others applied, in this life.
    var checkedApplied: LogIndex = 0
    /// How the replica stood after its last turn in this life.
    var status: GroupStatus?
    /// At the end of its log, one after the other, in this life.
    var memberships: [Membership] = []
    /// The last entry handed to the log, and the last that the node was told is applied.
    var logged: LogIndex = 0
    var applied: LogIndex = 0
    /// The first entry of this life.
    var firstLogged: LogIndex = .max
    /// What the node was told last is on disk.
    var flushed: LogIndex = 0
    var hasFailed = false
    /// Bytes in entries of this life that are not applied.
    var unappliedBytes = 0
    /// As in production, clients are let in when every core takes requests. At that moment the data
    /// is what was acknowledged in earlier lives, and nothing of this one is in it.
    var isListening = false
    /// Reads handed to reader threads and not yet finished.
    var readsOut = 0
    /// Calls with an unknown outcome that may still take effect, and up to which entry.
    var unsettled: [(call: Int, through: LogIndex)] = []
    /// Calls abandoned by their client: settled when the node has nothing left to do.
    var abandoned: [Int] = []

    /// Set to crash it while it writes its next batch, or its next one that deletes a range.
    var crashesAtSync: AwaitedSync?

    enum AwaitedSync {
        case any
        case ofRangeDelete
    }

    /// - Parameter founders: stores that began the group; one of a later number has to join it.
    init(
        id: Int, founders: Int, clock: SimClock, failpoints: FailpointTable, bug: HostBug?
    ) {
        self.id = id
        self.failpoints = failpoints
        store = StoreID(UInt32(id + 1))
        replica = ReplicaID(on: store)
        let voters = (1...founders).map { ReplicaID(on: StoreID(UInt32($0))) }
        membership = Membership(voters: id < founders ? voters : [])
        isSolo = founders == 1
        self.clock = clock
        disk = SimDisk(replica: replica, bug: bug)
    }

    /// So small that batches of a few operations are put off to a next turn.
    private static let turnWeightLimit = 2

    func place(_ core: Int) -> CorePlace {
        CorePlace(node: id, core: core, incarnation: incarnation)
    }

    /// The core that a place names, if that life goes on.
    func core(_ place: CorePlace) -> SimCore? {
        isUp && place.incarnation == incarnation ? cores[place.core] : nil
    }

    func start(
        cores count: Int, settings: ShardSettings, raft: RaftSettings,
        logBytesKept: LogBytesKept, bug: HostBug?, at instant: Instant,
        generator: inout SeededGenerator
    ) throws(StorageError) {
        incarnation += 1
        // A monotonic clock's origin means nothing: each life gets another.
        let origin = Instant(nanoseconds: generator.next() >> 24)
        clock.restart(at: instant, showing: origin)
        let facts = NodeFacts(
            version: "0.0.0", revision: "simulated", nodeID: "sim-\(id)",
            store: store, engine: "memory", memoryBoundBytes: nil,
            startedAt: clock.now(at: instant))
        if bug == .expiryStartsAnew, incarnation > 1 {
            try disk.postponeExpiry(byMilliseconds: 500)
        }
        let replica = try openStore().start(
            raft, logBytesKept: logBytesKept, generator: generator.split(),
            at: clock.now(at: instant).instant)
        isUp = true
        let owner = UnitAddress(core: 0, unit: .shard)
        cores = []
        for index in 0..<count {
            let gateway = Gateway(
                address: UnitAddress(core: index, unit: .gateway), shard: owner, facts: facts,
                turnWeightLimit: Self.turnWeightLimit, generator: &generator)
            let shard = Shard(
                address: UnitAddress(core: index, unit: .shard), engine: disk.engine,
                replica: index == 0 ? replica : nil, settings: settings)
            cores.append(
                SimCore(
                    index: index, incarnation: incarnation, gateway: gateway, shard: shard,
                    bug: bug))
        }
    }

    private func openStore() throws(StorageError) -> RecoveredReplica {
        if isNew {
            isNew = false
            try RecoveredReplica.begin(
                Self.group, disk.log, replica: replica, membership: membership)
        }
        let store = try RecoveredReplica(of: Self.group, log: disk.log, data: disk.engine)
        guard disk.bug == .logIsForgotten, incarnation > 1 else { return store }
        let applied = try RecoveredReplica.applied(of: Self.group, in: disk.engine)
        guard let applied else { return store }
        let rest = LogWrite(
            token: DurabilityToken(number: 0), firstIndex: applied.snapshot.position.index + 1,
            truncates: true)
        var batch = LogBatch()
        batch.add(rest, of: Self.group, replica: replica) { _ in [] }
        try disk.log.write(batch)
        return try RecoveredReplica(of: Self.group, log: disk.log, data: disk.engine)
    }

    func crash(at instant: Instant, _ generator: inout SeededGenerator, tail: SimDisk.Tail) {
        isUp = false
        crashedAt = instant
        crashesAtSync = nil
        status = nil
        memberships = []
        checkedApplied = 0
        disk.crash(&generator, tail: tail)
        logged = 0
        applied = 0
        firstLogged = .max
        flushed = 0
        hasFailed = false
        unappliedBytes = 0
        isListening = false
        readsOut = 0
        unsettled = []
        abandoned = []
    }

    /// Of a node that is down: its disk is lost, and it comes back as another store.
    func wipe(as store: StoreID) {
        invariant(!isUp, "a disk is taken from a node that is down")
        self.store = store
        replica = ReplicaID(on: store)
        membership = Membership()
        disk = SimDisk(replica: replica, bug: disk.bug)
        isNew = true
        entries = [:]
    }

    /// Whether nothing is under way anywhere in the node.
    var isIdle: Bool { work == nil }

    /// What is under way; nil if nothing is.
    var work: String? {
        guard isUp else { return nil }
        for core in cores {
            if !core.inbox.isEmpty { return "core \(core.index) has \(core.inbox.count) events" }
            if !core.gateway.isIdle { return "gateway \(core.index) has requests" }
            if !core.shard.isIdle { return "shard \(core.index) has requests or proposals" }
        }
        if !disk.isIdle { return "the disk writes" }
        if readsOut != 0 { return "\(readsOut) reads are at the disk" }
        // A node of several begins a life without a word from its log.
        guard isSolo, logged != applied else { return nil }
        return "logged up to entry \(logged), applied up to \(applied)"
    }
}
