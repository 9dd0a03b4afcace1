// The disk under a host: a log, data, and the two writers, which do nothing before a test says so.
import Base
import Node
import Raft
import Regions
import Storage

struct TestStore {
    static let group = GroupID(1)

    let log = MemoryLog()
    let engine: MemoryEngine
    /// Handed over and not yet written.
    private(set) var appends: [LogAppend] = []
    private(set) var applies: [LogApply] = []
    private(set) var compactions: [GroupBase] = []
    private(set) var damage: StorageError?

    init(engine: MemoryEngine = MemoryEngine()) { self.engine = engine }

    func makeReplica(at now: Instant) throws -> Replica {
        try RecoveredReplica.begin(Self.group, log)
        return try RecoveredReplica(of: Self.group, log: log, data: engine).start(
            RaftSettings(), generator: SeededGenerator(seed: 1), at: now)
    }

    var isIdle: Bool { appends.isEmpty && applies.isEmpty }

    /// What the entries at the log will write, one batch each.
    var batches: [WriteBatch] {
        get throws {
            try appends.flatMap(\.records).compactMap { try CommandRecord.batch(ofEntry: $0) }
        }
    }

    /// False if the effect is none of a disk's.
    mutating func take(_ effect: Effect) -> Bool {
        switch effect {
        case .append(let append): appends.append(append)
        case .apply(let apply): applies.append(apply)
        case .compact(_, let base): compactions.append(base)
        case .damaged(let error): damage = error
        default: return false
        }
        return true
    }

    /// Writes and syncs everything at the log; what the shard is told of it.
    mutating func syncLog() -> [Event] {
        guard !appends.isEmpty else { return [] }
        var batch = LogBatch()
        for append in appends {
            batch.add(append.write, of: append.group, replica: ReplicaID(1)) { index in
                append.records[Int(index - append.write.firstIndex)]
            }
        }
        defer { appends = [] }
        do {
            try log.write(batch)
            return appends.map { .logged($0.group, $0.write.token) }
        } catch {
            return [.storeFailed(error)]
        }
    }

    mutating func apply() -> [Event] {
        defer { applies = [] }
        do {
            for apply in applies { try engine.write(apply.batch, sync: false) }
            return applies.map { .applied($0.group, through: $0.through) }
        } catch {
            return [.storeFailed(error)]
        }
    }
}

extension DiskGuard {
    /// What a look at a disk of a gigabyte says of which so much is free.
    static func seen(free bytes: UInt64) -> DiskGuard {
        var disk = DiskGuard()
        disk.observe(
            freeBytes: bytes, capacityBytes: 1 << 30, freeFiles: nil,
            needs: Needs(flushBytes: 0, compactionBytes: 0, memtableBytes: 1 << 10))
        return disk
    }
}
