/// What the engine tells about itself, for metrics; a plain value.
///
/// Read from RocksDB's properties, which cost microseconds each and take its own lock: not for an
/// event loop. Cache hits are not among them: RocksDB counts those only with statistics that cost
/// every read a few percent.
private import CRocksDB
package import Storage

package struct EngineStatistics: Hashable, Sendable {
    package struct Family: Hashable, Sendable {
        /// Memtables, those being flushed included.
        package var memtableBytes: UInt64 = 0
        /// Keys, by RocksDB's estimate; overwritten and expired ones may count.
        package var keysEstimate: UInt64 = 0
        /// Live tables.
        package var tableBytes: UInt64 = 0
        /// Tables on each level, from level 0.
        package var tablesPerLevel: [UInt64] = []
        /// Bytes that compactions have to rewrite to reach the intended shape.
        package var pendingCompactionBytes: UInt64 = 0
    }

    package var families: [ColumnFamily: Family] = [:]
    package var blockCacheBytes: UInt64 = 0
    package var blockCacheCapacity: UInt64 = 0
    /// What open tables hold outside the cache.
    package var tableReaderBytes: UInt64 = 0
    package var runningFlushes: UInt64 = 0
    package var runningCompactions: UInt64 = 0
    package var snapshots: UInt64 = 0
    /// Flushes and compactions that failed since the start.
    package var backgroundErrors: UInt64 = 0
    /// Writes wait now, for a flush or a compaction.
    package var writesAreStopped = false
    /// Time that writes waited since the start, in milliseconds.
    package var stallMilliseconds: UInt64 = 0

    /// Looks at the file system's free space that failed since the start.
    package var failedSpaceLooks: UInt64 = 0

    package init() {}
}

extension RocksEngine {
    /// Levels of a leveled RocksDB, by its default.
    private static let levels = 7

    package func statistics() -> EngineStatistics {
        var statistics = EngineStatistics()
        for family in ColumnFamily.allCases {
            let number = { (name: String) in self.number(name, family) }
            var part = EngineStatistics.Family()
            part.memtableBytes = number("rocksdb.cur-size-all-mem-tables")
            part.keysEstimate = number("rocksdb.estimate-num-keys")
            part.tableBytes = number("rocksdb.live-sst-files-size")
            part.tablesPerLevel = (0..<Self.levels).map { level in
                text("rocksdb.num-files-at-level\(level)", family).flatMap { UInt64($0) } ?? 0
            }
            part.pendingCompactionBytes = number("rocksdb.estimate-pending-compaction-bytes")
            statistics.tableReaderBytes += number("rocksdb.estimate-table-readers-mem")
            statistics.families[family] = part
        }
        statistics.failedSpaceLooks = space.failedLooks
        let cache = database.tuning.cache
        statistics.blockCacheBytes = UInt64(rocksdb_cache_get_usage(cache))
        statistics.blockCacheCapacity = UInt64(rocksdb_cache_get_capacity(cache))
        statistics.runningFlushes = number("rocksdb.num-running-flushes", .raw)
        statistics.runningCompactions = number("rocksdb.num-running-compactions", .raw)
        statistics.snapshots = number("rocksdb.num-snapshots", .raw)
        statistics.backgroundErrors = number("rocksdb.background-errors", .raw)
        statistics.writesAreStopped = number("rocksdb.is-write-stopped", .raw) != 0
        statistics.stallMilliseconds =
            text("rocksdb.dbstats", .raw).flatMap(Self.stallMilliseconds) ?? 0
        return statistics
    }

    /// The total in "Cumulative stall: 00:01:2.345 H:M:S, 0.1 percent": nowhere else does the C
    /// interface give it.
    package static func stallMilliseconds(in text: String) -> UInt64? {
        let label = "Cumulative stall: "
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(label) }),
            let clock = line.dropFirst(label.count).split(separator: " ").first
        else { return nil }
        let parts = clock.split(whereSeparator: { ":.".contains($0) }).map { UInt64($0) }
        guard parts.count == 4, let hours = parts[0], let minutes = parts[1],
            let seconds = parts[2], let milliseconds = parts[3]
        else { return nil }
        return ((hours * 60 + minutes) * 60 + seconds) * 1000 + milliseconds
    }

    func number(_ name: String, _ family: ColumnFamily) -> UInt64 {
        var value: UInt64 = 0
        _ = rocksdb_property_int_cf(
            database.pointer, database.handle(of: family), name, &value)
        return value
    }

    func text(_ name: String, _ family: ColumnFamily) -> String? {
        guard
            let value = rocksdb_property_value_cf(
                database.pointer, database.handle(of: family), name)
        else { return nil }
        defer { rocksdb_free(value) }
        return String(cString: value)
    }
}
