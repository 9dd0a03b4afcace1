/// RocksDB's options, each set on purpose and with its reason; what is not named here keeps the
/// default of RocksDB 7.8, which is the version Debian 12 carries.
private import CRocksDB
internal import Storage

/// Owns the C objects that options refer to; they must outlive the database.
struct RocksTuning: ~Copyable {
    let database: OpaquePointer
    let cache: OpaquePointer
    private let families: [ColumnFamily: OpaquePointer]
    private let filters: [OpaquePointer]

    init(_ options: RocksOptions) {
        // One cache for all families. LRU with RocksDB's default split: half of it is reserved for
        // index and filter blocks, so that a long scan cannot push them out.
        cache = rocksdb_cache_create_lru(options.blockCacheBytes)
        database = Self.makeDatabaseOptions(options)
        var families: [ColumnFamily: OpaquePointer] = [:]
        var filters: [OpaquePointer] = []
        for family in ColumnFamily.allCases {
            let made = Self.makeFamilyOptions(family, options, cache: cache)
            if let isGarbage = options.isGarbage[family] {
                let filter = makeCompactionFilter(isGarbage)
                rocksdb_options_set_compaction_filter(made, filter)
                filters.append(filter)
            }
            families[family] = made
        }
        self.families = families
        self.filters = filters
    }

    deinit {
        for family in ColumnFamily.allCases { rocksdb_options_destroy(options(of: family)) }
        rocksdb_options_destroy(database)
        for filter in filters { rocksdb_compactionfilter_destroy(filter) }
        rocksdb_cache_destroy(cache)
    }

    func options(of family: ColumnFamily) -> OpaquePointer {
        guard let made = families[family] else { fatalError("options were made for all families") }
        return made
    }

    private static func makeDatabaseOptions(_ options: RocksOptions) -> OpaquePointer {
        let made = makeCommonOptions(ownLogBytes: options.ownLogBytes)
        rocksdb_options_set_create_missing_column_families(made, 1)
        // Whatever RocksDB writes out by itself comprises all families and becomes part of the
        // database in one step of the manifest. How we ask for it: `AtomicFlush`.
        rocksdb_options_set_atomic_flush(made, 1)
        rocksdb_options_set_max_background_jobs(made, Int32(options.backgroundJobs))
        rocksdb_options_set_max_open_files(made, Int32(options.openFilesMax))
        return made
    }

    /// What the database of the data and that of the Raft logs have in common.
    static func makeCommonOptions(ownLogBytes: Int) -> OpaquePointer {
        guard let made = rocksdb_options_create() else { fatalError("out of memory") }
        // Verify checksums of what is read and stop writing on background errors. The default, and
        // everything here relies on it.
        rocksdb_options_set_paranoid_checks(made, 1)
        // Mode 0, "tolerate corrupted tail records". A record cut off at the end of a log is what
        // kill -9 and power loss leave of a write that was never acknowledged, and is dropped. A
        // record that is there and fails its checksum is damage to something that may have been
        // acknowledged: opening fails. The default, mode 2, would drop it and everything after it
        // in silence; mode 1 would refuse to start after an ordinary crash (reliability.md rows 68
        // to 72). What mode 0 still lets pass, `LogCheck` finds first.
        rocksdb_options_set_wal_recovery_mode(made, 0)
        // Old logs are not written over: in a recycled file an old record can pass for a new one
        // (row 68).
        rocksdb_options_set_recycle_log_file_num(made, 0)
        // No early write-back of the log: every batch is synced, and a half-synced log is one state
        // more.
        rocksdb_options_set_wal_bytes_per_sync(made, 0)
        // Tables, in contrast, are written back as they grow: one large write-back at the end of a
        // compaction would delay the log's syncs on the same disk.
        rocksdb_options_set_bytes_per_sync(made, 1 << 20)
        // A core reads on its event loop and must not unlink files there when it lets go of a view.
        rocksdb_options_set_avoid_unnecessary_blocking_io(made, 1)
        // One disk worker writes: no concurrent inserts, and no spinning in wait for other writers.
        rocksdb_options_set_allow_concurrent_memtable_write(made, 0)
        rocksdb_options_set_enable_write_thread_adaptive_yield(made, 0)
        // Statistics over all tables at start would make it slower with every table; only the
        // choice of compactions in the first minutes is less informed.
        rocksdb_options_set_skip_stats_update_on_db_open(made, 1)
        // RocksDB's own log and its manifest, which it would preallocate at 4 MiB and let grow to
        // 1 GiB: bounded. The log comes without the periodic dumps, because the same figures are
        // in the metrics.
        rocksdb_options_set_manifest_preallocation_size(made, ownLogBytes)
        rocksdb_options_set_max_manifest_file_size(made, 16 * ownLogBytes)
        rocksdb_options_set_max_log_file_size(made, ownLogBytes)
        rocksdb_options_set_keep_log_file_num(made, 4)
        rocksdb_options_set_stats_dump_period_sec(made, 0)
        rocksdb_options_set_stats_persist_period_sec(made, 0)
        return withTextOptions(made)
    }

