/// What Martlet asks of a storage engine: ordered bytes in column families, atomic batches,
/// consistent views, one sync when asked.
///
/// Two engines stand behind it and pass one test suite: `RocksEngine` on disk, and `MemoryEngine`
/// in memory, which in simulation loses what was not synced. The seam knows neither. It leaves out
/// transactions, TTL and regions: those are rules above it.
package import Base

/// A named, separately tuned part of the store. The raw value is its name on disk: frozen.
package enum ColumnFamily: String, CaseIterable, Hashable, Sendable {
    /// Raw keys: `r` + key to a raw record.
    case raw
    /// The store's own facts: identity, format, applied position.
    case meta
}

/// How far a read may go to get its answer.
package enum ReadTier: Hashable, Sendable {
    /// Memory only, and little of it; what is not there or takes long is `notCached`. For event
    /// loops, which must not wait for a disk, nor for a walk over what was deleted.
    case cached
    /// Memory, then disk. For threads that may block.
    case disk
}

package enum StorageError: Error, Hashable, Sendable {
    /// What had to be read before the batch could be written could not be; nothing of the batch
    /// was written, and others can be.
    case unreadable(String)
    /// The device or the file system failed. After it no write may be tried again: what the disk
    /// holds is unknown until the store is opened anew.
    case failed(String)
    /// The same for want of space: others have taken what `DiskGuard` had kept free.
    case full(String)
    /// Stored bytes do not match their checksum or their format.
    case corrupt(String)

    /// Met by a write: whether no write may be tried again.
    package var endsWrites: Bool {
        switch self {
        case .unreadable: false
        case .failed, .full, .corrupt: true
        }
    }

    package var reason: String {
        switch self {
        case .unreadable(let what), .failed(let what), .full(let what), .corrupt(let what): what
        }
    }
}

package enum Lookup: Hashable, Sendable {
    case found(Bytes)
    case missing
    /// Only with `ReadTier.cached`: ask again with `.disk` where waiting is allowed.
    case notCached
}

package enum ScanOutcome: Hashable, Sendable {
    /// The range was seen to its end.
    case complete
    /// The visitor asked to stop.
    case stopped
    /// Only with `ReadTier.cached`: the rest needs the disk, or more than
    /// `Limits.entriesVisitedInline` visits. What was visited so far is valid.
    case notCached
}

package enum ScanStep: Hashable, Sendable {
    case more
    case stop
}

/// A consistent view of everything written before it was taken. Holding one keeps old data alive:
/// release soon.
package protocol EngineView: AnyObject, Sendable {
    func get(
        _ family: ColumnFamily, _ key: Key, tier: ReadTier
    ) throws(StorageError) -> Lookup

    /// Visits the entries of `range` in key order, or in the opposite order with `reverse`.
    /// The bytes given to `visit` are valid only during the call.
    func scan(
        _ family: ColumnFamily, _ range: KeyRange, reverse: Bool, tier: ReadTier,
        _ visit: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> ScanStep
    ) throws(StorageError) -> ScanOutcome
}

package protocol KeyValueEngine: AnyObject, Sendable {
    /// A point read of the newest state; the same as `view().get` and cheaper.
    func get(
        _ family: ColumnFamily, _ key: Key, tier: ReadTier
    ) throws(StorageError) -> Lookup

    func view() -> any EngineView

    /// Writes the batch as one atomic step, visible to reads that begin after it returns. With
    /// `sync` it is on disk, with everything written before it, when this returns. Blocks; one
    /// caller at a time.
    func write(_ batch: WriteBatch, sync: Bool) throws(StorageError)
}
