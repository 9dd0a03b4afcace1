/// A node's disk and the one worker that writes to it. What is merged, what is tried again and what
/// a disk that fills up still takes is decided by the values that `Runtime` and `RocksStorage` run.
///
/// A sync has two moments: when the batch is on the disk, and when those who wait are told. A crash
/// before the first loses the batch or keeps it whole, as the log's tail was written or not; a
/// crash between the two keeps what nobody was told of.
internal import Base
internal import Node
internal import Regions
internal import Storage

struct SimDisk {
    /// Who is told.
    struct Owner: Sendable {
        var core: Int
        var token: PersistToken
    }

    typealias Queue = CommitQueue<Owner>
    typealias Job = Queue.Job

    private static let capacityBytes: UInt64 = 1 << 30
    private static let freeBytesOfEmpty = capacityBytes / 2
    private static let needs = DiskGuard.Needs(
        flushBytes: 8 << 20, compactionBytes: 64 << 20, memtableBytes: 16 << 20)

    let engine = MemoryEngine()
    private var queue = Queue()
    /// Being written, or written and not yet reported.
    private var batch: WriteBatch?
    /// To be told of the failure without having been tried.
    private var abandoned: Queue.Completion?
    private var result: Result<Void, StorageError>?
    /// Set by the first write that failed; no write is tried after it.
    private(set) var failure: StorageError?
    private var space = DiskGuard()
    private var freeBytes = Self.freeBytesOfEmpty
    /// Something else takes up the disk.
    private(set) var isFilled = false
    private var writeCount = 0
    /// Lets the next sync fail for good.
    var failsNext = false
    /// Of a batch that was refused as a whole: jobs not yet tried alone, and what came of the
    /// first.
    private var aloneCount = 0
    private var firstAlone: Result<Void, StorageError>?
    let bug: HostBug?

    init(bug: HostBug?) { self.bug = bug }

    /// Whether the batch under way has met the disk…
    var isWritten: Bool { result != nil }
    /// …and is there for readers.
    var hasTaken: Bool {
        if case .success? = result { failure == nil } else { false }
    }
    /// …or was refused, and left no trace.
    var hasRefused: Bool {
        if case .failure(let error)? = result { !error.endsWrites } else { false }
    }

    var isIdle: Bool { queue.isIdle && batch == nil && abandoned == nil }

    // MARK: Space

    /// What the watch of a node tells its units.
    mutating func look() -> DiskSpace {
        space.observe(
            freeBytes: freeBytes, capacityBytes: Self.capacityBytes, needs: Self.needs)
        return space.space
    }

    /// Leaves a little more or less than one of the marks of `DiskGuard`, so that a few writes or
    /// a compaction cross it.
    mutating func fill(_ generator: inout SeededGenerator) {
        _ = look()
        let marks = [0, space.deleteFloor, space.writeFloor, space.resumeMark]
        freeBytes = marks[Int(generator.next() % 4)] + generator.next() % 4_096
        isFilled = true
    }

    mutating func empty() {
        freeBytes = Self.freeBytesOfEmpty
        isFilled = false
    }

    private mutating func admit(_ batch: WriteBatch) throws(StorageError) {
        _ = look()
        let shortage = space.admit(batch.byteCount, storesNothing: batch.storesNothing)
        if let shortage { throw .full(shortage) }
        freeBytes -= min(freeBytes, UInt64(batch.byteCount))
    }

    // MARK: Writes

    /// True if the worker was idle and has to be woken.
    mutating func submit(_ jobs: [Job]) -> Bool {
        queue.append(jobs)
        if bug == .visibleBeforeSync { show(merge(jobs)) }
        return takeNext()
    }

    /// Begins the next write; false if there is nothing to do, or one is under way.
    mutating func takeNext() -> Bool {
        guard batch == nil, abandoned == nil else { return false }
        result = nil
        abandoned = queue.abandon()
        batch = queue.next()
        return batch != nil || abandoned != nil
    }

    /// The batch under way reaches the disk.
    mutating func write() {
        if failsNext {
            failsNext = false
            engine.failWrites(after: 0, with: .failed("the device does not answer"))
        }
        let jobs = queue.jobsUnderWay
        let isShort = bug == .mergeLosesLast && jobs.count > 1
        let merged = isShort ? merge(jobs.dropLast()) : batchUnderWay
        writeCount += 1
        do throws(StorageError) {
            if let failure { throw failure }
            do throws(StorageError) {
                try admit(merged)
            } catch {
                if bug == .fullIsWritten { show(merged) }
                throw error
            }
            try engine.write(merged, sync: !leavesSyncOut)
            result = .success(())
        } catch {
            if error.endsWrites { failure = error }
            result = bug == .failedSyncAcknowledged ? .success(()) : .failure(error)
        }
    }

