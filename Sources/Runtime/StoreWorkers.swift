/// The two threads that write: one for the log, where everything that queued becomes one batch and
/// one sync, and one for the data, where everything that is committed becomes one batch and none.
///
/// Two, because what is committed must not wait behind the next sync. A failure of either is the
/// store's end (reliability.md §3: an fsync that failed is never tried again): nothing is written
/// any more, nobody is told that anything was done, and the node ends.
internal import Base
internal import Failpoints
internal import Injection
internal import NIOPosix
internal import Node
internal import Raft
internal import Regions
internal import RocksStorage
internal import Storage
internal import Synchronization
internal import Telemetry

final class StoreWorkers: Sendable {
    enum LogItem: Sendable {
        case append(core: Int, LogAppend)
        case compact(GroupID, GroupBase)
    }

    enum DataItem: Sendable {
        case apply(core: Int, LogApply)
        /// A snapshot that takes the place of the data, and the log's part of it, which comes
        /// after.
        case install(SnapshotIdentity, LogItem)
    }

    struct Statistics: Sendable {
        var syncDuration = Histogram(.syncDuration)
        var entriesPerSync = Histogram(.count)
        var applyDuration = Histogram(.syncDuration)
        var failures: [WriteFailure: UInt64] = [:]
        /// Bytes of entries since the log was last cut, those included that a start has found.
        var logBytes = 0
        /// How often it was.
        var cuts: UInt64 = 0
    }

    private struct State: Sendable {
        var statistics = Statistics()
        var failure: StorageError?
        var order = InstallOrder<LogItem>()
    }

    private let log: any RaftLogStore
    private let engine: RocksEngine
    private let reserve: DiskReserve
    private let replica: ReplicaID
    private let report: @Sendable (_ core: Int, _ events: [Event]) -> Void
    private let failed: @Sendable (StorageError) -> Void
    private let state: Mutex<State>
    private let failpoints: FailpointRegistry
    private let depot: SnapshotDepot
    private let logWorker: BatchWorker<LogItem>
    private let dataWorker: BatchWorker<DataItem>

    /// Both are called on the workers' threads: `report` once per core and round, `failed` once.
    init(
        log: any RaftLogStore, engine: RocksEngine, reserve: DiskReserve, replica: ReplicaID,
        logBytes: Int, depot: SnapshotDepot, threads: NodeThreads, failpoints: FailpointRegistry,
        report: @escaping @Sendable (_ core: Int, _ events: [Event]) -> Void,
        failed: @escaping @Sendable (StorageError) -> Void
    ) {
        self.log = log
        self.engine = engine
        state = Mutex(State(statistics: Statistics(logBytes: logBytes)))
        self.reserve = reserve
        self.replica = replica
        self.depot = depot
        logWorker = BatchWorker(thread: threads.log)
        dataWorker = BatchWorker(thread: threads.data)
        self.failpoints = failpoints
        self.report = report
        self.failed = failed
    }

    /// Nothing is written any more.
    var hasFailed: Bool { state.withLock { $0.failure != nil } }

    var statistics: Statistics { state.withLock { $0.statistics } }

    /// From one core at a time, behind what it handed to `apply` before.
    func append(_ items: [LogItem]) {
        // Within the lock, so that nothing passes what waited for a snapshot.
        state.withLock { state in sort(items, &state) }
    }

    func apply(_ items: [DataItem]) {
        dataWorker.submit(items) { [self] in write($0) }
    }

    private func sort(_ items: [LogItem], _ state: inout State) {
        let (log, install) = state.order.sort(items) { item in
            if case .append(_, let append) = item { append.write.snapshot } else { nil }
        }
        if !log.isEmpty { logWorker.submit(log) { [self] in write($0) } }
        if let install { apply([.install(install.snapshot, install.item)]) }
    }

    // MARK: The log

    private func write(_ items: [LogItem]) {
        failpoints.reached(.logTake)
        var rest = items[...]
        while !rest.isEmpty {
            var batch = LogBatch()
            var events: [Int: [Event]] = [:]
            repeat {
                add(rest.removeFirst(), to: &batch, &events)
            } while !rest.isEmpty
                && batch.byteCount < Limits.mergedWriteBytes
            guard sync(batch) else { return }
            for (core, events) in events { report(core, events) }
        }
    }

