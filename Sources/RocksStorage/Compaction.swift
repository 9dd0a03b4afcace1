/// Compactions that are asked for: of what was deleted or has expired, when the disk is full.
///
/// They go step by step (`CompactionPlan`), and no step is begun that may not find room: RocksDB
/// does not survive that.
package import Base
private import CRocksDB
internal import Failpoints
internal import Injection
package import Storage
private import Synchronization

extension RocksEngine {
    /// Rewrites the tables that overlap `range`, the last level too, so that deleted and expired
    /// values there are gone. Blocks, for long. Steps without room are left out, and all that are
    /// left when compactions are stopped or the store has failed.
    package func compact(_ family: ColumnFamily, _ range: KeyRange) {
        guard !range.isEmpty, let options = rocksdb_compactoptions_create() else { return }
        self.options.failpoints.reached(.compactionBegin)
        defer { rocksdb_compactoptions_destroy(options) }
        // 3: the last level too, which RocksDB otherwise skips unless a filter is set, but not what
        // this very call has written there.
        rocksdb_compactoptions_set_bottommost_level_compaction(options, 3)
        func take(_ steps: [CompactionStep]) {
            for step in steps where !mayNotCompact && space.hasRoom(for: step.byteCount) {
                let key = CBytes(step.key.bytes)
                rocksdb_compact_range_cf_opt(
                    database.pointer, database.handle(of: family), options,
                    key.pointer, key.count, key.pointer, key.count)
            }
        }
        let files = tableFiles(of: family)
        let newest = files.map(\.number).max() ?? 0
        take(CompactionPlan(files, in: range).levelZero.map { [$0] } ?? [])
        take(CompactionPlan(tableFiles(of: family), in: range).descent)
        take(CompactionPlan(tableFiles(of: family), in: range).rewriting(upTo: newest))
    }

    /// Whether a compaction, here or in the log beside it, may write so much.
    package func hasRoom(for byteCount: UInt64) -> Bool { space.hasRoom(for: byteCount) }

    private var mayNotCompact: Bool {
        database.hasFailed || compactionsAreStopped.withLock { $0 }
    }

    private func tableFiles(of family: ColumnFamily) -> [TableFile] {
        guard let list = rocksdb_livefiles(database.pointer) else { fatalError("out of memory") }
        defer { rocksdb_livefiles_destroy(list) }
        return (0..<rocksdb_livefiles_count(list)).compactMap { index in
            guard let name = rocksdb_livefiles_column_family_name(list, index),
                String(cString: name) == family.rawValue,
                let file = rocksdb_livefiles_name(list, index)
            else { return nil }
            return TableFile(
                // "/000123.sst"
                number: UInt64(String(cString: file).filter(\.isNumber)) ?? 0,
                level: Int(rocksdb_livefiles_level(list, index)),
                least: key { rocksdb_livefiles_smallestkey(list, index, $0) },
                greatest: key { rocksdb_livefiles_largestkey(list, index, $0) },
                byteCount: UInt64(rocksdb_livefiles_size(list, index)))
        }
    }

    private func key(_ read: (UnsafeMutablePointer<Int>) -> UnsafePointer<CChar>?) -> Key {
        var count = 0
        guard let start = read(&count) else { return .least }
        return Key(Bytes(UnsafeRawBufferPointer(start: start, count: count)))
    }
}
