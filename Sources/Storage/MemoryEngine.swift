/// The storage engine of the simulator: in memory, with a disk that can lose what was not synced.
///
/// It holds two images. Reads see the *live* one; the *durable* one is what a crash leaves. A write
/// without sync reaches the live image and a log of batches not yet durable; a write with sync
/// makes everything before it durable. `crash` returns to the durable image plus a prefix of that
/// log: whole batches in order, as a write-ahead log gives them back (reliability.md rows 68 to
/// 73).
///
/// It passes the same tests as `RocksEngine`. It leaves out time: how long a sync takes is the
/// simulator's affair.
package import Base

// @unchecked Sendable: the engine seam is Sendable because `RocksEngine` serves several threads.
// This one belongs to the one thread of a simulation, which never shares it.
package final class MemoryEngine: KeyValueEngine, @unchecked Sendable {
    private struct Fault {
        /// Writes that still succeed before it.
        var writesLeft: Int
        var error: StorageError
        var times: Int
    }

    private var live = MemoryImage()
    private var durable = MemoryImage()
    /// Batches that a crash may lose, oldest first.
    private var unsynced: [WriteBatch] = []
    private var fault: Fault?
    /// Set by the first write that fails for good: the engine takes no more of them until it is
    /// reopened.
    private var refusal: StorageError?
    private var coldness = Coldness()

    /// Writes with sync that reached the disk.
    package private(set) var syncCount = 0

    package init() {}

    package func get(
        _ family: ColumnFamily, _ key: Key, tier: ReadTier
    ) throws(StorageError) -> Lookup {
        live.get(family, key, tier: tier, coldness)
    }

    package func view() -> any EngineView { MemoryView(image: live, coldness: coldness) }

    package func write(_ batch: WriteBatch, sync: Bool) throws(StorageError) {
        if let refusal { throw refusal }
        if let error = nextFault() {
            guard error.endsWrites else { throw error }
            // The device failed in mid-write: readers never see the batch, yet it may be on the
            // disk.
            unsynced.append(batch)
            refusal = error
            throw error
        }
        live.apply(batch)
        guard sync else {
            unsynced.append(batch)
            return
        }
        durable = live
        unsynced.removeAll(keepingCapacity: true)
        syncCount += 1
    }

    // MARK: What the simulator does to it

    /// Lets `count` more writes succeed, then fails `times` of them with `error`. After `.failed`
    /// and `.corrupt` every write is refused until a crash, however many `times` were asked for.
    package func failWrites(after count: Int, with error: StorageError, times: Int = 1) {
        fault = Fault(writesLeft: count, error: error, times: times)
    }

    /// Of every `denominator` keys, `numerator` answer `notCached` to `ReadTier.cached`; which ones
    /// is decided by the key and `seed`, so that the same run meets the same cold reads.
    package func setCold(_ numerator: UInt64, in denominator: UInt64, seed: UInt64) {
        coldness = Coldness(numerator: numerator, denominator: denominator, seed: seed)
    }

    /// Everything written so far is on disk, as if RocksDB had written its memtables out.
    package func flush() {
        durable = live
        unsynced.removeAll(keepingCapacity: true)
    }

    /// Power loss at its harshest: what was not synced is gone. Faults end; the next user reopens
    /// the store.
    package func crash() {
        reopen(survivors: 0)
    }

    /// Power loss as disks have it: some of the batches that were not synced survive, in order.
    package func crash(keepingUnsynced generator: inout SeededGenerator) {
        reopen(survivors: Int.random(in: 0...unsynced.count, using: &generator))
    }

    /// Batches that a crash now could lose.
    package var unsyncedCount: Int { unsynced.count }

    private func reopen(survivors: Int) {
        for batch in unsynced.prefix(survivors) { durable.apply(batch) }
        live = durable
        unsynced.removeAll()
        fault = nil
        refusal = nil
    }

    private func nextFault() -> StorageError? {
        guard var pending = fault else { return nil }
        guard pending.writesLeft == 0 else {
            pending.writesLeft -= 1
            fault = pending
            return nil
        }
        pending.times -= 1
        fault = pending.times > 0 ? pending : nil
        return pending.error
    }
}

/// Which keys the simulated block cache does not hold.
struct Coldness: Sendable {
    var numerator: UInt64 = 0
    var denominator: UInt64 = 1
    var seed: UInt64 = 0

    func covers(_ key: Key) -> Bool {
        guard numerator > 0 else { return false }
        let mixed = (Fingerprint(of: key.bytes).low ^ seed) &* 0x9E37_79B9_7F4A_7C15
        return (mixed >> 16) % denominator < numerator
    }
}

/// Everything in the store at one moment; copied in constant time.
struct MemoryImage: Sendable {
    private var families: [ColumnFamily: SortedMap] = [:]

    mutating func apply(_ batch: WriteBatch) {
        for operation in batch.operations {
            let key = Key(Bytes(batch.arena[operation.key]))
            let value = Bytes(batch.arena[operation.value])
            invariant(
                key.bytes.count <= Limits.storedKeyBytes,
                "a key fits the engine: \(key.bytes.count)")
            switch operation.kind {
            case .put: families[operation.family, default: SortedMap()].put(key, value)
            case .delete: families[operation.family]?.remove(key)
            case .deleteRange:
                let end = value.isEmpty ? nil : Key(value)
                families[operation.family]?.remove(KeyRange(start: key, end: end))
            }
        }
    }

    func get(
        _ family: ColumnFamily, _ key: Key, tier: ReadTier, _ coldness: Coldness
    ) -> Lookup {
        if tier == .cached, coldness.covers(key) { return .notCached }
        return families[family]?.value(of: key).map(Lookup.found) ?? .missing
    }

    func scan(
        _ family: ColumnFamily, _ range: KeyRange, reverse: Bool, tier: ReadTier,
        _ coldness: Coldness,
        _ visit: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> ScanStep
    ) -> ScanOutcome {
        var outcome = ScanOutcome.complete
        var visitsLeft = tier == .cached ? Limits.entriesVisitedInline : .max
        families[family]?.forEach(in: range, reverse: reverse) { entry in
            if tier == .cached, visitsLeft == 0 || coldness.covers(entry.key) {
                outcome = .notCached
                return false
            }
            visitsLeft -= 1
            let step = entry.key.bytes.withUnsafeBytes { key in
                entry.value.withUnsafeBytes { value in visit(key, value) }
            }
            guard step == .more else {
                outcome = .stopped
                return false
            }
            return true
        }
        return outcome
    }
}

final class MemoryView: EngineView {
    private let image: MemoryImage
    private let coldness: Coldness

    init(image: MemoryImage, coldness: Coldness) {
        self.image = image
        self.coldness = coldness
    }

    func get(
        _ family: ColumnFamily, _ key: Key, tier: ReadTier
    ) throws(StorageError) -> Lookup {
        image.get(family, key, tier: tier, coldness)
    }

    func scan(
        _ family: ColumnFamily, _ range: KeyRange, reverse: Bool, tier: ReadTier,
        _ visit: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> ScanStep
    ) throws(StorageError) -> ScanOutcome {
        image.scan(family, range, reverse: reverse, tier: tier, coldness, visit)
    }
}
