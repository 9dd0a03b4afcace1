/// The engine has no write-ahead log: what is on disk is what was flushed, of all families at
/// once.
///
/// With the option `atomic_flush` RocksDB writes out all families together when it does so by
/// itself, and one step of its manifest takes in all their tables; a crash leaves the state of one
/// moment. `rocksdb_flush_cf` is no part of that: it writes out the one family that it is given,
/// and would put data on disk whose applied position is not there. The C interface of RocksDB 7.8
/// has no flush of several families. What it has is a compaction by hand, which begins with an
/// atomic flush of everything: asked of the family in which next to nothing is, it does just that.
///
/// That call tells no error. So a mark is written before it, and has to be on disk after it.
package import Base
private import CRocksDB
package import Storage
private import Synchronization

extension RocksEngine {
    private static let markKey = Bytes("flush".utf8)

    func flushTogether() throws(StorageError) {
        try compactionsAreStopped.withLock { areStopped throws(StorageError) in
            // Nothing is asked of the files of a store that has failed.
            guard !database.hasFailed else { throw .failed("the store has failed before") }
            let mark = try mark(.disk) + 1
            try write(mark: mark)
            guard let options = rocksdb_compactoptions_create() else {
                fatalError("out of memory")
            }
            defer { rocksdb_compactoptions_destroy(options) }
            // While they are stopped, this one would return without its flush.
            if areStopped { rocksdb_enable_manual_compaction(database.pointer) }
            defer { if areStopped { rocksdb_disable_manual_compaction(database.pointer) } }
            // Other compactions go on meanwhile.
            rocksdb_compactoptions_set_exclusive_manual_compaction(options, 0)
            rocksdb_compact_range_cf_opt(
                database.pointer, database.marks, options, nil, 0, nil, 0)
            guard try self.mark(nil) >= mark else {
                throw .failed("RocksDB could not write its memtables out; its own log says why")
            }
        }
    }

    private func write(mark: UInt64) throws(StorageError) {
        guard let options = rocksdb_writeoptions_create() else { fatalError("out of memory") }
        defer { rocksdb_writeoptions_destroy(options) }
        rocksdb_writeoptions_disable_WAL(options, 1)
        var value = Bytes()
        value.appendUInt64(mark)
        try calling { error in
            withCChars(Self.markKey) { key, keyCount in
                withCChars(value) { value, valueCount in
                    rocksdb_put_cf(
                        database.pointer, options, database.marks, key, keyCount, value,
                        valueCount, error)
                }
            }
        }
    }

    /// The newest mark, or with nil the newest one on disk; 0 before the first.
    private func mark(_ tier: ReadTier?) throws(StorageError) -> UInt64 {
        let options = tier == nil ? makePersistedReadOptions() : makeReadOptions(.disk)
        defer { rocksdb_readoptions_destroy(options) }
        guard
            case .found(let value) = try database.get(
                in: database.marks, Self.markKey, .disk, options)
        else { return 0 }
        var cursor = ByteCursor(value)
        do throws(DecodeError) {
            return try cursor.readUInt64()
        } catch {
            throw .corrupt("the mark of a flush: \(error)")
        }
    }

    /// What a crash would leave of a key: its newest value in a table. Together with what was
    /// written in the same batch it tells how far the store has come on disk.
    package func persistedGet(
        _ family: ColumnFamily, _ key: Key
    ) throws(StorageError) -> Lookup {
        let options = makePersistedReadOptions()
        defer { rocksdb_readoptions_destroy(options) }
        return try database.get(family, key.bytes, .disk, options)
    }
}

private func makePersistedReadOptions() -> OpaquePointer {
    let made = makeReadOptions(.disk)
    rocksdb_readoptions_set_read_tier(made, Int32(2))  // kPersistedTier
    return made
}
