/// How RocksDB is set up for Raft logs, each choice with its reason; what it shares with the data's
/// database is in `RocksTuning.makeCommonOptions`.
///
/// A log is written at one end and deleted at the other soon after: most entries are gone before
/// the memtable that holds them is full. What counts is the write-ahead log and its one sync; the
/// tables below are only what a lagging flush of the data, or a group that sleeps, leaves behind.
private import CRocksDB

package struct RocksLogOptions: Sendable {
    /// One memtable; full, it is written out as a table. As with the data: the write-ahead log that
    /// a restart replays is as long as all of them.
    package var memtableBytes: Int
    /// Tables open at once, each a file descriptor.
    package var openFilesMax: Int
    /// RocksDB's own log, its manifest: bytes of one file.
    package var ownLogBytes: Int

    static let memtablesMax = 3
    /// Index blocks, and the blocks of a follower that lags far behind, read once each.
    static let blockCacheBytes = 4 << 20

    static func openFiles(beside data: Int) -> Int { max(32, data / 16) }

    /// - Parameter data: of the database beside it; they share the disk and its smallness.
    package init(beside data: RocksOptions) {
        memtableBytes = data.memtableBytes
        openFilesMax = Self.openFiles(beside: data.openFilesMax)
        ownLogBytes = data.ownLogBytes
    }

    /// Bytes of resident memory that it stays below, beside those of the data.
    package var memoryBound: Int {
        memtableBytes * Self.memtablesMax + Self.blockCacheBytes
            + openFilesMax * RocksOptions.bytesPerOpenFile + 2 * RocksOptions.bytesPerJob
    }
}

extension RocksOptions {
    /// Bytes of resident memory that the data and the log beside it stay below together, whatever
    /// is stored.
    package var storeMemoryBound: Int { memoryBound + RocksLogOptions(beside: self).memoryBound }
}

/// Owns the C objects that options refer to; they must outlive the database.
struct RocksLogTuning: ~Copyable {
    let options: OpaquePointer
    private let cache: OpaquePointer

    init(_ chosen: RocksLogOptions) {
        cache = rocksdb_cache_create_lru(RocksLogOptions.blockCacheBytes)
        options = RocksTuning.makeCommonOptions(ownLogBytes: chosen.ownLogBytes)
        // One flush beside one compaction: more at once would take the disk from the syncs.
        rocksdb_options_set_max_background_jobs(options, 2)
        rocksdb_options_set_max_open_files(options, Int32(chosen.openFilesMax))
        rocksdb_options_set_write_buffer_size(options, chosen.memtableBytes)
        rocksdb_options_set_max_write_buffer_number(options, Int32(RocksLogOptions.memtablesMax))
        // No compression. What reaches a table is deleted soon or is large, and what is large has
        // been compressed by who sent it, if it can be; the processor is scarcer than the disk.
        rocksdb_options_set_compression(options, Int32(rocksdb_no_compression))
        rocksdb_options_set_level_compaction_dynamic_level_bytes(options, 1)
        rocksdb_options_set_max_bytes_for_level_base(options, UInt64(chosen.memtableBytes * 4))
        rocksdb_options_set_target_file_size_base(options, UInt64(chosen.memtableBytes))
        guard let table = rocksdb_block_based_options_create() else { fatalError("out of memory") }
        defer { rocksdb_block_based_options_destroy(table) }
        rocksdb_block_based_options_set_block_cache(table, cache)
        rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1)
        // No bloom filter, in tables or memtables: entries are read by ranges, and nobody asks for
        // one that is not there. Large blocks, because they are read in order.
        rocksdb_block_based_options_set_block_size(table, 64 << 10)
        rocksdb_block_based_options_set_format_version(table, 5)
        rocksdb_options_set_block_based_table_factory(options, table)
    }

    deinit {
        rocksdb_options_destroy(options)
        rocksdb_cache_destroy(cache)
    }
}
