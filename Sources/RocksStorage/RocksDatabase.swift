/// An open RocksDB database and the C objects that belong to it; the last owner closes it.
///
/// Engine and views share it, so that a view that outlives the engine still reads.
internal import Base
private import CRocksDB
private import Glibc
internal import Storage
private import Synchronization

// @unchecked Sendable: the pointers never change after init, and RocksDB's database, column family
// and option objects may be used from any thread.
final class RocksDatabase: @unchecked Sendable {
    let pointer: OpaquePointer
    let tuning: RocksTuning
    private let raw: OpaquePointer
    private let meta: OpaquePointer
    /// RocksDB insists on this family; only the marks of `AtomicFlush` are in it.
    let marks: OpaquePointer
    /// For reads of the newest state.
    let cachedRead: OpaquePointer
    let diskRead: OpaquePointer
    /// Whatever must stay held while files are open.
    private let lease: any Sendable
    private let isAbandoned = Mutex(false)

    init(
        path: String, options: RocksOptions, creating: Bool, readOnly: Bool,
        lease: any Sendable
    ) throws(StorageError) {
        try LogCheck.verify(folder: path)
        let tuning = RocksTuning(options)
        rocksdb_options_set_create_if_missing(tuning.database, creating ? 1 : 0)
        let families = ColumnFamily.allCases
        let names = (["default"] + families.map(\.rawValue)).map { strdup($0) }
        defer { for name in names { free(name) } }
        let nameViews = names.map { UnsafePointer<CChar>($0) }
        let familyOptions: [OpaquePointer?] =
            [tuning.options(of: .meta)] + families.map { tuning.options(of: $0) }
        var handles = [OpaquePointer?](repeating: nil, count: names.count)
        let pointer = try calling { error in
            readOnly
                ? rocksdb_open_for_read_only_column_families(
                    tuning.database, path, Int32(names.count), nameViews, familyOptions, &handles,
                    0, error)
                : rocksdb_open_column_families(
                    tuning.database, path, Int32(names.count), nameViews, familyOptions, &handles,
                    error)
        }
        guard let pointer, let marks = handles[0],
            let raw = handles[1 + families.firstIndex(of: .raw)!],
            let meta = handles[1 + families.firstIndex(of: .meta)!]
        else { throw .failed("RocksDB opened \(path) without its column families") }
        self.pointer = pointer
        self.tuning = tuning
        self.raw = raw
        self.meta = meta
        self.marks = marks
        cachedRead = makeReadOptions(.cached)
        diskRead = makeReadOptions(.disk)
        self.lease = lease
    }

    /// After a failed write: never to be closed. Closing touches the file that failed, which aborts
    /// the process in Debian's build; the process has to end anyway.
    ///
    /// All of it is kept, not only the database: its threads still compact, with the filter and the
    /// cache that the tuning owns, and the lease covers the files that they write.
    func abandon() {
        let isFirst = isAbandoned.withLock { isAbandoned in
            defer { isAbandoned = true }
            return !isAbandoned
        }
        if isFirst { _ = Unmanaged.passRetained(self) }
    }

    var hasFailed: Bool { isAbandoned.withLock { $0 } }

    deinit {
        rocksdb_readoptions_destroy(cachedRead)
        rocksdb_readoptions_destroy(diskRead)
        for family in [raw, meta, marks] { rocksdb_column_family_handle_destroy(family) }
        rocksdb_close(pointer)
    }

    func handle(of family: ColumnFamily) -> OpaquePointer {
        switch family {
        case .raw: raw
        case .meta: meta
        }
    }

    // Hot path: every point read.
    func get(
        _ family: ColumnFamily, _ key: [UInt8], _ tier: ReadTier, _ readOptions: OpaquePointer
    ) throws(StorageError) -> Lookup {
        try get(in: handle(of: family), key, tier, readOptions)
    }

    func get(
        in handle: OpaquePointer, _ key: [UInt8], _ tier: ReadTier, _ readOptions: OpaquePointer
    ) throws(StorageError) -> Lookup {
        var text: ErrorText = nil
        let found = withCChars(key) { start, count in
            rocksdb_get_pinned_cf(pointer, readOptions, handle, start, count, &text)
        }
        if let text {
            switch RocksStatus(consuming: text) {
            case .incomplete: return .notCached
            case .error(let error): throw error
            }
        }
        guard let found else { return .missing }
        defer { rocksdb_pinnableslice_destroy(found) }
        var count = 0
        let start = rocksdb_pinnableslice_value(found, &count)
        // RocksDB 7.8 also answers "found" with an empty value where a table that is not open may
        // hold the key (`MarkKeyMayExist`). Records are hardly ever empty, so an empty one is read
        // again.
        if count == 0, tier == .cached { return .notCached }
        return .found([UInt8](UnsafeRawBufferPointer(start: start, count: count)))
    }
}

func makeReadOptions(_ tier: ReadTier, snapshot: OpaquePointer? = nil) -> OpaquePointer {
    guard let made = rocksdb_readoptions_create() else { fatalError("out of memory") }
    switch tier {
    case .cached:
        rocksdb_readoptions_set_read_tier(made, Int32(1))  // kBlockCacheTier
        // For each step of an iterator; past it the answer is "incomplete", as for a cold block.
        rocksdb_readoptions_set_max_skippable_internal_keys(
            made, UInt64(Limits.keysSkippedInline))
    case .disk: break
    }
    if let snapshot { rocksdb_readoptions_set_snapshot(made, snapshot) }
    return made
}
