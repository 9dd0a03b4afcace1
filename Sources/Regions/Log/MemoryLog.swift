/// The log store of the simulator: in memory, with a disk that can lose what was not synced.
///
/// Like `MemoryEngine` it holds what is seen now and what a crash would leave. The simulator can
/// take a write apart: `begin` hands a batch to the disk, `sync` makes everything begun durable,
/// and a crash in between leaves some of the batches begun, in order, each whole or not at all, as
/// a write-ahead log gives them back (reliability.md rows 68 to 73).
package import Base
package import Raft
package import Storage

// @unchecked Sendable: the seam is Sendable because `RocksLog` serves several threads. This one
// belongs to the one thread of a simulation, which never shares it.
package final class MemoryLog: RaftLogStore, @unchecked Sendable {
    private var live = LogImage()
    private var durable = LogImage()
    /// Batches that a crash may lose, oldest first.
    private var unsynced: [LogBatch] = []
    private var fault: (writesLeft: Int, error: StorageError)?
    /// Set by the first write that fails: no more of them until it is reopened.
    private var refusal: StorageError?

    /// Times that something was made durable.
    package private(set) var syncCount = 0

    package init() {}

    package func write(_ batch: LogBatch) throws(StorageError) {
        try begin(batch)
        sync()
    }

    package func entries(
        of group: GroupID, in range: Range<LogIndex>, byteLimit: Int
    ) throws(StorageError) -> [Bytes] {
        live.groups[group]?.entries(in: range, byteLimit: byteLimit) ?? []
    }

    package func recover() throws(StorageError) -> [RecoveredLog] {
        var recovery = LogRecovery()
        for group in live.groups.keys.sorted() {
            let log = live.groups[group]!
            try recovery.add(LogKey(group, .base), log.baseRecord)
            if let state = log.hardState { try recovery.add(LogKey(group, .hardState), state) }
            for (offset, record) in log.records.enumerated() {
                let index = log.extent.base + 1 + LogIndex(offset)
                try recovery.add(LogKey(group, .entry(index)), record)
            }
        }
        try recovery.finish()
        return recovery.logs
    }

    // MARK: What the simulator does to it

    /// Hands the batch to the disk: it is read from now on, and a crash may lose it.
    package func begin(_ batch: LogBatch) throws(StorageError) {
        if let refusal { throw refusal }
        if let error = nextFault() {
            // The device failed in mid-write: nobody sees the batch, yet it may be on the disk.
            unsynced.append(batch)
            refusal = error
            throw error
        }
        live.apply(batch)
        unsynced.append(batch)
    }

    /// Everything begun is on disk. Refused, like a write, after a failure.
    package func sync() {
        invariant(refusal == nil, "a disk that failed is not synced")
        for batch in unsynced { durable.apply(batch) }
        unsynced.removeAll(keepingCapacity: true)
        syncCount += 1
    }

    /// Lets `count` more writes succeed, then fails with `error` until a crash.
    package func failWrites(after count: Int, with error: StorageError) {
        fault = (count, error)
    }

    /// Whether a crash now would leave that entry, or a snapshot that holds it.
    package func wouldKeep(_ record: Bytes, at index: LogIndex, of group: GroupID) -> Bool {
        guard let kept = durable.groups[group] else { return false }
        if index <= kept.extent.base { return true }
        let place = Int(index - kept.extent.base) - 1
        return place < kept.records.count && kept.records[place] == record
    }

    /// Batches that a crash now could lose.
    package var unsyncedCount: Int { unsynced.count }

    /// Power loss: of what was not synced, the first `count` batches survive. Faults end; the next
    /// user reopens the store.
    package func crash(keeping count: Int = 0) {
        for batch in unsynced.prefix(count) { durable.apply(batch) }
        live = durable
        unsynced.removeAll()
        fault = nil
        refusal = nil
    }

    /// Power loss at a point that is drawn.
    package func crash(keepingUnsynced generator: inout SeededGenerator) {
        crash(keeping: Int.random(in: 0...unsynced.count, using: &generator))
    }

    private func nextFault() -> StorageError? {
        guard let pending = fault else { return nil }
        guard pending.writesLeft == 0 else {
            fault = (pending.writesLeft - 1, pending.error)
            return nil
        }
        fault = nil
        return pending.error
    }
}

/// All logs at one moment.
private struct LogImage: Sendable {
    var groups: [GroupID: GroupImage] = [:]

    mutating func apply(_ batch: LogBatch) {
        for operation in batch.operations {
            switch operation {
            case .base(let group, let index, let range):
                let record = Bytes(batch.arena[range])
                groups[group, default: GroupImage(base: index)].setBase(index, record)
            case .hardState(let group, let range):
                change(group) { $0.hardState = Bytes(batch.arena[range]) }
            case .cut(let group, let index): change(group) { $0.cut(from: index) }
            case .entry(let group, let index, let range):
                change(group) { $0.append(index, Bytes(batch.arena[range])) }
            }
        }
    }

    private mutating func change(_ group: GroupID, _ body: (inout GroupImage) -> Void) {
        invariant(groups[group] != nil, "the log of group \(group) begins with its base")
        body(&groups[group]!)
    }
}

private struct GroupImage: Sendable {
    var extent: LogExtent
    var baseRecord: Bytes = []
    var hardState: Bytes?
    /// From the base's index + 1 on.
    var records: [Bytes] = []

    init(base: LogIndex) { extent = LogExtent(base: base) }

    mutating func setBase(_ index: LogIndex, _ record: Bytes) {
        records.removeFirst(min(records.count, Int(index - extent.base)))
        extent.moveBase(to: index)
        // Here nothing is left to delete later.
        while extent.takeGarbage(countLimit: .max) != nil {}
        baseRecord = record
    }

    mutating func cut(from index: LogIndex) {
        records.removeLast(extent.cut(from: index).count)
    }

    mutating func append(_ index: LogIndex, _ record: Bytes) {
        extent.append(index)
        records.append(record)
    }

    func entries(in range: Range<LogIndex>, byteLimit: Int) -> [Bytes] {
        guard range.lowerBound > extent.base, range.lowerBound <= extent.last else { return [] }
        var found: [Bytes] = []
        var bytesLeft = byteLimit
        for index in range.lowerBound..<min(range.upperBound, extent.last + 1) {
            let record = records[Int(index - extent.base) - 1]
            bytesLeft -= record.count
            if bytesLeft < 0, !found.isEmpty { break }
            found.append(record)
        }
        return found
    }
}