    /// What the C interface can set only by name.
    private static func withTextOptions(_ base: OpaquePointer) -> OpaquePointer {
        // A restart keeps what it replays in memory instead of writing it out at once: it is ready
        // sooner, and it does not need free space to come up.
        let text = "avoid_flush_during_recovery=true"
        guard let made = rocksdb_options_create() else { fatalError("out of memory") }
        var error: ErrorText = nil
        rocksdb_get_options_from_string(base, text, made, &error)
        rocksdb_options_destroy(base)
        if let error { fatalError("RocksDB refuses its options: \(String(cString: error))") }
        return made
    }

    private static func makeFamilyOptions(
        _ family: ColumnFamily, _ options: RocksOptions, cache: OpaquePointer
    ) -> OpaquePointer {
        guard let made = rocksdb_options_create() else { fatalError("out of memory") }
        rocksdb_options_set_write_buffer_size(made, options.memtableBytes)
        rocksdb_options_set_max_write_buffer_number(made, Int32(options.memtablesMax))
        if family == .raw {
            // A bloom filter in the memtable as well: most reads and conditional writes ask the
            // memtable first and in vain. It takes 2 % of the memtable.
            rocksdb_options_set_memtable_prefix_bloom_size_ratio(made, 0.02)
            rocksdb_options_set_memtable_whole_key_filtering(made, 1)
        }
        // LZ4 everywhere: decompression costs less than the cache misses it avoids. The last level,
        // which holds nine tenths of the data and is rewritten least, gets ZSTD.
        rocksdb_options_set_compression(made, Int32(rocksdb_lz4_compression))
        rocksdb_options_set_bottommost_compression(made, Int32(rocksdb_zstd_compression))
        // Level sizes follow the last level, which bounds space amplification at about 1.1.
        rocksdb_options_set_level_compaction_dynamic_level_bytes(made, 1)
        // The first level as large as the tables that wait above it, as RocksDB's guide advises.
        rocksdb_options_set_max_bytes_for_level_base(made, UInt64(options.memtableBytes * 4))
        rocksdb_options_set_target_file_size_base(made, UInt64(options.tableBytes))
        // RocksDB stops adding to a compaction's input only when it has passed the limit.
        rocksdb_options_set_max_compaction_bytes(
            made, UInt64(options.compactionBytesMax / 4 * 3))
        // Filters on the last level too: a read of an absent key (put-if-absent, 404) is common
        // here, and without them each costs a disk read.
        rocksdb_options_set_optimize_filters_for_hits(made, 0)

        guard let table = rocksdb_block_based_options_create() else { fatalError("out of memory") }
        defer { rocksdb_block_based_options_destroy(table) }
        rocksdb_block_based_options_set_block_cache(table, cache)
        // 10 bits a key: 1 % false positives, measured at 4 to 5 times faster misses. Bloom and not
        // Ribbon, which saves 30 % of the filter for several times its building cost: with two
        // cores the processor is scarcer than memory.
        rocksdb_block_based_options_set_filter_policy(
            table, rocksdb_filterpolicy_create_bloom_full(10))
        // Indexes and filters are part of the cache's budget instead of growing beside it; those of
        // level 0, which every read asks, stay pinned in it.
        rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1)
        rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(table, 1)
        rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(table, 1)
        rocksdb_block_based_options_set_pin_top_level_index_and_filter(table, 1)
        // Larger than the default 4 KiB: a quarter of the index, better compression, and still one
        // or two device reads for a cold get.
        rocksdb_block_based_options_set_block_size(table, 16 << 10)
        rocksdb_block_based_options_set_format_version(table, 5)
        rocksdb_options_set_block_based_table_factory(made, table)
        return made
    }
}
