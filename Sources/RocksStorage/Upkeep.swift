/// What an operator, a metric or a test asks of the engine beside reading and writing.
package import Base
private import CRocksDB
package import Storage

extension RocksEngine {
    /// Writes the memtables of all families out as tables. Blocks.
    package func flush() throws(StorageError) {
        guard let options = rocksdb_flushoptions_create() else { fatalError("out of memory") }
        defer { rocksdb_flushoptions_destroy(options) }
        for family in ColumnFamily.allCases {
            try calling {
                rocksdb_flush_cf(database.pointer, options, database.handle(of: family), $0)
            }
        }
    }

    /// Rewrites the tables that overlap `range`, the last level too, so that deleted and expired
    /// values there are gone. Blocks, and is abandoned in silence if the store has failed.
    package func compact(_ family: ColumnFamily, _ range: KeyRange) {
        guard !range.isEmpty, let options = rocksdb_compactoptions_create() else { return }
        defer { rocksdb_compactoptions_destroy(options) }
        // 2: force the last level, which RocksDB otherwise skips unless a filter is set.
        rocksdb_compactoptions_set_bottommost_level_compaction(options, 2)
        let start = CBytes(range.start.bytes)
        let end = CBytes(range.end?.bytes ?? [])
        rocksdb_compact_range_cf_opt(
            database.pointer, database.handle(of: family), options,
            start.count == 0 ? nil : start.pointer, start.count,
            range.end == nil ? nil : end.pointer, end.count)
    }
}
