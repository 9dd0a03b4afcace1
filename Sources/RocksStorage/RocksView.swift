/// A consistent view: a RocksDB snapshot, and scans over it.
internal import Base
private import CRocksDB
internal import Storage

// @unchecked Sendable: the pointers never change after init, and RocksDB reads through one snapshot
// and one set of read options from any number of threads.
final class RocksView: EngineView, @unchecked Sendable {
    private let database: RocksDatabase
    private let snapshot: OpaquePointer
    private let cachedRead: OpaquePointer
    private let diskRead: OpaquePointer

    /// Bytes that one scan may add to the block cache. A page (`Limits.bytesPerPage`) stays below;
    /// what goes on beyond, a count or a delete of a large range, reads past the cache instead of
    /// emptying it.
    private static let cachedBytesPerScan = 2 * Limits.bytesPerPage
    /// What a scan beyond that reads ahead: enough to stream from any disk.
    private static let readaheadBytes = 1 << 20

    private enum SegmentEnd {
        case ended(ScanOutcome)
        /// The byte budget is used up; the last key visited.
        case spent(Key)
    }

    init(_ database: RocksDatabase) {
        self.database = database
        guard let snapshot = rocksdb_create_snapshot(database.pointer) else {
            fatalError("a database without in-place updates gives snapshots")
        }
        self.snapshot = snapshot
        cachedRead = makeReadOptions(.cached, snapshot: snapshot)
        diskRead = makeReadOptions(.disk, snapshot: snapshot)
    }

    deinit {
        rocksdb_readoptions_destroy(cachedRead)
        rocksdb_readoptions_destroy(diskRead)
        rocksdb_release_snapshot(database.pointer, snapshot)
    }

    func get(
        _ family: ColumnFamily, _ key: Key, tier: ReadTier
    ) throws(StorageError) -> Lookup {
        try database.get(family, key.bytes, tier, tier == .cached ? cachedRead : diskRead)
    }

    func scan(
        _ family: ColumnFamily, _ range: KeyRange, reverse: Bool, tier: ReadTier,
        _ visit: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> ScanStep
    ) throws(StorageError) -> ScanOutcome {
        guard !range.isEmpty else { return .complete }
        // Iterators of RocksDB 7.8 drop the status of a child that could not read, and go on
        // without its entries (facebook/rocksdb#11782 and #11786, mended in 8.5.2). A scan
        // restricted to memory would thus leave out entries and call itself complete, so none is
        // tried.
        guard tier == .disk else { return .notCached }
        let options = makeReadOptions(.disk, snapshot: snapshot)
        defer { rocksdb_readoptions_destroy(options) }
        let budget = Self.cachedBytesPerScan
        let last: Key
        switch try scanSegment(family, range, reverse, options, byteBudget: budget, visit) {
        case .ended(let outcome): return outcome
        case .spent(let key): last = key
        }
        var rest = range
        if reverse { rest.end = last } else { rest.start = last.successor }
        guard !rest.isEmpty else { return .complete }
        rocksdb_readoptions_set_fill_cache(options, 0)
        rocksdb_readoptions_set_readahead_size(options, Self.readaheadBytes)
        switch try scanSegment(family, rest, reverse, options, byteBudget: .max, visit) {
        case .ended(let outcome): return outcome
        case .spent: fatalError("an unlimited budget cannot be spent")
        }
    }

    // Hot path: every entry of every scan.
    private func scanSegment(
        _ family: ColumnFamily, _ range: KeyRange, _ reverse: Bool, _ options: OpaquePointer,
        byteBudget: Int,
        _ visit: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> ScanStep
    ) throws(StorageError) -> SegmentEnd {
        // RocksDB keeps the pointers of the bounds as long as the iterator lives.
        let lower = CBytes(range.start.bytes)
        let upper = CBytes(range.end?.bytes ?? [])
        rocksdb_readoptions_set_iterate_lower_bound(options, lower.pointer, lower.count)
        rocksdb_readoptions_set_iterate_upper_bound(
            options, range.end == nil ? nil : upper.pointer, upper.count)
        guard
            let iterator = rocksdb_create_iterator_cf(
                database.pointer, options, database.handle(of: family))
        else { fatalError("out of memory") }
        defer { rocksdb_iter_destroy(iterator) }

        if reverse {
            rocksdb_iter_seek_to_last(iterator)
        } else {
            rocksdb_iter_seek_to_first(iterator)
        }
        var bytesLeft = byteBudget
        while rocksdb_iter_valid(iterator) != 0 {
            var keyCount = 0
            var valueCount = 0
            let keyStart = rocksdb_iter_key(iterator, &keyCount)
            let valueStart = rocksdb_iter_value(iterator, &valueCount)
            let key = UnsafeRawBufferPointer(start: keyStart, count: keyCount)
            let value = UnsafeRawBufferPointer(start: valueStart, count: valueCount)
            guard visit(key, value) == .more else { return .ended(.stopped) }
            bytesLeft -= keyCount + valueCount
            if bytesLeft < 0 { return .spent(Key(Bytes(key))) }
            if reverse { rocksdb_iter_prev(iterator) } else { rocksdb_iter_next(iterator) }
        }
        var text: ErrorText = nil
        rocksdb_iter_get_error(iterator, &text)
        if let text { throw RocksStatus(consuming: text).error }
        return .ended(.complete)
    }
}
