/// The open RocksDB of the Raft logs and the C objects that belong to it; the last owner closes it.
internal import Base
private import CRocksDB
private import Glibc
internal import Raft
internal import Regions
internal import Storage
private import Synchronization

// @unchecked Sendable: the pointers never change after init, and RocksDB's database, column family
// and option objects may be used from any thread.
final class LogDatabase: @unchecked Sendable {
    let pointer: OpaquePointer
    private let handle: OpaquePointer
    private let tuning: RocksLogTuning
    /// Whatever must stay held while files are open.
    private let lease: any Sendable

    /// What a read ahead of a scan takes at a time: entries are read in order.
    private static let readaheadBytes = 1 << 20

    init(
        path: String, options: RocksLogOptions, creating: Bool, readOnly: Bool,
        lease: any Sendable
    ) throws(StorageError) {
        do throws(StorageError) {
            try LogCheck.verify(folder: path)
            try NewestLog.check(in: path)
        } catch {
            guard case .corrupt(let what) = error else { throw error }
            throw .corrupt("the Raft log in \(path) is damaged: \(what)")
        }
        let tuning = RocksLogTuning(options)
        rocksdb_options_set_create_if_missing(tuning.options, creating ? 1 : 0)
        // By the family's name, for its handle: scans ask for one.
        let name = strdup("default")
        defer { free(name) }
        var handle: OpaquePointer?
        let pointer = try calling { error in
            var nameView: UnsafePointer<CChar>? = UnsafePointer(name)
            var familyOptions: OpaquePointer? = tuning.options
            guard !readOnly else {
                return rocksdb_open_for_read_only_column_families(
                    tuning.options, path, 1, &nameView, &familyOptions, &handle, 0, error)
            }
            return rocksdb_open_column_families(
                tuning.options, path, 1, &nameView, &familyOptions, &handle, error)
        }
        guard let pointer, let handle else {
            throw .failed("RocksDB opened \(path) without its column family")
        }
        self.pointer = pointer
        self.handle = handle
        self.tuning = tuning
        self.lease = lease
    }

    deinit {
        rocksdb_column_family_handle_destroy(handle)
        rocksdb_close(pointer)
    }

    /// What RocksDB may write next by itself: all that is in memory, and the few tables that are
    /// left of entries not yet deleted. The reserve for deletes is the data's: it counts a log.
    var spaceNeeds: DiskGuard.Needs {
        DiskGuard.Needs(
            flushBytes: number("rocksdb.cur-size-all-mem-tables"),
            compactionBytes: number("rocksdb.live-sst-files-size"),
            memtableBytes: 0)
    }

    private func number(_ name: String) -> UInt64 {
        var value: UInt64 = 0
        _ = rocksdb_property_int_cf(pointer, handle, name, &value)
        return value
    }

    /// Writes the memtables out, so that the files of the write-ahead log may go. Blocks.
    func flush() throws(StorageError) {
        guard let options = rocksdb_flushoptions_create() else { fatalError("out of memory") }
        defer { rocksdb_flushoptions_destroy(options) }
        try calling { rocksdb_flush(pointer, options, $0) }
    }

    /// Rewrites what is left in tables without what was deleted there. Blocks.
    func compact() {
        rocksdb_compact_range_cf(pointer, handle, nil, 0, nil, 0)
    }

    /// After a failed write, called once: never to be closed, for the reasons given in
    /// `RocksDatabase`.
    func abandon() { _ = Unmanaged.passRetained(self) }

    func entries(
        of group: GroupID, in range: Range<LogIndex>, byteLimit: Int
    ) throws(StorageError) -> [Bytes] {
        guard !range.isEmpty else { return [] }
        let keys = KeyRange(
            start: Key(LogKey(group, .entry(range.lowerBound)).bytes),
            end: Key(LogKey(group, .entry(range.upperBound)).bytes))
        var found: [Bytes] = []
        var bytesLeft = byteLimit
        var fault: String?
        try scan(keys) { key, value in
            guard case .entry(let index)? = key?.kind else {
                fault = "a key that is none"
                return .stop
            }
            let next = range.lowerBound + LogIndex(found.count)
            guard index == next else {
                // A compaction may have come first, but makes no hole.
                if !found.isEmpty { fault = "entry \(index) follows entry \(next - 1)" }
                return .stop
            }
            bytesLeft -= value.count
            if bytesLeft < 0, !found.isEmpty { return .stop }
            found.append(Bytes(value))
            return .more
        }
        if let fault { throw .corrupt("the Raft log, group \(group): \(fault)") }
        return found
    }

    func recover() throws(StorageError) -> LogRecovery {
        var recovery = LogRecovery()
        var fault: StorageError?
        try scan(.all) { key, value in
            do throws(StorageError) {
                guard let key else { throw .corrupt("the Raft log: a key that is none") }
                try recovery.add(key, Bytes(value))
                return .more
            } catch {
                fault = error
                return .stop
            }
        }
        if let fault { throw fault }
        try recovery.finish()
        return recovery
    }

    /// Past the cache: what is read here is read once.
    private func scan(
        _ range: KeyRange, _ visit: (LogKey?, UnsafeRawBufferPointer) -> ScanStep
    ) throws(StorageError) {
        let options = makeReadOptions(.disk)
        defer { rocksdb_readoptions_destroy(options) }
        rocksdb_readoptions_set_fill_cache(options, 0)
        rocksdb_readoptions_set_readahead_size(options, Self.readaheadBytes)
        _ = try iterate(pointer, handle, range, false, options, .unlimited) { key, value in
            // A key that cannot be read is told to the visitor as nil.
            visit(try? LogKey(decoding: Bytes(key)), value)
        }
    }
}
