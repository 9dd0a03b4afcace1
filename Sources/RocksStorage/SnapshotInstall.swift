/// How the tables of a snapshot take the place of all raw data.
///
/// RocksDB takes in tables in one step and deletes in others, so a crash is answered by doing it
/// all again. (1) a mark with the folder's name is on disk, and from here on the data is not valid;
/// (2) what was there is deleted, key by key, and compacted away, for else the tables would have to
/// go into level 0, on top of it; (3) links of the tables are taken in, the tables themselves stay;
/// (4) the facts are written and the mark is deleted, in one batch, on disk; (5) the folder goes. A
/// start that finds the mark begins at (2).
package import Base
private import CRocksDB
internal import Failpoints
private import Glibc
internal import Injection
package import Storage

extension RocksEngine {
    private static let installKey = Bytes("install".utf8)
    private static let linkSuffix = ".in"

    /// From the thread that writes. An error leaves the store to a new start.
    package func install(_ files: SnapshotFiles, facts: WriteBatch) throws(StorageError) {
        do throws(StorageError) {
            try setMark(files.name)
            try flushTogether()
            try options.failpoints.check(.snapshotMarked)
            try replaceRaw(files.folder, facts)
        } catch {
            database.abandon()
            throw error
        }
    }

    /// The name of what a crash has interrupted; nil if nothing was.
    func interruptedInstall() throws(StorageError) -> String? {
        let options = makeReadOptions(.disk)
        defer { rocksdb_readoptions_destroy(options) }
        guard
            case .found(let name) = try database.get(
                in: database.marks, Self.installKey, .disk, options)
        else { return nil }
        return String(decoding: name, as: UTF8.self)
    }

    func replaceRaw(_ folder: String, _ facts: WriteBatch) throws(StorageError) {
        try clearRaw()
        try options.failpoints.check(.snapshotCleared)
        try takeIn(folder)
        try options.failpoints.check(.snapshotTakenIn)
        try settle(facts)
        try flushTogether()
        try naming { () throws(SystemFailure) in try SystemFiles.removeFolder(folder) }
    }

    private func clearRaw() throws(StorageError) {
        guard try deleteRaw() else { return }
        try flushTogether()
        compact(.raw, .all)
    }

    /// False if there was nothing. The view must be gone before the compaction, which would keep
    /// what it sees.
    private func deleteRaw() throws(StorageError) -> Bool {
        var batch = WriteBatch()
        var isEmpty = true
        var failure: StorageError?
        _ = try view().scan(.raw, .all, reverse: false, tier: .disk) { key, _ in
            isEmpty = false
            batch.delete(.raw, Key(Bytes(key)))
            guard batch.count == Limits.keysClearedAtOnce else { return .more }
            do throws(StorageError) {
                try write(batch, sync: false)
                batch = WriteBatch()
                return .more
            } catch {
                failure = error
                return .stop
            }
        }
        if let failure { throw failure }
        try write(batch, sync: false)
        return !isEmpty
    }

    private func takeIn(_ folder: String) throws(StorageError) {
        let links = try naming { () throws(SystemFailure) in
            let names = try SystemFiles.names(in: folder)
            for name in names where name.hasSuffix(Self.linkSuffix) {
                try SystemFiles.removeFile(folder + "/" + name)
            }
            return try names.filter { $0.hasSuffix(".sst") }.map { name throws(SystemFailure) in
                let link = folder + "/" + name + Self.linkSuffix
                try SystemFiles.link(folder + "/" + name, as: link)
                return link
            }
        }
        guard !links.isEmpty else { return }
        guard let options = rocksdb_ingestexternalfileoptions_create() else {
            fatalError("out of memory")
        }
        defer { rocksdb_ingestexternalfileoptions_destroy(options) }
        // The links go, the tables stay.
        rocksdb_ingestexternalfileoptions_set_move_files(options, 1)
        let names = links.map { strdup($0) }
        defer { for name in names { free(name) } }
        let pointers = names.map { UnsafePointer<CChar>($0) }
        try calling { error in
            rocksdb_ingest_external_file_cf(
                database.pointer, database.handle(of: .raw), pointers, pointers.count, options,
                error)
        }
    }

    private func setMark(_ name: String) throws(StorageError) {
        try writeMarks { batch in
            withCChars(Self.installKey) { key, keyCount in
                withCChars(Bytes(name.utf8)) { value, valueCount in
                    rocksdb_writebatch_put_cf(
                        batch, database.marks, key, keyCount, value, valueCount)
                }
            }
        }
    }

    /// The facts, and no mark any more.
    private func settle(_ facts: WriteBatch) throws(StorageError) {
        try writeMarks { batch in
            for operation in facts.operations {
                let family = database.handle(of: operation.family)
                withCChars(Bytes(facts.arena[operation.key])) { key, keyCount in
                    guard operation.kind == .put else {
                        return rocksdb_writebatch_delete_cf(batch, family, key, keyCount)
                    }
                    withCChars(Bytes(facts.arena[operation.value])) { value, valueCount in
                        rocksdb_writebatch_put_cf(
                            batch, family, key, keyCount, value, valueCount)
                    }
                }
            }
            withCChars(Self.installKey) { key, count in
                rocksdb_writebatch_delete_cf(batch, database.marks, key, count)
            }
        }
    }

    private func writeMarks(_ fill: (OpaquePointer) -> Void) throws(StorageError) {
        guard let batch = rocksdb_writebatch_create(), let options = rocksdb_writeoptions_create()
        else { fatalError("out of memory") }
        defer {
            rocksdb_writebatch_destroy(batch)
            rocksdb_writeoptions_destroy(options)
        }
        rocksdb_writeoptions_disable_WAL(options, 1)
        fill(batch)
        try calling { rocksdb_write(database.pointer, options, batch, $0) }
    }
}

extension DataDirectory {
    private static let snapshotsName = "snapshots"

    private var snapshotsFolder: String { path + "/" + Self.snapshotsName }

    /// - Parameter name: of one that is not there yet.
    package func makeSnapshot(
        _ name: String, _ engine: RocksEngine
    ) throws(StorageError) -> SnapshotFiles {
        try SnapshotFiles(name, in: snapshotsFolder, engine: engine)
    }

    /// Ends what a crash has interrupted, and removes what it left.
    /// - Parameter facts: from the record that the files were finished with.
    package func finishInstall(
        _ engine: RocksEngine, facts: (Bytes) throws(StorageError) -> WriteBatch
    ) throws(StorageError) {
        if let name = try engine.interruptedInstall() {
            let folder = snapshotsFolder + "/" + name
            let record = try naming { () throws(SystemFailure) in
                try SystemFiles.read(folder + "/" + SnapshotFiles.recordName)
            }
            try engine.replaceRaw(folder, facts(record))
        }
        try naming { () throws(SystemFailure) in try SystemFiles.removeFolder(snapshotsFolder) }
    }
}
