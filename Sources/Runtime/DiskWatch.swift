/// Looks at the disk a few times a second, tells every unit how full it is, and lets a full store
/// get back what was deleted.
///
/// A file system may hang, so looks happen on a thread of their own; getting space back means
/// flushes and compactions, which take long, and has another. What goes on for long is logged when
/// it begins and when it ends.
internal import Base
internal import Dispatch
internal import Failpoints
internal import Injection
internal import Logging
internal import NIOPosix
internal import Node
internal import Regions
internal import RocksStorage
internal import Storage
internal import Synchronization

final class DiskWatch: Sendable {
    private struct State: Sendable {
        var isStopped = false
        var isReclaiming = false
        /// The data was flushed to get space back: the log is to be reclaimed once it is cut more
        /// often than that.
        var logWaitsFor: UInt64?
        /// What was logged last; none if all is well.
        var problems: [Topic: String] = [:]
    }

    private enum Topic: Hashable, Sendable {
        case look
        case flushed
        case reclaim
        case reserve
        case files
    }

    /// How often free space is looked at, while there is plenty of it, while there is not, and
    /// while others could take the rest in a moment: what was admitted in between is charged at an
    /// estimate, and others write to the same disk.
    private static let interval = DispatchTimeInterval.milliseconds(500)
    private static let intervalWhenScarce = DispatchTimeInterval.milliseconds(50)
    private static let intervalWhenTight = DispatchTimeInterval.milliseconds(10)

    /// For a look that is under way when the node ends.
    private static let patience = DispatchTimeInterval.seconds(2)

    private let store: Store
    private let cores: [Core]
    private let upkeep: NIOThreadPool
    private let logger: Logger
    private let workers: StoreWorkers
    private let failpoints: FailpointRegistry
    /// What the replica was last told.
    private let flushed = Atomic<UInt64>(0)
    private let queue = DispatchQueue(label: "disk-watch")
    private let state = Mutex(State())

    init(
        store: Store, workers: StoreWorkers, cores: [Core], upkeep: NIOThreadPool,
        failpoints: FailpointRegistry, logger: Logger
    ) {
        self.failpoints = failpoints
        self.store = store
        self.workers = workers
        self.cores = cores
        self.upkeep = upkeep
        self.logger = logger
    }

    /// Returns after the first look, so that the first request meets units that know of a full
    /// disk.
    func start() async {
        await onQueue { self.lookLater(after: self.look()) }
    }

    /// Returns when no look is under way any more, or hangs: a file system that does not answer
    /// must not keep a node from ending.
    func stop() async {
        state.withLock { $0.isStopped = true }
        await withCheckedContinuation { continuation in
            let isDone = Atomic<Bool>(false)
            let end: @Sendable () -> Void = {
                if !isDone.exchange(true, ordering: .relaxed) { continuation.resume() }
            }
            queue.async(execute: end)
            DispatchQueue.global().asyncAfter(deadline: .now() + Self.patience, execute: end)
        }
    }

    private func onQueue(_ body: @escaping @Sendable () -> Void) async {
        await withCheckedContinuation { continuation in
            queue.async {
                body()
                continuation.resume()
            }
        }
    }

    private func lookLater(after interval: DispatchTimeInterval) {
        // Weak: what waits here must not keep a node that has ended, and its lock on the data.
        queue.asyncAfter(deadline: .now() + interval) { [weak self] in
            guard let self, !state.withLock({ $0.isStopped }) else { return }
            lookLater(after: look())
        }
    }

    /// - Returns: when to look again.
    private func look() -> DispatchTimeInterval {
        var mayFlush = true
        var interval = Self.interval
        do {
            try failpoints.check(.diskLook)
            let space = try store.lookAtDisk()
            mayFlush = space.mayFlush
            if !space.hasPlenty { interval = Self.intervalWhenScarce }
            if space.isTight { interval = Self.intervalWhenTight }
            keepReserve(space)
            for core in cores {
                core.post([
                    Delivery(to: .shard, .diskSpace(space)),
                    Delivery(to: .gateway, .diskSpace(space)),
                ])
            }
            if change(.look, to: nil) { logger.notice("free space can be told again") }
            if !space.space.isFull, change(.reclaim, to: nil) {
                logger.notice("the disk has room again")
            }
        } catch {
            if change(.look, to: "\(error)") {
                logger.warning(
                    "free space cannot be told; what was seen last holds",
                    metadata: ["event": "space_unknown", "error": "\(error)"])
            }
        }
        if mayFlush { noteFiles() }
        noteFlushed(mayFlush)
        reclaim(mayFlush)
        return interval
    }

