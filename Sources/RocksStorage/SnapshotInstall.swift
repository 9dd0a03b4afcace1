/// How the tables of a snapshot take the place of all raw data.
///
/// RocksDB takes in tables in one step and deletes in others, so a crash is answered by doing it
/// all again. (1) a mark with the folder's name is on disk; (2) the mark says that the data is not
/// valid from here on, and is on disk no later than the first thing that is deleted; (3) what was
/// there is deleted, key by key, and compacted away, for else the tables would have to go into
/// level 0, on top of it; (4) links of the tables are taken in, the tables themselves stay; (5) the
/// facts are written and the mark is deleted, in one batch, on disk; (6) the folder goes. A start
/// that finds the mark begins at (2). If the folder is gone then, the data is as it was as long as
/// the mark does not say otherwise.
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
            try set(InstallMark(name: files.name))
            try flushTogether()
            try options.failpoints.check(.snapshotMarked)
            try replaceRaw(files.name, files.folder, facts)
        } catch {
            database.abandon()
            throw error
        }
    }

    /// What a crash has interrupted; nil if nothing was.
    func interruptedInstall() throws(StorageError) -> InstallMark? {
        let options = makeReadOptions(.disk)
        defer { rocksdb_readoptions_destroy(options) }
        guard
            case .found(let mark) = try database.get(
                in: database.marks, Self.installKey, .disk, options)
        else { return nil }
        return InstallMark(decoding: mark)
    }

    /// The data is as it was before the mark.
    func forgetInstall() throws(StorageError) {
        try settle(WriteBatch())
        try flushTogether()
    }

    func replaceRaw(
        _ name: String, _ folder: String, _ facts: WriteBatch
    ) throws(StorageError) {
        // Before anything goes, what takes its place has to be there.
        let tables = try naming { () throws(SystemFailure) in
            try SystemFiles.names(in: folder).filter { $0.hasSuffix(".sst") }
        }
        try set(InstallMark(name: name, hasBegun: true))
        try clearRaw()
        try options.failpoints.check(.snapshotCleared)
        try takeIn(tables, in: folder)
        try options.failpoints.check(.snapshotTakenIn)
        try settle(facts)
        try flushTogether()
        try naming { () throws(SystemFailure) in try SystemFiles.removeFolder(folder) }
    }

    private func clearRaw() throws(StorageError) {
        let hadKeys = try deleteRaw()
        // The mark too, if there is nothing else: tables are taken in without a flush.
        try flushTogether()
        if hadKeys { compact(.raw, .all) }
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

    /// RocksDB writes a sequence number into a table that it takes in, and so into every link of
    /// it. History: an install was begun again, on a disk without room to compact away what it had
    /// taken in the first time; the number of the second time damaged the table of the first. So
    /// the tables are copied if anything links to them already.
    private func takeIn(_ tables: [String], in folder: String) throws(StorageError) {
        let (links, copied) = try naming { () throws(SystemFailure) in
            for name in try SystemFiles.names(in: folder) where name.hasSuffix(Self.linkSuffix) {
                try SystemFiles.removeFile(folder + "/" + name)
            }
            var isShared = false
            var byteCount: UInt64 = 0
            var links: [String] = []
            for name in tables {
                let path = folder + "/" + name
                if try SystemFiles.linkCount(of: path) > 1 { isShared = true }
                byteCount += try SystemFiles.bytes(of: path)
                try SystemFiles.link(path, as: path + Self.linkSuffix)
                links.append(path + Self.linkSuffix)
            }
            return (links, isShared ? byteCount : 0)
        }
        guard !links.isEmpty else { return }
        guard copied == 0 || hasRoom(for: copied) else {
            throw .full("a snapshot that was taken in before has no room beside itself")
        }
        guard let options = rocksdb_ingestexternalfileoptions_create() else {
            fatalError("out of memory")
        }
        defer { rocksdb_ingestexternalfileoptions_destroy(options) }
        // The links go, the tables stay.
        rocksdb_ingestexternalfileoptions_set_move_files(options, copied == 0 ? 1 : 0)
        let names = links.map { strdup($0) }
        defer { for name in names { free(name) } }
        let pointers = names.map { UnsafePointer<CChar>($0) }
        try calling { error in
            rocksdb_ingest_external_file_cf(
                database.pointer, database.handle(of: .raw), pointers, pointers.count, options,
                error)
        }
    }

    private func set(_ mark: InstallMark) throws(StorageError) {
        try writeMarks { batch in
            withCChars(Self.installKey) { key, keyCount in
                withCChars(mark.encoded) { value, valueCount in
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

/// That a snapshot is about to take the place of the data, or that it has begun to.
struct InstallMark: Hashable {
    /// Of its folder.
    var name: String
    /// The data is not valid any more.
    var hasBegun = false

    private static let begun = Bytes(" begun".utf8)

    init(name: String, hasBegun: Bool = false) {
        self.name = name
        self.hasBegun = hasBegun
    }

    init(decoding bytes: Bytes) {
        hasBegun = bytes.suffix(Self.begun.count) == Self.begun[...]
        name = String(
            decoding: hasBegun ? bytes.dropLast(Self.begun.count) : bytes[...], as: UTF8.self)
    }

    var encoded: Bytes { Bytes(name.utf8) + (hasBegun ? Self.begun : []) }
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

    /// What the files were finished with; nil if that is not there.
    private func record(in folder: String) throws(StorageError) -> Bytes? {
        do throws(SystemFailure) {
            return try SystemFiles.read(folder + "/" + SnapshotFiles.recordName)
        } catch {
            if error.isAbsence { return nil }
            throw StorageError(error)
        }
    }

    /// A snapshot is to take the place of the data that a crash has left.
    package func unfinishedInstall(_ engine: RocksEngine) throws(StorageError) -> Bool {
        guard let mark = try engine.interruptedInstall() else { return false }
        if mark.hasBegun { return true }
        return try record(in: snapshotsFolder + "/" + mark.name) != nil
    }

    /// Ends what a crash has interrupted, and removes what it left.
    /// - Parameter facts: from the record that the files were finished with.
    package func finishInstall(
        _ engine: RocksEngine, facts: (Bytes) throws(StorageError) -> WriteBatch
    ) throws(StorageError) {
        if let mark = try engine.interruptedInstall() {
            let folder = snapshotsFolder + "/" + mark.name
            if let record = try record(in: folder) {
                try engine.replaceRaw(mark.name, folder, facts(record))
            } else if !mark.hasBegun {
                try engine.forgetInstall()
            } else {
                throw .corrupt(
                    "a snapshot was being put in place of the data, and \(folder) is gone, which "
                        + "held it; put it back, or let this store join anew with an empty "
                        + "directory")
            }
        }
        try naming { () throws(SystemFailure) in try SystemFiles.removeFolder(snapshotsFolder) }
    }
}
