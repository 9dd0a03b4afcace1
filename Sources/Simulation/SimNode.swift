/// One simulated node: cores, a disk, clocks; several lives, one after the other.
internal import API
internal import Base
internal import Node
internal import Regions
internal import Storage

final class SimNode {
    let id: Int
    var clock: SimClock
    var disk: SimDisk
    private(set) var cores: [SimCore] = []
    private(set) var incarnation = 0
    private(set) var isUp = false
    private(set) var crashedAt: Instant?

    /// Batches handed to the disk and batches reported in this life: what the node was told,
    /// counted by the host.
    var issuedCount = 0
    var reportedCount = 0
    /// Bytes handed to the disk and not yet reported, of the owner of the key space.
    var unsyncedBytes = 0
    /// Reads handed to reader threads and not yet finished.
    var readsOut = 0
    /// Calls with an unknown outcome that may still take effect, and how many reports settle each.
    var unsettled: [(call: Int, reports: Int)] = []
    /// Calls abandoned by their client: settled when the node has nothing left to do.
    var abandoned: [Int] = []

    /// Set to crash it while it writes its next batch, or its next one that deletes a range.
    var crashesAtSync: AwaitedSync?

    enum AwaitedSync {
        case any
        case ofRangeDelete
    }

    init(id: Int, clock: SimClock, bug: HostBug?) {
        self.id = id
        self.clock = clock
        disk = SimDisk(bug: bug)
    }

    func place(_ core: Int) -> CorePlace {
        CorePlace(node: id, core: core, incarnation: incarnation)
    }

    /// The core that a place names, if that life goes on.
    func core(_ place: CorePlace) -> SimCore? {
        isUp && place.incarnation == incarnation ? cores[place.core] : nil
    }

    func start(
        cores count: Int, settings: ShardSettings, bug: HostBug?, at instant: Instant,
        generator: inout SeededGenerator
    ) {
        incarnation += 1
        isUp = true
        // A monotonic clock's origin means nothing: each life gets another.
        let origin = Instant(nanoseconds: generator.next() >> 24)
        clock.restart(at: instant, showing: origin)
        let facts = NodeFacts(
            version: "0.0.0", revision: "simulated", nodeID: "sim-\(id)", engine: "memory",
            startedAt: clock.now(at: instant))
        if bug == .expiryStartsAnew, incarnation > 1 {
            disk.postponeExpiry(byMilliseconds: 500)
        }
        let owner = UnitAddress(core: 0, unit: .shard)
        cores = []
        for index in 0..<count {
            let gateway = Gateway(
                address: UnitAddress(core: index, unit: .gateway), shard: owner, facts: facts,
                generator: &generator)
            let shard = Shard(
                address: UnitAddress(core: index, unit: .shard), engine: disk.engine,
                settings: settings)
            cores.append(
                SimCore(
                    index: index, incarnation: incarnation, gateway: gateway, shard: shard,
                    bug: bug))
        }
    }

    func crash(at instant: Instant, _ generator: inout SeededGenerator, tail: SimDisk.Tail) {
        isUp = false
        crashedAt = instant
        crashesAtSync = nil
        disk.crash(&generator, tail: tail)
        issuedCount = 0
        reportedCount = 0
        unsyncedBytes = 0
        readsOut = 0
        unsettled = []
        abandoned = []
    }

    /// Whether nothing is under way anywhere in the node.
    var isIdle: Bool {
        guard isUp else { return true }
        for core in cores where !core.inbox.isEmpty || !core.gateway.isIdle || !core.shard.isIdle {
            return false
        }
        return disk.isIdle && readsOut == 0 && issuedCount == reportedCount
    }
}
