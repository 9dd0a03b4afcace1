/// What the engine knows of its disk: how full it is, looked at when asked, and what there is to
/// get back (`ReclaimSchedule`).
///
/// RocksDB does not survive the end of the disk: in Debian's build, which has assertions, every
/// file that could not be written aborts the process when it is next touched. So nothing is begun
/// here that may not find room; that writes stop in time is decided before the log (`DiskGuard`).
internal import Base
internal import Storage
private import Synchronization

final class SpaceGate: Sendable {
    private struct State: Sendable {
        var disk = DiskGuard()
        var failedLooks: UInt64 = 0
        var reclaim = ReclaimSchedule()
    }

    private let origin = ContinuousClock.now
    private let path: String
    private let state = Mutex(State())

    init(path: String) { self.path = path }

    /// Looks that failed since the start.
    var failedLooks: UInt64 { state.withLock { $0.failedLooks } }

    func look(needs: () -> DiskGuard.Needs) throws(StorageError) -> DiskGuard {
        try state.withLock { state throws(StorageError) in
            do throws(SystemFailure) {
                let space = try fileSystemSpace(at: path)
                state.disk.observe(
                    freeBytes: space.free, capacityBytes: space.capacity,
                    freeFiles: space.freeFiles, needs: needs())
                return state.disk
            } catch {
                state.failedLooks += 1
                throw .unreadable("statvfs \(path): \(error.reason)")
            }
        }
    }

    /// What was written, while space is scarce.
    func note(_ batch: WriteBatch) {
        state.withLock { state in
            if state.disk.isTight { state.reclaim.noteDeletes(of: batch) }
        }
    }

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
}
