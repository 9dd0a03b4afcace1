/// The one thread that writes: everything that queued while the last sync ran becomes one batch and
/// one sync. What is merged and what is tried again is decided by `CommitQueue`.
///
/// One writer per engine keeps batches in the order in which shards handed them over, and makes the
/// sync, the dearest thing a node does, shared by everyone who waits for it. Completions go back in
/// one event list per core. A failed write ends the store (reliability.md §3: an fsync that failed
/// is never tried again). What is queued here is bounded by the shards, which count the bytes that
/// they have handed over (`Limits.unsyncedBytes`).
internal import Base
internal import NIOPosix
internal import Node
internal import Storage
internal import Synchronization
internal import Telemetry

final class DiskWorker: Sendable {
    /// Who is told.
    struct Owner: Sendable {
        var core: Int
        var token: PersistToken
    }

    typealias Queue = CommitQueue<Owner>
    typealias Job = Queue.Job

    struct Statistics: Sendable {
        var syncDuration = Histogram(.syncDuration)
        var writesPerSync = Histogram(.count)
        var failures: [WriteFailure: UInt64] = [:]
    }

    private struct State: Sendable {
        var queue = Queue()
        var isRunning = false
        var statistics = Statistics()
    }

    private enum Task {
        case write(WriteBatch)
        case report(Queue.Completion)
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
            state.queue.append(jobs)
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
        while let task = nextTask() {
            switch task {
            case .report(let completion): publish(completion)
            case .write(let batch):
                let result = write(batch)
                // After it `CommitQueue` hands out no batch, so that this is said once.
                if case .failure(let error) = result, error.endsWrites { failed(error) }
                if let completion = state.withLock({ $0.queue.finished(result) }) {
                    publish(completion)
                }
            }
        }
    }

    private func nextTask() -> Task? {
        state.withLock { state in
            if let completion = state.queue.abandon() { return .report(completion) }
            if let batch = state.queue.next() { return .write(batch) }
            state.isRunning = false
            return nil
        }
    }

    private func write(_ batch: WriteBatch) -> Result<Void, StorageError> {
        let start = Clocks.monotonic()
        do {
            try engine.write(batch, sync: true)
        } catch {
            state.withLock { $0.statistics.failures[WriteFailure(error), default: 0] += 1 }
            return .failure(error)
        }
        let end = Clocks.monotonic()
        state.withLock { state in
            state.statistics.syncDuration.observe(from: start, to: end)
            state.statistics.writesPerSync.observe(UInt64(batch.count))
        }
        return .success(())
    }

    private func publish(_ completion: Queue.Completion) {
        let events = Dictionary(grouping: completion.jobs, by: \.owner.core).mapValues { jobs in
            jobs.map { job -> Event in
                switch completion.result {
                case .success: .persisted(job.owner.token)
                case .failure(let error): .persistFailed(job.owner.token, error)
                }
            }
        }
        for (core, events) in events { report(core, events) }
    }
}

/// Why a batch was not written. The raw values are frozen: dashboards and alerts name them.
enum WriteFailure: String, CaseIterable, Hashable, Sendable {
    case full
    case unreadable
    case failed
    case corrupt

    init(_ error: StorageError) {
        self =
            switch error {
            case .full: .full
            case .unreadable: .unreadable
            case .failed: .failed
            case .corrupt: .corrupt
            }
    }
}
