/// The logs of all Raft groups of a store, in a RocksDB of their own.
///
/// Every write is one batch in its write-ahead log and one sync; that log is the only one that a
/// node syncs. A record cut off behind the last sync is dropped at start, and one that is damaged
/// below it is refused (`LogCheck`, and the recovery mode in `RocksTuning`).
///
/// Entries that a compaction has passed are deleted later, some with each write: see `LogExtent`.
/// One by one, not by RocksDB's range deletions, for the reason given in `RangeDeletion`.
package import Base
private import CRocksDB
package import Raft
package import Regions
package import Storage
private import Synchronization

// @unchecked Sendable: `database` is immutable and shared; the rest of the state is behind the
// mutex.
package final class RocksLog: RaftLogStore, @unchecked Sendable {
    /// What only the writing thread touches.
    private struct Writer: @unchecked Sendable {
        var batch: OpaquePointer
        let options: OpaquePointer
        var extents: [GroupID: LogExtent]
        /// Groups with entries to delete.
        var littered: [GroupID] = []
        var refusal: StorageError?
    }

    /// A write batch's buffer larger than this is given back after use.
    private static let batchBytesKept = 1 << 20

    let database: LogDatabase
    private let newest: NewestLog
    private let writer: Mutex<Writer>
    /// What opening found, until somebody asks for it.
    private let found: Mutex<[RecoveredLog]?>

    /// Opens the database in the folder `path`, or makes it if `creating`; without that a missing
    /// database is an error, because an empty one in its place would hide a loss. Reads all of it.
    /// - Parameters:
    ///   - readOnly: no file is made or written, and every write fails.
    ///   - lease: held as long as files may be open; the lock of the data directory.
    package init(
        path: String, options: RocksLogOptions, creating: Bool, readOnly: Bool = false,
        lease: any Sendable
    ) throws(StorageError) {
        database = try LogDatabase(
            path: path, options: options, creating: creating, readOnly: readOnly, lease: lease)
        newest = NewestLog(in: path)
        let recovery = try database.recover()
        guard let batch = rocksdb_writebatch_create(), let options = rocksdb_writeoptions_create()
        else { fatalError("out of memory") }
        rocksdb_writeoptions_set_sync(options, 1)
        let littered = recovery.extents.keys.sorted().filter {
            recovery.extents[$0]?.garbage.isEmpty == false
        }
        writer = Mutex(
            Writer(batch: batch, options: options, extents: recovery.extents, littered: littered))
        found = Mutex(recovery.logs)
    }

    deinit {
        writer.withLock { writer in
            rocksdb_writebatch_destroy(writer.batch)
            rocksdb_writeoptions_destroy(writer.options)
        }
    }

    /// What has to find room beside the log's own writes.
    package var spaceNeeds: DiskGuard.Needs { database.spaceNeeds }

    /// Remembers which of its files is the newest: see `NewestLog`. Now and then; from any thread.
    package func noteFiles() throws(StorageError) { try newest.note() }

    /// Gives back what entries behind the base still take on the disk, in the write-ahead log and
    /// in tables; for a full one. Blocks; from any thread.
    package func reclaim() throws(StorageError) {
        // Each write takes some of them along, and on a full disk there is none.
        var isClean = false
        while !isClean {
            try write(LogBatch())
            isClean = writer.withLock { $0.littered.isEmpty }
        }
        try database.flush()
        database.compact()
    }

    package func recover() throws(StorageError) -> [RecoveredLog] {
        let kept = found.withLock { found in
            defer { found = nil }
            return found
        }
        if let kept { return kept }
        return try database.recover().logs
    }

    package func entries(
        of group: GroupID, in range: Range<LogIndex>, byteLimit: Int
    ) throws(StorageError) -> [Bytes] {
        try database.entries(of: group, in: range, byteLimit: byteLimit)
    }

    // MARK: Writing

    package func write(_ batch: LogBatch) throws(StorageError) {
        found.withLock { $0 = nil }
        try writer.withLock { writer throws(StorageError) in
            if let refusal = writer.refusal { throw refusal }
            do throws(StorageError) {
                try write(batch, &writer)
            } catch {
                writer.refusal = error
                database.abandon()
                throw error
            }
        }
    }

    private func write(_ batch: LogBatch, _ writer: inout Writer) throws(StorageError) {
        fill(from: batch, &writer)
        deleteGarbage(&writer)
        let target = writer.batch
        if rocksdb_writebatch_count(target) > 0 {
            let options = writer.options
            try calling { rocksdb_write(database.pointer, options, target, $0) }
        }
        var byteCount = 0
        _ = rocksdb_writebatch_data(target, &byteCount)
        guard byteCount > Self.batchBytesKept else {
            rocksdb_writebatch_clear(target)
            return
        }
        rocksdb_writebatch_destroy(target)
        guard let fresh = rocksdb_writebatch_create() else { fatalError("out of memory") }
        writer.batch = fresh
    }

    // Hot path: every entry of every write.
    private func fill(from batch: LogBatch, _ writer: inout Writer) {
        for operation in batch.operations {
            switch operation {
            case .base(let group, let index, let range):
                writer.extents[group, default: LogExtent(base: index)].moveBase(to: index)
                if writer.extents[group]?.garbage.isEmpty == false,
                    !writer.littered.contains(group)
                {
                    writer.littered.append(group)
                }
                put(LogKey(group, .base), range, of: batch, writer.batch)
            case .hardState(let group, let range):
                invariant(
                    writer.extents[group] != nil, "the log of group \(group) begins with its base")
                put(LogKey(group, .hardState), range, of: batch, writer.batch)
            case .cut(let group, let index):
                let dropped = change(group, &writer) { $0.cut(from: index) }
                delete(group, dropped, writer.batch)
            case .entry(let group, let index, let range):
                change(group, &writer) { $0.append(index) }
                put(LogKey(group, .entry(index)), range, of: batch, writer.batch)
            }
        }
    }

    private func change<Result>(
        _ group: GroupID, _ writer: inout Writer, _ body: (inout LogExtent) -> Result
    ) -> Result {
        invariant(
            writer.extents[group] != nil, "the log of group \(group) begins with its base")
        return body(&writer.extents[group]!)
    }

    private func deleteGarbage(_ writer: inout Writer) {
        var countLeft = Limits.logEntriesDeletedPerWrite
        while let group = writer.littered.last {
            let limit = countLeft
            guard let range = change(group, &writer, { $0.takeGarbage(countLimit: limit) }) else {
                // Nothing left there, or nothing more in this write.
                if countLeft == 0 { return }
                writer.littered.removeLast()
                continue
            }
            delete(group, range, writer.batch)
            countLeft -= range.count
        }
    }

    private func put(
        _ key: LogKey, _ range: Range<Int>, of batch: LogBatch, _ target: OpaquePointer
    ) {
        withCChars(key.bytes) { key, keyCount in
            batch.arena.withUnsafeBytes { arena in
                let record = UnsafeRawBufferPointer(rebasing: arena[range])
                rocksdb_writebatch_put(
                    target, key, keyCount,
                    record.baseAddress?.assumingMemoryBound(to: CChar.self), record.count)
            }
        }
    }

    private func delete(_ group: GroupID, _ range: Range<LogIndex>, _ target: OpaquePointer) {
        for index in range {
            withCChars(LogKey(group, .entry(index)).bytes) { key, keyCount in
                rocksdb_writebatch_delete(target, key, keyCount)
            }
        }
    }
}
