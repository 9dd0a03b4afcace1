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
/// It also keeps the `ReclaimSchedule`.
internal import Base
internal import Storage
private import Synchronization

final class SpaceGate: Sendable {
    /// How old a look may be.
    private static let lookInterval = Duration.milliseconds(100)

    private struct State: Sendable {
        var disk = DiskGuard()
        /// Nil before the first look, and after one that failed: the next batch looks again.
        var lookedAt: Instant?
        var hasVerdict = false
        var failedLooks: UInt64 = 0
        var reclaim = ReclaimSchedule()
    }

    private let origin = ContinuousClock.now
    private let path: String
    private let state = Mutex(State())

    init(path: String) { self.path = path }

    /// Looks that failed since the start.
    var failedLooks: UInt64 { state.withLock { $0.failedLooks } }

    /// Throws `.full` if the batch may not be written. While the disk cannot be looked at, what was
    /// seen last holds, less what was admitted since: a file system that does not tell its size may
    /// still take writes, and one that has failed says so itself.
    func admit(
        _ batch: WriteBatch, byteCount: Int, needs: () -> DiskGuard.Needs
    ) throws(StorageError) {
        let storesNothing = batch.storesNothing
        let now = now
        let shortage = try state.withLock { state throws(StorageError) -> SpaceShortage? in
            let isFresh = state.lookedAt.map { now.since($0) < Self.lookInterval } ?? false
            if isFresh, state.disk.hasPlenty,
                state.disk.admit(byteCount, storesNothing: storesNothing) == nil
            {
                note(batch, &state)
                return nil
            }
            do throws(StorageError) {
                try look(&state, at: now, needs())
            } catch {
                guard state.hasVerdict else { throw error }
            }
            let shortage = state.disk.admit(byteCount, storesNothing: storesNothing)
            if shortage == nil { note(batch, &state) } else { state.reclaim.noteRefusal() }
            return shortage
        }
        if let shortage { throw .full(shortage) }
    }

    func look(needs: () -> DiskGuard.Needs) throws(StorageError) -> DiskGuard {
        try state.withLock { state throws(StorageError) in
            try look(&state, at: now, needs())
            return state.disk
        }
    }

    /// What was admitted elsewhere, before it went into a log.
    func note(_ batch: WriteBatch) { state.withLock { note(batch, &$0) } }

    /// Something was refused elsewhere, before it went into a log.
    func noteRefusal() { state.withLock { $0.reclaim.noteRefusal() } }

    /// Whether a compaction that writes so much may begin; not if the disk does not answer.
    func hasRoom(for byteCount: UInt64) -> Bool {
        state.withLock { state in
            do throws(SystemFailure) {
                let space = try fileSystemSpace(at: path)
                state.disk.observe(freeBytes: space.free, freeFiles: space.freeFiles)
                return state.disk.mayCompact(byteCount)
            } catch {
                state.failedLooks += 1
                return false
            }
        }
    }

    /// What to compact, to give space back to a store that is full or has refused something.
    func startReclaiming() -> KeyRange? {
        state.withLock { state in
            guard state.disk.mayFlush else { return nil }
            return state.reclaim.start(at: now, isFull: state.disk.isFull)
        }
    }

    func reclaimed(_ range: KeyRange, in duration: Duration) {
        state.withLock { $0.reclaim.succeeded(range, at: now, after: duration) }
    }

    func couldNotReclaim(_ range: KeyRange) {
        state.withLock { $0.reclaim.failed(range, at: now) }
    }

    private var now: Instant { .origin + (.now - origin) }

    private func look(
        _ state: inout State, at now: Instant, _ needs: DiskGuard.Needs
    ) throws(StorageError) {
        do throws(SystemFailure) {
            let space = try fileSystemSpace(at: path)
            state.disk.observe(
                freeBytes: space.free, capacityBytes: space.capacity, freeFiles: space.freeFiles,
                needs: needs)
            state.lookedAt = now
            state.hasVerdict = true
        } catch {
            state.failedLooks += 1
            state.lookedAt = nil
            throw .unreadable("statvfs \(path): \(error.reason)")
        }
    }

    private func note(_ batch: WriteBatch, _ state: inout State) {
        if state.disk.isTight { state.reclaim.noteDeletes(of: batch) }
    }
}
