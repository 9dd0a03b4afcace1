/// The tables of a snapshot that arrives, written beside the database until all of it is there.
///
///     snapshots/NAME/000001.sst    sorted, none overlaps another
///     snapshots/NAME/SNAPSHOT      written last: what the data has to say when they are in place
///
/// A folder without the last file is what a crash or a broken transfer left, and a start removes
/// it. How the tables take the place of the data: `SnapshotInstall`.
package import Base
private import CRocksDB
private import Glibc
package import Storage

// @unchecked Sendable: one thread at a time uses it, which its owner sees to.
package final class SnapshotFiles: @unchecked Sendable {
    let name: String
    let folder: String
    private let engine: RocksEngine
    private let environment: OpaquePointer
    private let writer: OpaquePointer
    private var tableCount = 0
    private var tableIsOpen = false
    private var isWhole = false

    static let recordName = "SNAPSHOT"

    init(_ name: String, in parent: String, engine: RocksEngine) throws(StorageError) {
        self.name = name
        folder = parent + "/" + name
        self.engine = engine
        guard let environment = rocksdb_envoptions_create(),
            let writer = rocksdb_sstfilewriter_create(
                environment, engine.database.tuning.options(of: .raw))
        else { fatalError("out of memory") }
        self.environment = environment
        self.writer = writer
        try naming { () throws(SystemFailure) in
            try SystemFiles.makeFolders(folder)
        }
    }

    deinit {
        rocksdb_sstfilewriter_destroy(writer)
        rocksdb_envoptions_destroy(environment)
    }

    /// Raw keys behind all that came before, in their order.
    package func append(_ batch: WriteBatch) throws(StorageError) {
        invariant(!isWhole, "nothing comes behind the end")
        guard engine.hasRoom(for: UInt64(2 * batch.byteCount)) else {
            throw .full("a snapshot that comes has no room on the disk")
        }
        for operation in batch.operations {
            if !tableIsOpen { try openTable() }
            try calling { error in
                batch.arena.withUnsafeBytes { put($0, operation, error) }
            }
            var byteCount: UInt64 = 0
            rocksdb_sstfilewriter_file_size(writer, &byteCount)
            if byteCount >= UInt64(engine.options.tableBytes) { try closeTable() }
        }
    }

    private func put(
        _ arena: UnsafeRawBufferPointer, _ operation: WriteBatch.Operation,
        _ error: UnsafeMutablePointer<ErrorText>
    ) {
        guard let base = arena.baseAddress else { return }
        let key = (base + operation.key.lowerBound).assumingMemoryBound(to: CChar.self)
        let value = (base + operation.value.lowerBound).assumingMemoryBound(to: CChar.self)
        rocksdb_sstfilewriter_put(
            writer, key, operation.key.count, value, operation.value.count, error)
    }

    private func openTable() throws(StorageError) {
        tableCount += 1
        let digits = String(tableCount)
        let name = String(repeating: "0", count: max(0, 6 - digits.count)) + digits + ".sst"
        try calling { rocksdb_sstfilewriter_open(writer, folder + "/" + name, $0) }
        tableIsOpen = true
    }

    private func closeTable() throws(StorageError) {
        try calling { rocksdb_sstfilewriter_finish(writer, $0) }
        tableIsOpen = false
    }

    /// Everything has come, and is on disk when this returns.
    /// - Parameter record: what `SnapshotInstall` hands back after a crash.
    package func finish(record: Bytes) throws(StorageError) {
        if tableIsOpen { try closeTable() }
        try naming { () throws(SystemFailure) in
            try SystemFiles.replace(Self.recordName, in: folder, with: record)
            try SystemFiles.sync(folder: SystemFiles.parent(of: folder))
        }
        isWhole = true
    }

    /// It is of no use any more.
    package func remove() throws(StorageError) {
        try naming { () throws(SystemFailure) in try SystemFiles.removeFolder(folder) }
    }
}