    /// First of all, for RocksDB may be writing: see `DiskReserve`.
    private func keepReserve(_ space: DiskGuard) {
        do throws(StorageError) {
            store.reserve.expect(space)
            if !space.mayFlush { try store.reserve.giveBack() }
            if store.reserve.wasGivenBack() {
                logger.warning(
                    "others have filled the disk; what was set aside on it is given back",
                    metadata: [
                        "event": "reserve_used", "free": "\(space.space.freeBytes)",
                        "try": "df -h; df -i   # make room, then it is set aside again",
                    ])
            }
            try store.reserve.make(
                store.reserveBytes, if: space.maySetAside(store.reserveBytes))
            if change(.reserve, to: nil) { logger.notice("the reserve can be kept again") }
        } catch {
            guard change(.reserve, to: "\(error)") else { return }
            logger.warning(
                "no space can be set aside for a full disk; it is tried again",
                metadata: ["event": "reserve_failed", "error": "\(error)"])
        }
    }

    private func noteFiles() {
        do throws(StorageError) {
            try store.log.noteFiles()
            if change(.files, to: nil) { logger.notice("the log's files are noted again") }
        } catch {
            guard change(.files, to: "\(error)") else { return }
            logger.warning(
                "the newest file of the log cannot be noted; a start would not miss it",
                metadata: ["event": "files_not_noted", "error": "\(error)"])
        }
    }

    /// Tells the replica how much of its log is no longer needed. RocksDB flushes when it likes;
    /// when it has not for long, it is told to, or the log would grow for ever under writes of a
    /// few keys.
    private func noteFlushed(_ mayFlush: Bool) {
        guard !state.withLock({ $0.isStopped }), !workers.hasFailed else { return }
        do throws(StorageError) {
            let isLong = workers.statistics.logBytes > Limits.logBytesUnflushed
            if isLong, mayFlush { try store.engine.flush() }
        } catch {
            return workers.fail(error)
        }
        do throws(StorageError) {
            try failpoints.check(.diskFlushed)
            let told = flushed.load(ordering: .relaxed)
            guard let index = try Store.flushed(store.engine), index > told else { return }
            flushed.store(index, ordering: .relaxed)
            cores[0].post([Delivery(to: .shard, .flushed(Store.group, through: index))])
            if change(.flushed, to: nil) { logger.notice("the log can be cut again") }
        } catch {
            // Nothing is lost by what could not be read: the log is kept for longer.
            guard change(.flushed, to: "\(error)") else { return }
            logger.error(
                "what the data has on disk cannot be read, so the log grows; it is tried again",
                metadata: ["event": "flush_unknown", "error": "\(error)"])
        }
    }

    /// First the data, and when the log has been cut for it, the log: entries are kept until the
    /// data that they became is on disk.
    private func reclaim(_ mayFlush: Bool) {
        let isFirst = state.withLock { state in
            defer { state.isReclaiming = true }
            return !state.isReclaiming
        }
        guard isFirst else { return }
        upkeep.submit { [self] workState in
            defer { state.withLock { $0.isReclaiming = false } }
            guard workState == .active else { return }
            do {
                try failpoints.check(.diskReclaim)
                if mayFlush { try reclaimLog() }
                let cuts = workers.statistics.cuts
                guard try store.engine.reclaim() else { return }
                state.withLock { $0.logWaitsFor = cuts }
                logger.info("compacted because the disk is full")
                _ = change(.reclaim, to: nil)
            } catch {
                guard change(.reclaim, to: "\(error)") else { return }
                logger.error(
                    "the store could not be flushed to get space back; it is tried again",
                    metadata: ["event": "flush_failed", "error": "\(error)"])
            }
        }
    }

    private func reclaimLog() throws {
        let cuts = workers.statistics.cuts
        let isDue = state.withLock { $0.logWaitsFor.map { $0 < cuts } ?? false }
        guard isDue, !workers.hasFailed,
            store.engine.hasRoom(for: store.log.spaceNeeds.compactionBytes)
        else { return }
        try store.log.reclaim()
        state.withLock { $0.logWaitsFor = nil }
    }

    /// False if that is what was said last.
    private func change(_ topic: Topic, to problem: String?) -> Bool {
        state.withLock { state in
            defer { state.problems[topic] = problem }
            return state.problems[topic] != problem
        }
    }
}
