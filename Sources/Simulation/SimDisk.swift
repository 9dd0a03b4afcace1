/// A node's disk: the log and the data on it, and the two workers that write to them.
///
/// As in `Runtime`, one worker puts everything that has queued into the log with one sync, and
/// another writes what is committed to the data, with none. Each write has two moments: when it is
/// done, and when those who wait are told. A crash between them keeps what nobody was told of; one
/// before the first loses the log's batch or keeps it whole, as its tail was written or not. The
/// data goes back to some place between its last flush and where it was, and the log has the rest.
internal import Base
internal import Node
internal import Peers
internal import Raft
internal import Regions
internal import Storage

struct SimDisk {
    enum LogItem: Sendable {
        case append(core: Int, LogAppend)
        case compact(GroupID, GroupBase)
    }

    enum DataItem: Sendable {
        case apply(core: Int, LogApply)
        /// A staged snapshot, and the log's part of it, which comes after.
        case install(SnapshotStage, core: Int, LogAppend)

        var batch: WriteBatch {
            switch self {
            case .apply(_, let apply): apply.batch
            case .install(let stage, _, _): stage.batch
            }
        }
    }

    /// Which of the two a fault hits.
    enum Part: CaseIterable {
        case log
        case data
    }

    /// What becomes of a batch on its way into the log when the power goes.
    enum Tail {
        case lost
        case kept
        case drawn
    }

    let log = MemoryLog()
    let engine = MemoryEngine()
    private(set) var logQueue = SimQueue<LogItem>()
    private(set) var dataQueue = SimQueue<DataItem>()
    private var order = InstallOrder<LogItem>()
    private var shelf = SnapshotShelf(of: SimNode.group)
    /// Of the shelf's copies, from the first chunk on.
    private var stages: [UInt64: SnapshotStage] = [:]
    /// Set by the first write that failed; none is tried after it.
    private(set) var failure: StorageError?
    /// Nothing is taken any more, whatever the node makes of it.
    private var isBroken = false
    var space = SimSpace()
    /// Lets the next write there fail for good.
    var failsNext: Part?
    private var writeCount = 0
    private let replica: ReplicaID
    let bug: HostBug?

    init(replica: ReplicaID, bug: HostBug?) {
        self.replica = replica
        self.bug = bug
    }

    var isIdle: Bool { logQueue.isIdle && dataQueue.isIdle && order.isIdle }

    // MARK: The log

    /// True if the worker was idle and has to be woken.
    mutating func submit(_ items: [LogItem]) -> Bool {
        logQueue.add(items)
        if bug == .visibleBeforeSync { show(items) }
        return logQueue.takeNext()
    }

    /// What the worker has in hand, as one batch.
    private var logBatch: LogBatch {
        var batch = LogBatch()
        for item in logQueue.underWay {
            switch item {
            case .append(_, let append):
                batch.add(append.write, of: append.group, replica: replica) { index in
                    append.records[Int(index - append.write.firstIndex)]
                }
            case .compact(let group, let base): batch.setBase(base, of: group)
            }
        }
        return batch
    }

    mutating func writeLog() {
        let batch = logBatch
        writeCount += 1
        attempt(.log, batch.byteCount) { disk throws(StorageError) in
            try disk.log.begin(batch)
            if !disk.leavesSyncOut { disk.log.sync() }
        }
        logQueue.isDone = true
    }

    /// Who waited for the batch, and what to tell each; nobody, if it failed.
    mutating func reportLog() -> [(core: Int, event: Event)] {
        let items = logQueue.finish()
        guard failure == nil else { return [] }
        return items.compactMap { item in
            guard case .append(let core, let append) = item else { return nil }
            return (core, .logged(append.group, append.write.token))
        }
    }

    mutating func takeNextLog() -> Bool { failure == nil && logQueue.takeNext() }

    // MARK: The data

    mutating func submit(_ items: [DataItem]) -> Bool {
        dataQueue.add(items)
        return dataQueue.takeNext()
    }

    // MARK: Snapshots

    /// Sorts out what has to wait for a snapshot: what may go to the log at once, and to the data.
    mutating func split(
        _ items: [LogItem], at now: Instant
    ) -> (log: [LogItem], data: [DataItem]) {
        let (log, install) = order.sort(items) { item in
            if case .append(_, let append) = item { append.write.snapshot } else { nil }
        }
        guard let install, case .append(let core, let append) = install.item else {
            return (log, [])
        }
        for case .install(let number, _) in shelve(.taken(install.snapshot), at: now) {
            guard let stage = stages[number] else { break }
            return (log, [.install(stage, core: core, append)])
        }
        invariant(false, "a snapshot that a replica takes was staged")
        return (log, [])
    }

