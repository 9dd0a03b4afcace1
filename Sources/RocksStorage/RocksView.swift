/// A consistent view: a RocksDB snapshot, and scans over it.
internal import Base
private import CRocksDB
internal import Failpoints
internal import Injection
internal import Storage

// @unchecked Sendable: the pointers never change after init, and RocksDB reads through one snapshot
// and one set of read options from any number of threads.
final class RocksView: EngineView, @unchecked Sendable {
    private let database: RocksDatabase
    private let snapshot: OpaquePointer
    private let cachedRead: OpaquePointer
    private let diskRead: OpaquePointer
    private let failpoints: FailpointRegistry

    /// What a scan beyond that reads ahead: enough to stream from any disk.
    private static let readaheadBytes = 1 << 20

    init(_ database: RocksDatabase, _ failpoints: FailpointRegistry) {
        self.database = database
        self.failpoints = failpoints
        failpoints.reached(.viewOpen)
        guard let snapshot = rocksdb_create_snapshot(database.pointer) else {
            fatalError("a database without in-place updates gives snapshots")
        }
        self.snapshot = snapshot
        cachedRead = makeReadOptions(.cached, snapshot: snapshot)
        diskRead = makeReadOptions(.disk, snapshot: snapshot)
    }

    deinit {
        failpoints.reached(.viewClose)
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
        let options = makeReadOptions(tier, snapshot: snapshot)
        defer { rocksdb_readoptions_destroy(options) }
        let budget = tier == .disk ? ScanBudget.caching : .inline
        let last: Key
        switch try database.scan(family, range, reverse, options, budget, visit) {
        case .ended(let outcome): return outcome
        case .spent(let key): last = key
        }
        var rest = range
        if reverse { rest.end = last } else { rest.start = last.successor }
        guard !rest.isEmpty else { return .complete }
        rocksdb_readoptions_set_fill_cache(options, 0)
        rocksdb_readoptions_set_readahead_size(options, Self.readaheadBytes)
        switch try database.scan(family, rest, reverse, options, .unlimited, visit) {
        case .ended(let outcome): return outcome
        case .spent: fatalError("an unlimited budget cannot be spent")
        }
    }
}
