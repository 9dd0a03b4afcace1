/// A node's disk and the one worker that writes to it: everything that queued while a sync ran
/// becomes one
/// batch and one sync, as in `Runtime`.
///
/// A sync has two moments: when the batch is on the disk, and when those who wait are told. A crash
/// before
/// the first loses the batch or keeps it whole, as the log's tail was written or not; a crash
/// between
/// the two keeps what nobody was told of.
internal import Base
internal import Node
internal import Regions
internal import Storage

struct SimDisk {
    struct Job {
        var core: Int
        var token: PersistToken
        var batch: WriteBatch
    }

    static let capacityBytes: UInt64 = 1 << 30

    let engine = MemoryEngine()
    private var queued: [Job] = []
    /// Being written, or written and not yet reported.
    private var underWay: [Job] = []
    private var result: Result<Void, StorageError>?
    /// Set by the first write that failed; no write is tried after it.
    private(set) var failure: StorageError?
    var isFull = false
    private var writeCount = 0
    /// Lets the next sync fail for good.
    var failsNext = false
    let bug: HostBug?

    init(bug: HostBug?) { self.bug = bug }

    /// Whether the batch under way has met the disk…
    var isWritten: Bool { result != nil }
    /// …and is there for readers.
    var hasTaken: Bool {
        if case .success? = result { failure == nil } else { false }
    }

    var isIdle: Bool { queued.isEmpty && underWay.isEmpty }

    var space: DiskSpace {
        let free = isFull ? UInt64(4 << 20) : Self.capacityBytes / 2
        return DiskSpace(
            freeBytes: free, capacityBytes: Self.capacityBytes,
            neededBytes: Self.capacityBytes / 20, isFull: isFull)
    }

    /// True if the worker was idle and has to be woken.
    mutating func submit(_ jobs: [Job]) -> Bool {
        queued += jobs
        if bug == .visibleBeforeSync { show(merge(jobs)) }
        return takeNext()
    }

    /// Takes everything queued as one batch; false if there is nothing, or one is under way.
    mutating func takeNext() -> Bool {
        guard underWay.isEmpty, !queued.isEmpty else { return false }
        underWay = queued
        queued = []
        result = nil
        return true
    }

    /// The batch under way reaches the disk.
    mutating func write() {
        if failsNext {
            failsNext = false
            engine.failWrites(after: 0, with: .failed("the device does not answer"))
        }
        let isShort = bug == .mergeLosesLast && underWay.count > 1
        let merged = merge(isShort ? underWay.dropLast() : underWay)
        writeCount += 1
        do throws(StorageError) {
            if let failure { throw failure }
            if isFull, !merged.storesNothing {
                if bug == .fullIsWritten { show(merged) }
                throw .full(
                    SpaceShortage(
                        freeBytes: space.freeBytes, neededBytes: space.neededBytes,
                        refusesDeletes: false))
            }
            try engine.write(merged, sync: !leavesSyncOut)
            result = .success(())
        } catch {
            if case .full = error {} else { failure = error }
            result = bug == .failedSyncAcknowledged ? .success(()) : .failure(error)
        }
    }

    /// Who waits for the batch under way, and what to tell each.
    mutating func report() -> [(core: Int, event: Event, byteCount: Int)] {
        guard let result else {
            invariant(false, "a batch is written before it is reported")
            return []
        }
        let events = underWay.map { job -> (core: Int, event: Event, byteCount: Int) in
            switch result {
            case .success: (job.core, .persisted(job.token), job.batch.byteCount)
            case .failure(let error):
                (job.core, .persistFailed(job.token, error), job.batch.byteCount)
            }
        }
        underWay = []
        self.result = nil
        return events
    }

    /// Power loss. A batch that was under way may have reached the disk, whole.
    mutating func crash(_ generator: inout SeededGenerator, tail: Tail) {
        if result == nil, failure == nil, !isFull, tail != .lost {
            let parts = bug == .batchSplit ? operations(of: underWay) : [merge(underWay)]
            for part in parts where !part.isEmpty {
                do throws(StorageError) {
                    try engine.write(part, sync: false)
                } catch {
                    failure = error
                }
            }
        }
        switch tail {
        case .kept: keepEverything()
        case .lost, .drawn: engine.crash(keepingUnsynced: &generator)
        }
        queued = []
        underWay = []
        result = nil
        failure = nil
        failsNext = false
    }

    /// What becomes of a batch that was under way when the power went.
    enum Tail {
        case lost
        case kept
        case drawn
    }

