/// A node's disk: the log and the data on it, and the two workers that write to them.
///
/// As in `Runtime`, one worker puts everything that has queued into the log with one sync, and
/// another writes what is committed to the data, with none. Each write has two moments: when it is
/// done, and when those who wait are told. A crash between them keeps what nobody was told of; one
/// before the first loses the log's batch or keeps it whole, as its tail was written or not. The
/// data goes back to some place between its last flush and where it was, and the log has the rest.
internal import Base
internal import Node
internal import Raft
internal import Regions
internal import Storage

struct SimDisk {
    enum LogItem: Sendable {
        case append(core: Int, LogAppend)
        case compact(GroupID, GroupBase)
    }

    struct ApplyItem: Sendable {
        var core: Int
        var apply: LogApply
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
    private(set) var dataQueue = SimQueue<ApplyItem>()
    /// Set by the first write that failed; none is tried after it.
    private(set) var failure: StorageError?
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

    var isIdle: Bool { logQueue.isIdle && dataQueue.isIdle }

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

    mutating func submit(_ items: [ApplyItem]) -> Bool {
        dataQueue.add(items)
        return dataQueue.takeNext()
    }

    mutating func writeData() {
        var batch = WriteBatch()
        var items = dataQueue.underWay
        if bug == .mergeLosesLast, items.count > 1 { items.removeLast() }
        if bug == .mergeReversed { items.reverse() }
        for item in items { batch.append(item.apply.batch) }
        attempt(.data, batch.byteCount) { disk throws(StorageError) in
            try disk.engine.write(batch, sync: false)
        }
        dataQueue.isDone = true
    }

    mutating func reportData() -> [(core: Int, event: Event)] {
        let items = dataQueue.finish()
        guard failure == nil else { return [] }
        return items.map { ($0.core, .applied($0.apply.group, through: $0.apply.through)) }
    }

    mutating func takeNextData() -> Bool { failure == nil && dataQueue.takeNext() }

    /// Writes the data out, and says how far it came.
    func flush() throws(StorageError) -> LogIndex? {
        if bug != .flushReportedEarly { engine.flush() }
        return try RecoveredReplica.applied(of: SimNode.group, in: engine)?.snapshot.position.index
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

    private func fail(_ part: Part, _ reason: String) {
        switch part {
        case .log: log.failWrites(after: 0, with: .failed(reason))
        case .data: engine.failWrites(after: 0, with: .failed(reason))
        }
    }

    /// Power loss.
    mutating func crash(_ generator: inout SeededGenerator, tail: Tail) {
        do throws(StorageError) {
            if !logQueue.isDone, failure == nil, tail != .lost { try log.begin(logBatch) }
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
        failure = nil
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
