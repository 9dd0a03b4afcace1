/// The storage engine on disk: RocksDB through its C interface.
///
/// Reads may come from any thread. Writes come from the one disk worker; each is one RocksDB batch
/// in one write-ahead log, atomic over all families. How RocksDB is set up is in `RocksTuning`.
///
/// **After a failed write.** `.failed` and `.corrupt` are final: what the log holds is unknown, a
/// second fsync of the same pages may succeed without having written them, so every later write is
/// refused with the same error and the process must open the store anew. `.full` is found before
/// RocksDB sees the batch, leaves the store as it was, and ends when space is back.
package import Base
private import CRocksDB
package import Storage
private import Synchronization

// @unchecked Sendable: `database` is immutable and shared; the rest of the state is behind the
// mutex.
package final class RocksEngine: KeyValueEngine, @unchecked Sendable {
    /// What only the writing thread touches.
    private struct Writer: @unchecked Sendable {
        var batch: OpaquePointer
        let synced: OpaquePointer
        let unsynced: OpaquePointer
        var refusal: StorageError?
    }

    /// A write batch's buffer larger than this is given back after use.
    private static let batchBytesKept = 1 << 20

    let database: RocksDatabase
    let space: SpaceGate
    let options: RocksOptions
    private let writer: Mutex<Writer>

    /// Opens the database in the folder `path`, or makes it if `creating`; without that a missing
    /// database is an error, because an empty one in its place would hide a loss.
    /// - Parameter lease: held as long as files may be open; the lock of the data directory.
    package init(
        path: String, options: RocksOptions, creating: Bool, lease: any Sendable
    ) throws(StorageError) {
        space = SpaceGate(path: path)
        self.options = options
        database = try RocksDatabase(
            path: path, options: options, creating: creating, lease: lease)
        guard let batch = rocksdb_writebatch_create(), let synced = rocksdb_writeoptions_create(),
            let unsynced = rocksdb_writeoptions_create()
        else { fatalError("out of memory") }
        rocksdb_writeoptions_set_sync(synced, 1)
        writer = Mutex(Writer(batch: batch, synced: synced, unsynced: unsynced))
    }

    deinit {
        writer.withLock { writer in
            rocksdb_writebatch_destroy(writer.batch)
            rocksdb_writeoptions_destroy(writer.synced)
            rocksdb_writeoptions_destroy(writer.unsynced)
        }
    }

    package func get(
        _ family: ColumnFamily, _ key: Key, tier: ReadTier
    ) throws(StorageError) -> Lookup {
        try database.get(
            family, key.bytes, tier,
            tier == .cached ? database.cachedRead : database.diskRead)
    }

    package func view() -> any EngineView { RocksView(database) }

    package func write(_ batch: WriteBatch, sync: Bool) throws(StorageError) {
        try writer.withLock { writer throws(StorageError) in
            if let refusal = writer.refusal { throw refusal }
            do throws(StorageError) {
                try write(batch, sync: sync, &writer)
            } catch {
                if case .full = error { throw error }
                writer.refusal = error
                database.abandon()
                throw error
            }
        }
    }

    private func write(
        _ batch: WriteBatch, sync: Bool, _ writer: inout Writer
    ) throws(StorageError) {
        guard !batch.isEmpty else {
            guard sync else { return }
            try calling { rocksdb_flush_wal(database.pointer, 1, $0) }
            return
        }
        defer {
            if rocksdbBytes(writer.batch) > Self.batchBytesKept {
                rocksdb_writebatch_destroy(writer.batch)
                guard let fresh = rocksdb_writebatch_create() else { fatalError("out of memory") }
                writer.batch = fresh
            } else {
                rocksdb_writebatch_clear(writer.batch)
            }
        }
        let target = writer.batch
        try fill(target, from: batch)
        try admit(batch, byteCount: rocksdbBytes(target))
        let options = sync ? writer.synced : writer.unsynced
        try calling { rocksdb_write(database.pointer, options, target, $0) }
    }

    /// Deletes for which there is no room wait for a flush: it frees the log of those before them.
    private func admit(_ batch: WriteBatch, byteCount: Int) throws(StorageError) {
        do throws(StorageError) {
            try space.admit(batch, byteCount: byteCount, needs: spaceNeeds)
        } catch {
            guard batch.storesNothing, case .full(let shortage) = error,
                shortage.freeBytes > 2 * spaceNeeds().flushBytes
            else { throw error }
            try flush()
            try space.admit(batch, byteCount: byteCount, needs: spaceNeeds)
        }
    }

    private func rocksdbBytes(_ batch: OpaquePointer) -> Int {
        var count = 0
        _ = rocksdb_writebatch_data(batch, &count)
        return count
    }

    // Hot path: every operation of every write.
    private func fill(_ target: OpaquePointer, from batch: WriteBatch) throws(StorageError) {
        for (index, operation) in batch.operations.enumerated() {
            invariant(
                operation.key.count <= Limits.storedKeyBytes,
                "a key fits the engine: \(operation.key.count)")
            if operation.kind == .deleteRange {
                try deleteRange(batch, index, target)
                continue
            }
            let family = database.handle(of: operation.family)
            batch.arena.withUnsafeBytes { arena in
                let key = bytes(arena, operation.key)
                if operation.kind == .put {
                    rocksdb_writebatch_put_cf(
                        target, family, key, operation.key.count,
                        bytes(arena, operation.value), operation.value.count)
                } else {
                    rocksdb_writebatch_delete_cf(target, family, key, operation.key.count)
                }
            }
        }
    }

    /// Deletes each key of a range by name: those stored, and those put earlier in the same batch.
    ///
    /// RocksDB's own range deletions would cost the same for any number of keys, but in RocksDB 7.8
    /// their mere possibility makes iterators lose read errors (`RocksScan`), and they slow down
    /// every read until they are compacted away. The price is a batch in memory as large as the
    /// keys in the range: callers bound the number of keys.
    private func deleteRange(
        _ batch: WriteBatch, _ index: Int, _ target: OpaquePointer
    ) throws(StorageError) {
        let operation = batch.operations[index]
        let family = database.handle(of: operation.family)
        let range = batch.range(of: operation)
        var storedKeysAreDeleted = false
        for earlier in batch.operations[..<index] where earlier.family == operation.family {
            switch earlier.kind {
            case .put:
                let key = Key(Bytes(batch.arena[earlier.key]))
                guard range.contains(key) else { continue }
                withCChars(key.bytes) { start, count in
                    rocksdb_writebatch_delete_cf(target, family, start, count)
                }
            case .deleteRange:
                let other = batch.range(of: earlier)
                if other.intersection(range) == range { storedKeysAreDeleted = true }
            case .delete: break
            }
        }
        guard !storedKeysAreDeleted else { return }
        let options = makeReadOptions(.disk)
        defer { rocksdb_readoptions_destroy(options) }
        // What is about to go is not worth a place in the cache.
        rocksdb_readoptions_set_fill_cache(options, 0)
        _ = try database.scan(operation.family, range, false, options, .unlimited) { key, _ in
            rocksdb_writebatch_delete_cf(
                target, family, key.baseAddress?.assumingMemoryBound(to: CChar.self), key.count)
            return .more
        }
    }

    /// The start of a slice of the arena, never null.
    private func bytes(
        _ arena: UnsafeRawBufferPointer, _ range: Range<Int>
    ) -> UnsafePointer<CChar> {
        guard let base = arena.baseAddress else { return Self.noBytes }
        return (base + range.lowerBound).assumingMemoryBound(to: CChar.self)
    }

    private static var noBytes: UnsafePointer<CChar> {
        UnsafeRawPointer(StaticString("").utf8Start).assumingMemoryBound(to: CChar.self)
    }
}