    /// What the shelf decides, done.
    @discardableResult
    mutating func shelve(
        _ event: SnapshotShelf.Event, at now: Instant
    ) -> [SnapshotShelf.Effect] {
        var effects: [SnapshotShelf.Effect] = []
        shelf.step(event, at: now, into: &effects)
        for case .remove(let number) in effects { stages[number] = nil }
        return effects
    }

    mutating func discard(_ position: LogPosition, at now: Instant) {
        shelve(.discarded(position), at: now)
    }

    /// nil if it is not taken.
    mutating func take(
        _ chunk: SnapshotChunk, at now: Instant
    ) throws(DecodeError) -> SnapshotAnswer? {
        shelve(.deadlineReached, at: now)
        var effects = shelve(.came(chunk), at: now)
        for case .write(let number, let arrival) in effects {
            var stage =
                stages[number]
                ?? SnapshotStage(of: SimNode.group, arrival.snapshot, origin: arrival.origin)
            let isNext = try stage.add(chunk)
            invariant(isNext && stage.arrival.wanted == arrival.wanted + 1, "none is missing")
            stages[number] = stage
            let written = SnapshotShelf.Event.written(
                number, stage.arrival, byteCount: chunk.content.count)
            effects = shelve(written, at: now)
        }
        for case .answer(let answer) in effects { return answer }
        return nil
    }

    mutating func writeData() {
        var batch = WriteBatch()
        var items = dataQueue.underWay
        if bug == .mergeLosesLast, items.count > 1 { items.removeLast() }
        if bug == .mergeReversed { items.reverse() }
        for item in items { batch.append(bug == .deleteIsLeftOut ? hasty(item) : item.batch) }
        let installs = items.contains { if case .install = $0 { true } else { false } }
        attempt(.data, batch.byteCount) { disk throws(StorageError) in
            try disk.engine.write(batch, sync: false)
            // The log must not begin behind what is not on the disk.
            if installs, disk.bug != .snapshotIsNotFlushed { disk.engine.flush() }
        }
        dataQueue.isDone = true
    }

    /// What to tell whom, and the log's part of a snapshot that is in place.
    mutating func reportData(
        at now: Instant
    ) -> (told: [(core: Int, event: Event)], log: [LogItem]) {
        let items = dataQueue.finish()
        guard failure == nil else { return ([], []) }
        var told: [(core: Int, event: Event)] = []
        var log: [LogItem] = []
        for item in items {
            switch item {
            case .apply(let core, let apply):
                told.append((core, .applied(apply.group, through: apply.through)))
            case .install(let stage, let core, let append):
                shelve(.installed(stage.snapshot), at: now)
                log += [.append(core: core, append)] + order.finish(stage.snapshot)
            }
        }
        return (told, log)
    }

    mutating func takeNextData() -> Bool { failure == nil && dataQueue.takeNext() }

    /// Writes the data out, and says how far it came.
    func flush() throws(StorageError) -> LogIndex? {
        if bug != .flushReportedEarly { engine.flush() }
        let applied = try RecoveredReplica.applied(of: SimNode.group, in: engine)
        guard let index = applied?.snapshot.position.index else { return nil }
        return bug == .flushReportedTooFar ? index + 1 : index
    }

    /// The bug of `deleteIsLeftOut`: the second store has its own opinion of every third entry.
    private func hasty(_ item: DataItem) -> WriteBatch {
        guard case .apply(_, let apply) = item, replica.store.number == 2, apply.through % 3 == 0
        else { return item.batch }
        var batch = WriteBatch()
        for operation in item.batch.operations where operation.kind != .delete {
            let key = Key(Bytes(item.batch.arena[operation.key]))
            let value = Bytes(item.batch.arena[operation.value])
            if operation.kind == .put {
                batch.put(operation.family, key, value)
            } else {
                let range = KeyRange(start: key, end: value.isEmpty ? nil : Key(value))
                batch.deleteRange(operation.family, range)
            }
        }
        return batch
    }

    // MARK: Faults

    private mutating func attempt(
        _ part: Part, _ byteCount: Int,
        _ body: (borrowing SimDisk) throws(StorageError) -> Void
    ) {
        guard failure == nil else { return }
        if failsNext == part {
            failsNext = nil
            fail(part, "the device does not answer")
        } else if !space.take(byteCount) {
            fail(part, "no space left on the device")
        }
        do throws(StorageError) {
            try body(self)
        } catch {
            if bug != .failedSyncAcknowledged { failure = error }
        }
    }

