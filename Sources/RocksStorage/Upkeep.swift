/// What an operator, a metric or a test asks of the engine beside reading and writing.
internal import Base
private import CRocksDB
internal import Failpoints
internal import Injection
package import Storage
private import Synchronization

extension RocksEngine {
    /// How full the disk is, by a look at it now.
    /// - Parameter log: of the Raft logs on the same disk.
    package func lookAtDisk(log: DiskGuard.Needs? = nil) throws(StorageError) -> DiskGuard {
        try space.look { log.map { spaceNeeds() + $0 } ?? spaceNeeds() }
    }

    /// A write was refused for want of space: see `reclaim`.
    package func noteRefusal() { space.noteRefusal() }

    /// On a full disk writes what is in memory out and compacts it with what it deletes, now and
    /// then with everything there is. Without that nothing would: compactions follow writes, and
    /// there are none. Blocks, for long if much was deleted; false if there was nothing to do.
    package func reclaim() throws(StorageError) -> Bool {
        // Nothing is asked of the files of a store that has failed.
        guard !database.hasFailed, let range = space.startReclaiming() else { return false }
        let start = ContinuousClock.now
        do throws(StorageError) {
            try flush()
        } catch {
            space.couldNotReclaim(range)
            throw error
        }
        compact(.raw, range)
        space.reclaimed(range, in: .now - start)
        return true
    }

    /// Lets a `compact` that is under way return early, and every later one at once.
    package func stopCompacting() {
        compactionsAreStopped.withLock { areStopped in
            guard !areStopped else { return }
            areStopped = true
            rocksdb_disable_manual_compaction(database.pointer)
        }
    }

    /// What RocksDB may write next by itself. Level 0 is compacted as a whole with its part of the
    /// level below, which is about four memtables large; any other compaction is bounded by
    /// option. On larger disks several run at once; the percentage in `DiskGuard` is for those.
    func spaceNeeds() -> DiskGuard.Needs {
        var unflushed: UInt64 = 0
        var tables: UInt64 = 0
        for family in ColumnFamily.allCases {
            unflushed += number("rocksdb.cur-size-all-mem-tables", family)
            tables += number("rocksdb.live-sst-files-size", family)
        }
        let memtable = UInt64(options.memtableBytes)
        let level0 = text("rocksdb.levelstats", .raw).flatMap(Self.level0Bytes) ?? tables
        let largest = max(UInt64(options.compactionBytesMax), level0 + 4 * memtable)
        return DiskGuard.Needs(
            flushBytes: unflushed, compactionBytes: min(tables + unflushed, largest),
            memtableBytes: memtable)
    }

    /// From the table "Level Files Size(MB)", rounded up: nowhere else does the C interface give
    /// it.
    package static func level0Bytes(in text: String) -> UInt64? {
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 3, words[0] == "0", let megabytes = UInt64(words[2]) else {
                continue
            }
            return words[1] == "0" ? 0 : (megabytes + 1) << 20
        }
        return nil
    }

    /// Writes the memtables of all families out as tables, as one step. Blocks.
    package func flush() throws(StorageError) {
        try options.failpoints.check(.flushBegin)
        try flushTogether()
        try options.failpoints.check(.flushDone)
    }
}
