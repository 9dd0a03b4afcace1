/// Says in the folder of a database whose it is: the file `OWNER`, beside RocksDB's own.
///
/// The log and the data of a store belong together, and nothing in either says so: two new stores
/// have logs of the same groups with the same positions. A folder that somebody has moved here from
/// another store, from a backup say, would be taken for one's own, and the data would get what was
/// never written to it. So each says which cluster and store it is of, and a start compares.
internal import Base
internal import Storage

enum OwnerMark {
    private static let name = "OWNER"

    /// Of a database that was just made.
    static func write(_ identity: StoreIdentity, in folder: String) throws(StorageError) {
        try naming { () throws(SystemFailure) in
            try SystemFiles.replace(name, in: folder, with: text(identity))
        }
    }

    /// - Parameters:
    ///   - what: what the folder holds, for a person.
    ///   - next: who it is about to be of, and may be already.
    static func check(
        _ what: String, of identity: StoreIdentity, or next: StoreIdentity? = nil,
        in folder: String
    ) throws(StorageError) {
        var found: Bytes?
        do throws(SystemFailure) {
            if try SystemFiles.names(in: folder).contains(name) {
                found = try SystemFiles.read(folder + "/" + name)
            }
        } catch {
            // Opening tells what is missing.
            if error.isAbsence { return }
            throw StorageError(error)
        }
        guard let found else {
            throw .corrupt("\(what) in \(folder) does not say whose it is: \(name) is missing")
        }
        guard found != text(identity), found != next.map(text) else { return }
        let owner = String(decoding: found, as: UTF8.self)
            .split(separator: "\n").joined(separator: ", ")
        throw .corrupt(
            "\(what) in \(folder) is of another store (\(owner)), and the directory is of "
                + "cluster \(identity.cluster), store \(identity.store): put its own back")
    }

    private static func text(_ identity: StoreIdentity) -> Bytes {
        Bytes("cluster: \(identity.cluster)\nstore: \(identity.store)\n".utf8)
    }
}
