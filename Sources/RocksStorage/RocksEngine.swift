/// The storage engine on disk: RocksDB through its C interface.
///
/// Reads may come from any thread. Writes come from one at a time; each is one RocksDB batch,
/// atomic over all families. There is no write-ahead log: a batch is on disk when the memtables are
/// (`AtomicFlush`), and whoever writes keeps a log from which a crash's loss is done again. Whether
/// there is room is decided before that log (`DiskGuard`). How RocksDB is set up is in
/// `RocksTuning`.
///
/// **After a failed write.** All errors but `.unreadable` are final: what the disk holds is
/// unknown, a second fsync of the same pages may succeed without having written them, so every
/// later write is refused with the same error and the process must open the store anew.
/// `.unreadable` is found before RocksDB sees the batch and leaves the store as it was.
package import Base
private import CRocksDB
package import Storage
internal import Synchronization

// @unchecked Sendable: `database` is immutable and shared; the rest of the state is behind the
// mutex.
package final class RocksEngine: KeyValueEngine, @unchecked Sendable {
    /// What only the writing thread touches.
    private struct Writer: @unchecked Sendable {
        var batch: OpaquePointer
        let options: OpaquePointer
        let unhindered: OpaquePointer
        var refusal: StorageError?
    }

    /// A write batch's buffer larger than this is given back after use.
    private static let batchBytesKept = 1 << 20

    let database: RocksDatabase
    let space: SpaceGate
    let options: RocksOptions
    private let writer: Mutex<Writer>
    /// Held while all families are flushed; whether compactions by hand are stopped.
    let compactionsAreStopped = Mutex(false)

    /// Opens the database in the folder `path`, or makes it if `creating`; without that a missing
    /// database is an error, because an empty one in its place would hide a loss.
    /// - Parameters:
    ///   - readOnly: no file is made or written, and every write fails.
    ///   - lease: held as long as files may be open; the lock of the data directory.
    package init(
        path: String, options: RocksOptions, creating: Bool, readOnly: Bool = false,
        lease: any Sendable
    ) throws(StorageError) {
        space = SpaceGate(path: path)
        self.options = options
        database = try RocksDatabase(
            path: path, options: options, creating: creating, readOnly: readOnly, lease: lease)
        guard let batch = rocksdb_writebatch_create(),
            let unhurried = rocksdb_writeoptions_create(),
            let unhindered = rocksdb_writeoptions_create()
        else { fatalError("out of memory") }
        for each in [unhurried, unhindered] { rocksdb_writeoptions_disable_WAL(each, 1) }
        // Refused instead of held up while RocksDB waits for flushes or compactions.
        rocksdb_writeoptions_set_no_slowdown(unhindered, 1)
        writer = Mutex(Writer(batch: batch, options: unhurried, unhindered: unhindered))
    }

    deinit {
        writer.withLock { writer in
            rocksdb_writebatch_destroy(writer.batch)
            rocksdb_writeoptions_destroy(writer.options)
            rocksdb_writeoptions_destroy(writer.unhindered)
        }
    }

    package func get(
        _ family: ColumnFamily, _ key: Key, tier: ReadTier
    ) throws(StorageError) -> Lookup {
        try database.get(
            family, key.bytes, tier,
            tier == .cached ? database.cachedRead : database.diskRead)
    }

    package func view() -> any EngineView { RocksView(database, options.failpoints) }

    package func write(_ batch: WriteBatch, sync: Bool) throws(StorageError) {
        try writer.withLock { writer throws(StorageError) in
            try writing(&writer) { writer throws(StorageError) in
                try write(batch, sync: sync, &writer)
            }
        }
    }

    /// The same without a sync, for a thread that must not wait.
    /// - Returns: false if it would have to, and nothing is written: another thread writes, RocksDB
    ///   slows writes down, or the batch deletes ranges, which reads.
    package func writeAtOnce(_ batch: WriteBatch) throws(StorageError) -> Bool {
        guard !batch.operations.contains(where: { $0.kind == .deleteRange }) else { return false }
        do {
            return try writer.withLockIfAvailable { writer in
                try writing(&writer) { writer throws(StorageError) in
                    try writeAtOnce(batch, &writer)
                }
            } ?? false
        } catch let error as StorageError {
            throw error
        } catch {
            fatalError("only storage fails here: \(error)")
        }
    }

    private func writeAtOnce(
        _ batch: WriteBatch, _ writer: inout Writer
    ) throws(StorageError) -> Bool {
        defer { rocksdb_writebatch_clear(writer.batch) }
        try fill(writer.batch, from: batch)
        space.note(batch)
        var text: ErrorText = nil
        rocksdb_write(database.pointer, writer.unhindered, writer.batch, &text)
        guard let text else { return true }
        switch RocksStatus(consuming: text) {
        case .incomplete: return false
        case .error(let error): throw error
        }
    }

    private func writing<Result>(
        _ writer: inout Writer, _ body: (inout Writer) throws(StorageError) -> Result
    ) throws(StorageError) -> Result {
        if let refusal = writer.refusal { throw refusal }
        do throws(StorageError) {
            return try body(&writer)
        } catch {
            guard error.endsWrites else { throw error }
            writer.refusal = error
            database.abandon()
            throw error
        }
    }

    private func write(
        _ batch: WriteBatch, sync: Bool, _ writer: inout Writer
    ) throws(StorageError) {
        guard !batch.isEmpty else {
            if sync { try flush() }
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
        space.note(batch)
        let writeOptions = writer.options
        try calling { rocksdb_write(database.pointer, writeOptions, target, $0) }
        if sync { try flush() }
    }

    private func rocksdbBytes(_ batch: OpaquePointer) -> Int {
        var count = 0
        _ = rocksdb_writebatch_data(batch, &count)
        return count
    }

    // Hot path: every operation of every write.
    private func fill(_ target: OpaquePointer, from batch: WriteBatch) throws(StorageError) {
        // What comes after the last of them need not be remembered.
        let lastRange = batch.operations.lastIndex { $0.kind == .deleteRange } ?? 0
        var ranges: [ColumnFamily: RangeDeletion] = [:]
        for (index, operation) in batch.operations.enumerated() {
            invariant(
                operation.key.count <= Limits.storedKeyBytes,
                "a key fits the engine: \(operation.key.count)")
            if operation.kind == .deleteRange {
                try delete(batch.range(of: operation), of: operation.family, &ranges, target)
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
            if index < lastRange, operation.kind == .put {
                let key = Key(Bytes(batch.arena[operation.key]))
                ranges[operation.family, default: RangeDeletion()].put(key)
            }
        }
    }

    /// An error of the reads that this takes says nothing about the log.
    private func delete(
        _ range: KeyRange, of family: ColumnFamily, _ ranges: inout [ColumnFamily: RangeDeletion],
        _ target: OpaquePointer
    ) throws(StorageError) {
        do throws(StorageError) {
            try ranges[family, default: RangeDeletion()].delete(
                range, of: family, in: database, into: target)
        } catch {
            throw .unreadable(error.reason)
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