    /// Drops what had expired by `wall`, as RocksDB's compactions do.
    func compact(dropping isExpired: (UnsafeRawBufferPointer) -> Bool) throws(StorageError) {
        var dead = WriteBatch()
        _ = try engine.view().scan(.raw, .all, reverse: false, tier: .disk) { key, record in
            if isExpired(record) { dead.delete(.raw, Key(Bytes(key))) }
            return .more
        }
        guard !dead.isEmpty else { return }
        try engine.write(dead, sync: false)
    }

    var batchUnderWay: WriteBatch { merge(underWay) }

    private var leavesSyncOut: Bool {
        bug == .syncSkipped || bug == .syncSometimesSkipped && writeCount % 8 == 0
    }

    /// For readers, and lost by a crash.
    private mutating func show(_ batch: WriteBatch) {
        do throws(StorageError) {
            try engine.write(batch, sync: false)
        } catch {
            failure = error
        }
    }

    /// The bug of `expiryStartsAnew`: every value gets as long again as it had when it was written.
    mutating func postponeExpiry(byMilliseconds delay: UInt64) {
        var moved = WriteBatch()
        do throws(StorageError) {
            _ = try engine.view().scan(.raw, .all, reverse: false, tier: .disk) { key, record in
                do throws(DecodeError) {
                    let (valueCount, expiresAt) = try RawRecord.decode(record)
                    guard let expiresAt else { return .more }
                    let later = WallTime(milliseconds: expiresAt.milliseconds + delay)
                    let value = Bytes(record[..<valueCount])
                    moved.put(
                        .raw, Key(Bytes(key)), RawRecord.encode(value, expiresAt: later))
                    return .more
                } catch {
                    return .stop
                }
            }
            if !moved.isEmpty { try engine.write(moved, sync: true) }
        } catch {
            failure = error
        }
    }

    private func merge(_ jobs: [Job]) -> WriteBatch {
        var merged = WriteBatch()
        for job in jobs { merged.append(job.batch) }
        return merged
    }

    /// Every operation as a batch of its own, and a range as a batch for each half.
    private func operations(of jobs: [Job]) -> [WriteBatch] {
        let merged = merge(jobs)
        return merged.operations.flatMap { operation -> [WriteBatch] in
            let key = Key(Bytes(merged.arena[operation.key]))
            let value = Bytes(merged.arena[operation.value])
            var parts = [WriteBatch()]
            switch operation.kind {
            case .put: parts[0].put(operation.family, key, value)
            case .delete: parts[0].delete(operation.family, key)
            case .deleteRange:
                let range = KeyRange(start: key, end: value.isEmpty ? nil : Key(value))
                let middle = Key(utf8: "rb/")
                guard range.contains(middle), range.start < middle else {
                    parts[0].deleteRange(operation.family, range)
                    break
                }
                parts.append(WriteBatch())
                parts[0].deleteRange(operation.family, KeyRange(start: key, end: middle))
                parts[1].deleteRange(operation.family, KeyRange(start: middle, end: range.end))
            }
            return parts
        }
    }

    private func keepEverything() {
        var last = WriteBatch()
        last.put(.meta, Key(utf8: "kept"), [])
        do throws(StorageError) {
            try engine.write(last, sync: true)
            engine.crash()
        } catch {
            invariant(false, "a store without faults takes a write: \(error)")
        }
    }
}

/// Mistakes that a host can make; switched on one at a time to see that a checker finds it.
package enum HostBug: String, CaseIterable, Hashable, Sendable {
    /// The answer leaves although the sync was left out (reliability.md row 70).
    case syncSkipped
    /// An error of the sync is taken for success.
    case failedSyncAcknowledged
    /// One batch reaches the log as two.
    case batchSplit
    /// Tokens are reported when the batch is handed to the disk.
    case reportedBeforeWrite
    /// A response is handed to the front a second time.
    case respondedTwice
    /// Of several batches that are merged for one sync the last is left out.
    case mergeLosesLast
    /// One sync in eight is left out, as if a log's tail were cut off before what was synced (71).
    case syncSometimesSkipped
    /// Readers see a batch as soon as it is handed over.
    case visibleBeforeSync
    /// A batch for which there is no room is written and reported as not written.
    case fullIsWritten
    /// A restart decides anew when values expire, as if each replay ordered the write again (79).
    case expiryStartsAnew
    /// After a restart the entity tags of the first life are gone.
    case tagChangesAtRestart
}