    private func add(_ item: LogItem, to batch: inout LogBatch, _ events: inout [Int: [Event]]) {
        switch item {
        case .append(let core, let append):
            batch.add(append.write, of: append.group, replica: replica) { index in
                append.records[Int(index - append.write.firstIndex)]
            }
            events[core, default: []].append(.logged(append.group, append.write.token))
        case .compact(let group, let base):
            failpoints.reached(.logCut)
            batch.setBase(base, of: group)
            state.withLock { state in
                state.statistics.logBytes = 0
                state.statistics.cuts += 1
            }
        }
    }

    private func sync(_ batch: LogBatch) -> Bool {
        attempt { () throws(StorageError) in
            let start = Clocks.monotonic()
            try failpoints.check(.logSync)
            try reserve.lookBeforeWriting()
            try log.write(batch)
            try failpoints.check(.logSynced)
            let end = Clocks.monotonic()
            state.withLock { state in
                state.statistics.syncDuration.observe(from: start, to: end)
                state.statistics.entriesPerSync.observe(UInt64(batch.entryCount))
                state.statistics.logBytes += batch.byteCount
            }
        }
    }

    // MARK: The data

    private func write(_ items: [DataItem]) {
        var rest = items[...]
        while let first = rest.popFirst() {
            switch first {
            case .install(let snapshot, let item): guard install(snapshot, item) else { return }
            case .apply(let core, let apply):
                var batch = apply.batch
                var events = [core: [event(of: apply)]]
                while case .apply(let core, let next)? = rest.first,
                    batch.byteCount < Limits.mergedWriteBytes
                {
                    batch.append(next.batch)
                    events[core, default: []].append(event(of: next))
                    rest.removeFirst()
                }
                guard write(batch) else { return }
                for (core, events) in events { report(core, events) }
            }
        }
    }

    private func write(_ batch: WriteBatch) -> Bool {
        let isDone = attempt { () throws(StorageError) in
            let start = Clocks.monotonic()
            try failpoints.check(.dataWrite)
            try engine.write(batch, sync: false)
            let end = Clocks.monotonic()
            state.withLock { $0.statistics.applyDuration.observe(from: start, to: end) }
        }
        if isDone { failpoints.reached(.dataApplied) }
        return isDone
    }

    /// The log has to begin behind it only once it is in place.
    private func install(_ snapshot: SnapshotIdentity, _ item: LogItem) -> Bool {
        let isDone = attempt { () throws(StorageError) in
            guard let staged = depot.staged(snapshot) else {
                throw .failed("the snapshot of \(snapshot.position) is not here any more")
            }
            try engine.install(staged.files, facts: staged.arrival.facts)
            depot.installed(snapshot)
        }
        guard isDone else { return false }
        state.withLock { state in
            let behind = state.order.finish(snapshot)
            sort([item] + behind, &state)
        }
        return true
    }

    /// Applies it on the core's own thread, if that takes no time: two threads less to wake for a
    /// turn of small writes. Not while others of that core are under way, which come first.
    /// - Returns: nil if it has to be handed over.
    func applyAtOnce(_ apply: LogApply) -> Event? {
        guard apply.batch.byteCount <= Limits.appliedAtOnceBytes,
            state.withLock({ $0.order.isIdle }), !failpoints.isSet(.dataWrite),
            !failpoints.isSet(.dataApplied)
        else { return nil }
        var isDone = false
        _ = attempt { () throws(StorageError) in
            let start = Clocks.monotonic()
            isDone = try engine.writeAtOnce(apply.batch)
            let end = Clocks.monotonic()
            if isDone {
                state.withLock { $0.statistics.applyDuration.observe(from: start, to: end) }
            }
        }
        return isDone ? .applied(apply.group, through: apply.through) : nil
    }

    private func event(of apply: LogApply) -> Event {
        .applied(apply.group, through: apply.through)
    }

    // MARK: Failure

    /// False if it failed, or something has failed before.
    private func attempt(_ body: () throws(StorageError) -> Void) -> Bool {
        guard state.withLock({ $0.failure == nil }) else { return false }
        do throws(StorageError) {
            try body()
            return true
        } catch {
            fail(error)
            return false
        }
    }

    func fail(_ error: StorageError) {
        let isFirst = state.withLock { state in
            defer { state.failure = state.failure ?? error }
            state.statistics.failures[WriteFailure(error), default: 0] += 1
            return state.failure == nil
        }
        guard isFirst else { return }
        failpoints.reached(.storeFailed)
        failed(error)
    }
}

/// Why something was not written. The raw values are frozen: dashboards and alerts name them.
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
