/// The storage engine on disk: RocksDB through its C interface.
///
/// Reads may come from any thread. Writes come from the one disk worker; each is one RocksDB batch
/// in one write-ahead log, atomic over all families. How RocksDB is set up is in `RocksTuning`.
///
/// **After a failed write.** `.failed` and `.corrupt` are final: what the log holds is unknown, a
/// second fsync of the same pages may succeed without having written them, so every later write is
/// refused with the same error and the process must open the store anew. `.full` leaves the store
/// as it was before the batch, and is answered until space is back: see `write`.
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
    /// The end of a range without one: greater than every key that fits the engine.
    private static let beyondAllKeys = Bytes(repeating: 0xFF, count: Limits.storedKeyBytes + 1)

    let database: RocksDatabase
    private let writer: Mutex<Writer>

    /// Opens the database in the folder `path`, or makes it if `creating`; without that a missing
    /// database is an error, because an empty one in its place would hide a loss.
    /// - Parameter lease: held as long as files may be open; the lock of the data directory.
    package init(
        path: String, options: RocksOptions, creating: Bool, lease: any Sendable
    ) throws(StorageError) {
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
        fill(writer.batch, from: batch)
        let options = sync ? writer.synced : writer.unsynced
        let target = writer.batch
        defer {
            if batch.byteCount > Self.batchBytesKept {
                rocksdb_writebatch_destroy(writer.batch)
                guard let fresh = rocksdb_writebatch_create() else { fatalError("out of memory") }
                writer.batch = fresh
            } else {
                rocksdb_writebatch_clear(writer.batch)
            }
        }
        try calling { rocksdb_write(database.pointer, options, target, $0) }
    }

    // Hot path: every operation of every write.
    private func fill(_ target: OpaquePointer, from batch: WriteBatch) {
        batch.arena.withUnsafeBytes { arena in
            for operation in batch.operations {
                invariant(
                    operation.key.count <= Limits.storedKeyBytes,
                    "a key fits the engine: \(operation.key.count)")
                let family = database.handle(of: operation.family)
                let key = bytes(arena, operation.key)
                switch operation.kind {
                case .put:
                    rocksdb_writebatch_put_cf(
                        target, family, key, operation.key.count,
                        bytes(arena, operation.value), operation.value.count)
                case .delete:
                    rocksdb_writebatch_delete_cf(target, family, key, operation.key.count)
                case .deleteRange where operation.value.isEmpty:
                    withCChars(Self.beyondAllKeys) { end, count in
                        rocksdb_writebatch_delete_range_cf(
                            target, family, key, operation.key.count, end, count)
                    }
                case .deleteRange:
                    rocksdb_writebatch_delete_range_cf(
                        target, family, key, operation.key.count,
                        bytes(arena, operation.value), operation.value.count)
                }
            }
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