    /// Who waited for the batch under way, and what to tell each; nobody if its jobs are tried
    /// again alone.
    mutating func report() -> [(core: Int, event: Event, byteCount: Int)] {
        guard let result else {
            invariant(false, "a batch is written before it is reported")
            return []
        }
        let count = queue.jobsUnderWay.count
        let completion = abandoned ?? queue.finished(result)
        batch = nil
        abandoned = nil
        self.result = nil
        guard let completion else {
            aloneCount = count
            firstAlone = nil
            return []
        }
        let told = toldOf(completion.result)
        return completion.jobs.map { job in
            switch told {
            case .success: (job.owner.core, .persisted(job.owner.token), job.batch.byteCount)
            case .failure(let error):
                (job.owner.core, .persistFailed(job.owner.token, error), job.batch.byteCount)
            }
        }
    }

    /// The bug of `firstOutcomeForAll`.
    private mutating func toldOf(
        _ result: Result<Void, StorageError>
    ) -> Result<Void, StorageError> {
        guard aloneCount > 0 else { return result }
        aloneCount -= 1
        let first = firstAlone ?? result
        firstAlone = first
        return bug == .firstOutcomeForAll ? first : result
    }

    /// Power loss. A batch that was under way may have reached the disk, whole.
    mutating func crash(_ generator: inout SeededGenerator, tail: Tail) {
        if result == nil, failure == nil, tail != .lost {
            do throws(StorageError) {
                try admit(batchUnderWay)
                let isSplit = bug == .batchSplit
                let parts = isSplit ? operations(of: batchUnderWay) : [batchUnderWay]
                for part in parts where !part.isEmpty { try engine.write(part, sync: false) }
            } catch {
                failure = error
            }
        }
        switch tail {
        case .kept: keepEverything()
        case .lost, .drawn: engine.crash(keepingUnsynced: &generator)
        }
        queue = Queue()
        batch = nil
        abandoned = nil
        result = nil
        failure = nil
        failsNext = false
        aloneCount = 0
        space = DiskGuard()
    }

    /// What becomes of a batch that was under way when the power went.
    enum Tail {
        case lost
        case kept
        case drawn
    }

    /// Drops what had expired by `wall`, as RocksDB's compactions do.
    mutating func compact(dropping isExpired: (UnsafeRawBufferPointer) -> Bool) throws(StorageError)
    {
        var dead = WriteBatch()
        _ = try engine.view().scan(.raw, .all, reverse: false, tier: .disk) { key, record in
            if isExpired(record) { dead.delete(.raw, Key(Bytes(key))) }
            return .more
        }
        guard !dead.isEmpty else { return }
        try engine.write(dead, sync: false)
        freeBytes += UInt64(dead.byteCount) * 8
    }

    var batchUnderWay: WriteBatch { batch ?? WriteBatch() }

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

    /// Every operation as a batch of its own, and of a range one for each key.
    private func operations(of merged: WriteBatch) -> [WriteBatch] {
        merged.operations.flatMap { operation -> [WriteBatch] in
            let key = Key(Bytes(merged.arena[operation.key]))
            var part = WriteBatch()
            switch operation.kind {
            case .put: part.put(operation.family, key, Bytes(merged.arena[operation.value]))
            case .delete: part.delete(operation.family, key)
            case .deleteRange:
                let range = merged.range(of: operation)
                let keys = SimKeys.sorted.map { RawSpace.key($0) }.filter { range.contains($0) }
                return keys.map { key in
                    var part = WriteBatch()
                    part.delete(operation.family, key)
                    return part
                }
            }
            return [part]
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
    /// Of batches that were refused together and tried alone, all are told what came of the first.
    case firstOutcomeForAll
    /// A batch for which there is no room is written and reported as not written.
    case fullIsWritten
    /// A restart decides anew when values expire, as if each replay ordered the write again (79).
    case expiryStartsAnew
    /// After a restart the entity tags of the first life are gone.
    case tagChangesAtRestart
}