    /// A write was done, and the device says otherwise.
    mutating func fail(_ error: StorageError) {
        if bug != .failedSyncAcknowledged { failure = failure ?? error }
    }

    private mutating func fail(_ part: Part, _ reason: String) {
        isBroken = true
        switch part {
        case .log: log.failWrites(after: 0, with: .failed(reason))
        case .data: engine.failWrites(after: 0, with: .failed(reason))
        }
    }

    /// Power loss.
    mutating func crash(_ generator: inout SeededGenerator, tail: Tail) {
        do throws(StorageError) {
            if !logQueue.isDone, !isBroken, failure == nil, tail != .lost {
                try log.begin(logBatch)
            }
            let newest = try engine.get(.meta, AppliedRecord.key(of: SimNode.group), tier: .disk)
            switch tail {
            case .kept:
                log.crash(keeping: log.unsyncedCount)
                engine.flush()
                engine.crash()
            case .lost, .drawn:
                log.crash(keepingUnsynced: &generator)
                engine.crash(keepingUnsynced: &generator)
            }
            if bug == .voteWrittenApart, let found = try log.recover().first {
                var late = LogBatch()
                let term = HardState(term: found.hardState.term, vote: nil)
                late.setHardState(term, of: SimNode.group)
                try log.write(late)
            }
            if bug == .flushTornApart, case .found(let record) = newest {
                var torn = WriteBatch()
                torn.put(.meta, AppliedRecord.key(of: SimNode.group), record)
                try engine.write(torn, sync: true)
            }
        } catch {
            invariant(false, "a disk without faults takes a write: \(error)")
        }
        logQueue = SimQueue()
        dataQueue = SimQueue()
        order = InstallOrder()
        shelf = SnapshotShelf(of: SimNode.group)
        stages = [:]
        failure = nil
        isBroken = false
        failsNext = nil
        space.forget()
    }

    private var leavesSyncOut: Bool {
        bug == .syncSkipped || bug == .syncSometimesSkipped && writeCount % 8 == 0
    }

    /// For readers, although it is in no log yet.
    private func show(_ items: [LogItem]) {
        for case .append(_, let append) in items {
            for record in append.records {
                do {
                    guard let batch = try CommandRecord.batch(ofEntry: record) else { continue }
                    try engine.write(batch, sync: false)
                } catch {
                    invariant(false, "what was proposed can be read: \(error)")
                }
            }
        }
    }

    // MARK: Compactions

    /// Drops what had expired by `wall`, as RocksDB's compactions do.
    mutating func compact(
        dropping isExpired: (UnsafeRawBufferPointer) -> Bool
    ) throws(StorageError) {
        var dead = WriteBatch()
        _ = try engine.view().scan(.raw, .all, reverse: false, tier: .disk) { key, record in
            if isExpired(record) { dead.delete(.raw, Key(Bytes(key))) }
            return .more
        }
        guard !dead.isEmpty else { return }
        try engine.write(dead, sync: false)
        space.give(dead.byteCount * 8)
    }

    /// The bug of `expiryStartsAnew`: every value gets as long again as it had when it was written.
    func postponeExpiry(byMilliseconds delay: UInt64) throws(StorageError) {
        var moved = WriteBatch()
        _ = try engine.view().scan(.raw, .all, reverse: false, tier: .disk) { key, record in
            do throws(DecodeError) {
                let (valueCount, expiresAt) = try RawRecord.decode(record)
                guard let expiresAt else { return .more }
                let later = WallTime(milliseconds: expiresAt.milliseconds + delay)
                let value = Bytes(record[..<valueCount])
                moved.put(.raw, Key(Bytes(key)), RawRecord.encode(value, expiresAt: later))
                return .more
            } catch {
                return .stop
            }
        }
        if !moved.isEmpty { try engine.write(moved, sync: true) }
    }
}

/// What waits for a worker, and what it has in hand: written, or not yet.
struct SimQueue<Item: Sendable>: Sendable {
    private var waiting: [Item] = []
    private(set) var underWay: [Item] = []
    var isDone = false

    var isIdle: Bool { waiting.isEmpty && underWay.isEmpty }

    mutating func add(_ items: [Item]) { waiting += items }

    /// Takes everything that waits; false if there is nothing, or something is in hand.
    mutating func takeNext() -> Bool {
        guard underWay.isEmpty, !waiting.isEmpty else { return false }
        swap(&underWay, &waiting)
        isDone = false
        return true
    }

    mutating func finish() -> [Item] {
        invariant(isDone, "what is reported was tried")
        defer { underWay = [] }
        return underWay
    }
}
