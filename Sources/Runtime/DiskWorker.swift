/// The one thread that writes: everything that queued while the last sync ran becomes one batch and
/// one sync.
///
/// One writer per engine keeps batches in the order in which shards handed them over, and makes the
/// sync, the dearest thing a node does, shared by everyone who waits for it. Completions go back in
/// one event list per core. A failed write ends the store (reliability.md §3: an fsync that failed
/// is never tried again); a full disk refuses batches that take space, checked here before each
/// write because the gap between two looks of the guard can hold many megabytes.
internal import Base
internal import NIOPosix
internal import Node
internal import Storage
internal import Synchronization
internal import Telemetry

final class DiskWorker: Sendable {
    struct Job: Sendable {
        var core: Int
        var token: PersistToken
        var batch: WriteBatch
    }

    struct Statistics: Sendable {
        var syncDuration = Histogram(.syncDuration)
        var writesPerSync = Histogram(.count)
        var queuedBytes: UInt64 = 0
        var failures: UInt64 = 0
    }

    private struct State: Sendable {
        var jobs: [Job] = []
        var isRunning = false
        var statistics = Statistics()
        var failure: StorageError?
    }

    private let engine: any KeyValueEngine
    private let space: @Sendable () throws(StorageError) -> DiskSpace
    private let thread: NIOThreadPool
    private let report: @Sendable (_ core: Int, _ events: [Event]) -> Void
    private let state = Mutex(State())

    /// `report` is called on the worker's thread, once per core and sync.
    init(
        engine: any KeyValueEngine, thread: NIOThreadPool,
        space: @escaping @Sendable () throws(StorageError) -> DiskSpace,
        report: @escaping @Sendable (_ core: Int, _ events: [Event]) -> Void
    ) {
        self.engine = engine
        self.thread = thread
        self.space = space
        self.report = report
    }

    var statistics: Statistics { state.withLock { $0.statistics } }

    func submit(_ jobs: [Job]) {
        let mustWake = state.withLock { state in
            state.jobs.append(contentsOf: jobs)
            state.statistics.queuedBytes += jobs.reduce(0) { $0 + UInt64($1.batch.byteCount) }
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if mustWake {
            thread.submit { [self] workState in
                // Cancelled only when the pool is shut down, after the cores have drained.
                if workState == .active { drain() }
            }
        }
    }

    private func drain() {
        while true {
            let (jobs, failure) = state.withLock { state -> ([Job], StorageError?) in
                let jobs = state.jobs
                state.jobs = []
                if jobs.isEmpty { state.isRunning = false }
                return (jobs, state.failure)
            }
            if jobs.isEmpty { return }
            let outcome = failure.map { .failure($0) } ?? write(jobs)
            publish(jobs, outcome)
        }
    }

    private func write(_ jobs: [Job]) -> Result<Void, StorageError> {
        var merged = jobs[0].batch
        for job in jobs.dropFirst() { merged.append(job.batch) }
        let start = Clocks.monotonic()
        do {
            if merged.takesSpace { try checkSpace(for: merged.byteCount) }
            try engine.write(merged, sync: true)
        } catch {
            state.withLock { state in
                state.statistics.failures += 1
                if case .full = error {} else { state.failure = error }
            }
            return .failure(error)
        }
        let end = Clocks.monotonic()
        state.withLock { state in
            state.statistics.syncDuration.observe(from: start, to: end)
            state.statistics.writesPerSync.observe(UInt64(merged.count))
        }
        return .success(())
    }

    /// Leaves room for the log, the flush and the compaction of what is written: three times its
    /// size above half of the guard's floor, below which even deletes and flushes would come to a
    /// halt.
    private func checkSpace(for byteCount: Int) throws(StorageError) {
        let space = try self.space()
        var floor = DiskGuard()
        floor.observe(space)
        guard space.freeBytes < floor.floorBytes / 2 + 3 * UInt64(byteCount) else { return }
        throw .full("\(space.freeBytes) bytes are free")
    }

    private func publish(_ jobs: [Job], _ outcome: Result<Void, StorageError>) {
        state.withLock { state in
            state.statistics.queuedBytes -= jobs.reduce(0) { $0 + UInt64($1.batch.byteCount) }
        }
        let events = Dictionary(grouping: jobs, by: \.core).mapValues { jobs in
            jobs.map { job -> Event in
                switch outcome {
                case .success: .persisted(job.token)
                case .failure(let error): .persistFailed(job.token, error)
                }
            }
        }
        for (core, events) in events { report(core, events) }
    }
}

extension WriteBatch {
    /// Whether the batch stores something, and not only deletes.
    var takesSpace: Bool { operations.contains { $0.kind == .put } }
}
