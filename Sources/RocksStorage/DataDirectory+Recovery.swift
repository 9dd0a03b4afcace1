/// How a store that is stopped becomes the first of a cluster of its own, in spite of crashes.
///
/// (1) What was before is copied into `recovered/`, with the words that a person agreed to; (2) the
/// identity to come is written to the file RECOVERING, and from here on nobody serves this
/// directory; (3) the log is changed, in one batch; (4) log and data say who they are of, and the
/// others' addresses go; (5) RECOVERING is renamed to IDENTITY. A crash before (2) leaves the store
/// as it was. One behind it is answered by doing (3) to (5) again, each of which may be done twice.
package import Base
private import CRocksDB
package import Storage

extension DataDirectory {
    private static let nextName = "RECOVERING"
    private static let copiesName = "recovered"
    private static let copyUnderWay = "new"

    static func readNext(_ path: String) throws(DataDirectoryError) -> StoreIdentity? {
        let bytes: Bytes
        do throws(SystemFailure) {
            guard try SystemFiles.names(in: path).contains(nextName) else { return nil }
            bytes = try SystemFiles.read(path + "/" + nextName)
        } catch {
            throw DataDirectoryError(error)
        }
        return try decode(bytes, nextName, in: path)
    }

    /// Who it is about to be, if a crash came in between.
    package var interrupted: StoreIdentity? { next }

    /// Where what was before is kept, once it is done.
    package func copies(of identity: StoreIdentity) -> String {
        "\(path)/\(Self.copiesName)/\(identity.cluster)"
    }

    /// (1) and (2).
    /// - Parameter record: for whoever wants to know later what was done, and why.
    package func beginRecovery(
        as identity: StoreIdentity, _ log: RocksLog, record: String
    ) throws(StorageError) {
        let folder = "\(path)/\(Self.copiesName)/\(Self.copyUnderWay)"
        try naming { () throws(SystemFailure) in
            try SystemFiles.removeFolder(folder)
            try SystemFiles.makeFolders(folder)
        }
        try log.copy(to: folder + "/log")
        let before = self.identity.encoded
        try naming { () throws(SystemFailure) in
            try SystemFiles.replace(Self.identityName, in: folder, with: before)
            try SystemFiles.replace("RECORD", in: folder, with: Bytes(record.utf8))
            try SystemFiles.replace(Self.nextName, in: path, with: identity.encoded)
        }
    }

    /// (4) and (5); the log has been changed. Both databases may be open.
    /// - Parameter stores: the table of stores to start with.
    package func finishRecovery(
        as identity: StoreIdentity, stores: Bytes
    ) throws(StorageError) {
        try OwnerMark.write(identity, in: path + "/" + Self.logName)
        try OwnerMark.write(identity, in: path + "/" + Self.databaseName)
        try writeStores(stores)
        let folder = "\(path)/\(Self.copiesName)"
        try naming { () throws(SystemFailure) in
            try SystemFiles.makeFolders(folder)
            if try SystemFiles.names(in: folder).contains(Self.copyUnderWay) {
                try SystemFiles.rename(
                    "\(folder)/\(Self.copyUnderWay)", to: copies(of: identity))
                try SystemFiles.sync(folder: folder)
            }
            try SystemFiles.rename(
                "\(path)/\(Self.nextName)", to: "\(path)/\(Self.identityName)")
            try SystemFiles.sync(folder: path)
        }
        become(identity)
    }
}

extension RocksLog {
    /// All of it as it is on disk, into a folder that is not there yet: links, and a copy of the
    /// write-ahead log.
    func copy(to folder: String) throws(StorageError) { try database.copy(to: folder) }
}

extension LogDatabase {
    fileprivate func copy(to folder: String) throws(StorageError) {
        var made: OpaquePointer?
        try calling { made = rocksdb_checkpoint_object_create(pointer, $0) }
        guard let made else { throw .failed("a checkpoint of the Raft log cannot be made") }
        defer { rocksdb_checkpoint_object_destroy(made) }
        // The write-ahead log is copied and never flushed: a copy changes nothing.
        try calling { rocksdb_checkpoint_create(made, folder, .max, $0) }
    }
}
