/// Stands before RocksDB's log and lets a batch pass only while everything after it finds room: a
/// flush of all that is in memory, a compaction.
///
/// RocksDB does not survive the end of the disk: in Debian's build, which has assertions, every
/// file that could not be written aborts the process when it is next touched, and a restart that
/// flushes what it replayed meets the same end. What may pass is `DiskGuard`'s decision; here is
/// when to look at the disk for it. Looking costs a system call and RocksDB's lock, so it is done
/// a few times a second while there is plenty of room, and for each batch when there is not:
/// others write to the same disk.
///
/// It also knows when a full store may try to get space back, and where: `reclaim` in Upkeep.
internal import Base
internal import Storage
private import Synchronization

final class SpaceGate: Sendable {
    /// How old a look may be.
    private static let lookInterval = Duration.milliseconds(100)

    /// How long after everything was compacted it may be again; a long compaction waits longer.
    private static let restInterval = Duration.seconds(30)

    fileprivate struct State: Sendable {
        var disk = DiskGuard()
        var lookedAt: ContinuousClock.Instant?
        /// Something was refused since space was last got back.
        var hasRefused = false
        /// The span of what was deleted since then, as far as the disk was nearly full.
        var deleted = KeyRange(start: .least, end: .least)
        /// Nil before the first time.
        var mayReclaimAllAt: ContinuousClock.Instant?
    }

    private let path: String
    private let state = Mutex(State())

    init(path: String) { self.path = path }

    /// Throws `.full` if the batch may not be written.
    func admit(
        _ batch: WriteBatch, byteCount: Int, needs: () -> DiskGuard.Needs
    ) throws(StorageError) {
        let storesNothing = batch.storesNothing
        let now = ContinuousClock.now
        let shortage = try state.withLock { state throws(StorageError) -> SpaceShortage? in
            let isFresh = state.lookedAt.map { now - $0 < Self.lookInterval } ?? false
            if isFresh, state.disk.hasPlenty,
                state.disk.admit(byteCount, storesNothing: storesNothing) == nil
            {
                state.noteDeletes(of: batch)
                return nil
            }
            try look(&state, at: now, needs())
            let shortage = state.disk.admit(byteCount, storesNothing: storesNothing)
            if shortage == nil { state.noteDeletes(of: batch) } else { state.hasRefused = true }
            return shortage
        }
        if let shortage { throw .full(shortage) }
    }

    func space(needs: () -> DiskGuard.Needs) throws(StorageError) -> DiskSpace {
        try state.withLock { state throws(StorageError) in
            try look(&state, at: .now, needs())
            return state.disk.space
        }
    }

    /// What to compact, to give space back to a store that is full or has refused something: now
    /// and then everything, because what was overwritten or has expired is not noted anywhere; in
    /// between what was deleted.
    func takeReclaimable() -> KeyRange? {
        let now = ContinuousClock.now
        return state.withLock { state in
            guard state.disk.isFull || state.hasRefused else { return nil }
            let mayTakeAll = state.mayReclaimAllAt.map { $0 <= now } ?? true
            guard mayTakeAll || !state.deleted.isEmpty else { return nil }
            defer {
                state.hasRefused = false
                state.deleted = KeyRange(start: .least, end: .least)
            }
            return mayTakeAll ? .all : state.deleted
        }
    }

    func reclaimed(_ range: KeyRange, in duration: Duration) {
        guard range == .all else { return }
        let next = ContinuousClock.now + max(Self.restInterval, duration * 10)
        state.withLock { $0.mayReclaimAllAt = next }
    }

    private func look(
        _ state: inout State, at now: ContinuousClock.Instant, _ needs: DiskGuard.Needs
    ) throws(StorageError) {
        let space = try fileSystemSpace(at: path)
        state.disk.observe(freeBytes: space.free, capacityBytes: space.capacity, needs: needs)
        state.lookedAt = now
    }
}

extension SpaceGate.State {
    mutating func noteDeletes(of batch: WriteBatch) {
        guard disk.isTight, deleted != .all else { return }
        for operation in batch.operations where operation.family == .raw {
            switch operation.kind {
            case .put: continue
            case .delete:
                let key = Key(Bytes(batch.arena[operation.key]))
                deleted.extend(to: KeyRange(start: key, end: key.successor))
            case .deleteRange: deleted.extend(to: batch.range(of: operation))
            }
        }
    }
}

extension KeyRange {
    /// The least range that holds both.
    fileprivate mutating func extend(to other: KeyRange) {
        guard !isEmpty else {
            self = other
            return
        }
        start = min(start, other.start)
        end = end.flatMap { end in other.end.map { max(end, $0) } }
    }
}
