/// One pass of an iterator over a range.
internal import Base
private import CRocksDB
internal import Storage

enum ScanEnd {
    case ended(ScanOutcome)
    /// The budget of bytes is used up; the last key visited.
    case spent(Key)
}

/// What one pass may take.
struct ScanBudget {
    var entries = Int.max
    var bytes = Int.max

    static let unlimited = ScanBudget()
    /// Bytes that one scan may add to the block cache. A page (`Limits.bytesPerPage`) stays below;
    /// what goes on beyond, a count or a delete of a large range, reads past the cache instead of
    /// emptying it.
    static let caching = ScanBudget(bytes: 2 * Limits.bytesPerPage)
    /// On an event loop.
    static let inline = ScanBudget(entries: Limits.entriesVisitedInline)
}

extension RocksDatabase {
    func scan(
        _ family: ColumnFamily, _ range: KeyRange, _ reverse: Bool, _ options: OpaquePointer,
        _ budget: ScanBudget,
        _ visit: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> ScanStep
    ) throws(StorageError) -> ScanEnd {
        try iterate(pointer, handle(of: family), range, reverse, options, budget, visit)
    }
}

// Hot path: every entry of every scan.
func iterate(
    _ database: OpaquePointer, _ handle: OpaquePointer, _ range: KeyRange, _ reverse: Bool,
    _ options: OpaquePointer, _ budget: ScanBudget,
    _ visit: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> ScanStep
) throws(StorageError) -> ScanEnd {
    // RocksDB keeps the pointers of the bounds as long as the iterator lives.
    let lower = CBytes(range.start.bytes)
    let upper = CBytes(range.end?.bytes ?? [])
    // There are no range tombstones (see `RangeDeletion`), and only thus is the status of every
    // file looked at: with them, iterators of RocksDB 7.8 step over a file whose first block
    // cannot be read, and over one that is not cached, as if it were empty
    // (facebook/rocksdb#11782 and #11786, mended in 8.5.2).
    rocksdb_readoptions_set_ignore_range_deletions(options, 1)
    rocksdb_readoptions_set_iterate_lower_bound(options, lower.pointer, lower.count)
    rocksdb_readoptions_set_iterate_upper_bound(
        options, range.end == nil ? nil : upper.pointer, upper.count)
    guard
        let iterator = rocksdb_create_iterator_cf(database, options, handle)
    else { fatalError("out of memory") }
    defer { rocksdb_iter_destroy(iterator) }

    if reverse {
        rocksdb_iter_seek_to_last(iterator)
    } else {
        rocksdb_iter_seek_to_first(iterator)
    }
    var left = budget
    while rocksdb_iter_valid(iterator) != 0 {
        guard left.entries > 0 else { return .ended(.notCached) }
        var keyCount = 0
        var valueCount = 0
        let keyStart = rocksdb_iter_key(iterator, &keyCount)
        let valueStart = rocksdb_iter_value(iterator, &valueCount)
        let key = UnsafeRawBufferPointer(start: keyStart, count: keyCount)
        let value = UnsafeRawBufferPointer(start: valueStart, count: valueCount)
        guard visit(key, value) == .more else { return .ended(.stopped) }
        left.bytes -= keyCount + valueCount
        left.entries -= 1
        if left.bytes < 0 { return .spent(Key(Bytes(key))) }
        if reverse { rocksdb_iter_prev(iterator) } else { rocksdb_iter_next(iterator) }
    }
    var text: ErrorText = nil
    rocksdb_iter_get_error(iterator, &text)
    guard let text else { return .ended(.complete) }
    switch RocksStatus(consuming: text) {
    case .incomplete: return .ended(.notCached)
    case .error(let error): throw error
    }
}
