/// The one thread that writes: everything that queued while the last sync ran becomes one batch and
/// one sync.
///
/// One writer per engine keeps batches in the order in which shards handed them over, and makes the
/// sync, the dearest thing a node does, shared by everyone who waits for it. Completions go back in
/// one event list per core. A failed write ends the store (reliability.md §3: an fsync that failed
/// is never tried again). A batch for which the disk has no room is refused by the engine, and then
/// tried piece by piece: a delete must not fail because a large value came with it.
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

    fileprivate struct State: Sendable {
        var jobs: [Job] = []
        var isRunning = false
        var statistics = Statistics()
        var failure: StorageError?
    }

    private let engine: any KeyValueEngine
    private let thread: NIOThreadPool
    private let report: @Sendable (_ core: Int, _ events: [Event]) -> Void
    private let failed: @Sendable (StorageError) -> Void
    private let state = Mutex(State())

    /// Both are called on the worker's thread: `report` once per core and sync, `failed` once, when
    /// the store has failed, before the first of those who waited is told.
    init(
        engine: any KeyValueEngine, thread: NIOThreadPool,
        report: @escaping @Sendable (_ core: Int, _ events: [Event]) -> Void,
        failed: @escaping @Sendable (StorageError) -> Void
    ) {
        self.engine = engine
        self.thread = thread
        self.report = report
        self.failed = failed
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
                let jobs = state.takeJobs()
                if jobs.isEmpty { state.isRunning = false }
                return (jobs, state.failure)
            }
            if jobs.isEmpty { return }
            let outcome = failure.map { .failure($0) } ?? write(jobs)
            if jobs.count > 1, case .failure(.full) = outcome {
                for job in jobs { publish([job], write([job])) }
            } else {
                publish(jobs, outcome)
            }
        }
    }

    private func write(_ jobs: [Job]) -> Result<Void, StorageError> {
        var merged = jobs[0].batch
        for job in jobs.dropFirst() { merged.append(job.batch) }
        let start = Clocks.monotonic()
        do {
            try engine.write(merged, sync: true)
        } catch {
            state.withLock { state in
                state.statistics.failures += 1
                if case .full = error {} else { state.failure = error }
            }
            // From here on `drain` writes nothing, so that this is said once.
            if case .full = error {} else { failed(error) }
            return .failure(error)
        }
        let end = Clocks.monotonic()
        state.withLock { state in
            state.statistics.syncDuration.observe(from: start, to: end)
            state.statistics.writesPerSync.observe(UInt64(merged.count))
        }
        return .success(())
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

extension DiskWorker.State {
    /// The oldest jobs, together no larger than one write may be; a larger one comes alone.
    fileprivate mutating func takeJobs() -> [DiskWorker.Job] {
        var byteCount = 0
        let end = jobs.firstIndex { job in
            byteCount += job.batch.byteCount
            return byteCount > Limits.mergedWriteBytes
        }
        guard let end else {
            defer { jobs = [] }
            return jobs
        }
        let taken = jobs.prefix(max(1, end))
        jobs.removeFirst(taken.count)
        return Array(taken)
    }
}
