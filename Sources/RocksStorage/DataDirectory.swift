/// The folder that holds one store: taken for this process alone, known by its identity.
///
///     LOCK      locked while a process uses the directory; says which
///     IDENTITY  format, cluster, store: see StoreIdentity
///     JOINING   what a store that is not one yet asks a cluster with: see DataDirectory+Joining
///     log/      the Raft logs: a RocksDB that is synced with each write
///     db/       the data: a RocksDB without a log of its own
///     reserve/  space for a disk that others have filled: see DiskReserve
///     snapshots what comes from another store, until it is in place in the data
///     RECOVERING, recovered/  a change of identity that is under way, and what was before: see
///               DataDirectory+Recovery
///
/// Opening never waits, and deletes nothing but snapshots that did not come to their end. A
/// folder that holds anything else is refused, not shared.
package import Base
internal import Failpoints
private import Glibc
package import Injection
package import Storage
private import Synchronization

package final class DataDirectory: Sendable {
    /// With less a start fails: RocksDB writes new logs and manifests, two of each.
    package static let bytesToStart: UInt64 = 4 << 20
    /// The same in files, with a few for what is flushed of the log that is replayed.
    package static let filesToStart: UInt64 = 24

    package let path: String
    package let reserve: DiskReserve
    private let lock: DirectoryLock
    private let current: Mutex<StoreIdentity>
    private let failpoints: FailpointRegistry
    /// Who it is about to be; nil but while that is under way.
    let next: StoreIdentity?

    package var identity: StoreIdentity { current.withLock { $0 } }

    static let identityName = "IDENTITY"
    static let databaseName = "db"
    static let logName = "log"
    private static let storesName = "STORES"
    /// What may be there before the identity is: our own first steps, and the root of a file
    /// system.
    private static let harmlessNames: Set<String> = [
        DirectoryLock.name, identityName + SystemFiles.freshSuffix, "lost+found",
        joiningName, joiningName + SystemFiles.freshSuffix,
    ]

    /// Takes the directory, making it and a new identity if it is missing or empty.
    /// - Parameters:
    ///   - generator: for the identity of a new cluster.
    ///   - joining: who a new directory is instead; nothing to one that is there already.
    ///   - recovering: a change of identity may be under way.
    package init(
        path: String, now: WallTime, using generator: inout some RandomNumberGenerator,
        joining: StoreIdentity? = nil, recovering: Bool = false,
        failpoints: FailpointRegistry = FailpointRegistry()
    ) throws(DataDirectoryError) {
        self.path = path
        self.failpoints = failpoints
        if failpoints.reached(.startLock) != nil { throw .injected(.startLock, path) }
        let isFolder: Bool
        do throws(SystemFailure) {
            try SystemFiles.makeFolders(path)
            isFolder = try SystemFiles.isFolder(path)
        } catch {
            throw error.number == ENOTDIR ? .notDirectory(path: path) : DataDirectoryError(error)
        }
        guard isFolder else { throw .notDirectory(path: path) }
        reserve = DiskReserve(in: path)
        // Before the first file is written there: not into somebody else's folder.
        _ = try Self.readIdentity(path)
        lock = try DirectoryLock(path, now: now)
        next = try Self.readNext(path)
        if next != nil, !recovering { throw .recovering(path: path) }
        if let identity = try Self.readIdentity(path) {
            current = Mutex(identity)
        } else {
            let identity = joining ?? StoreIdentity(created: now, using: &generator)
            if failpoints.reached(.startIdentity) != nil { throw .injected(.startIdentity, path) }
            try Self.write(identity, path)
            current = Mutex(identity)
        }
        // At every start: a crash may have come behind the identity.
        try Self.endJoining(path)
    }

    /// The store that is there, to look at with `lookAtStore` and for nothing else; nil if there is
    /// none. Nothing in it is made or written, and nobody can begin to use it meanwhile.
    package init?(lookingAt path: String) throws(DataDirectoryError) {
        guard try Self.readIdentity(path)?.hasDatabase == true else { return nil }
        self.path = path
        failpoints = FailpointRegistry()
        lock = try DirectoryLock(sharing: path)
        reserve = DiskReserve(in: path)
        next = try Self.readNext(path)
        guard let identity = try Self.readIdentity(path) else { return nil }
        current = Mutex(identity)
    }

    /// Nil if the directory is empty as far as we are concerned.
    static func readIdentity(_ path: String) throws(DataDirectoryError) -> StoreIdentity? {
        let names: [String]
        var bytes = Bytes()
        do throws(SystemFailure) {
            names = try SystemFiles.names(in: path)
            if names.contains(identityName) {
                bytes = try SystemFiles.read(path + "/" + identityName)
            }
        } catch {
            throw DataDirectoryError(error)
        }
        guard names.contains(identityName) else {
            guard let stranger = names.first(where: { !harmlessNames.contains($0) }) else {
                return nil
            }
            throw .belongsToOther(path: path, found: stranger)
        }
        return try decode(bytes, identityName, in: path)
    }

    static func decode(
        _ bytes: Bytes, _ name: String, in path: String
    ) throws(DataDirectoryError) -> StoreIdentity {
        do throws(StoreIdentity.Fault) {
            return try StoreIdentity(decoding: bytes)
        } catch {
            switch error {
            case .olderFormat(let found):
                throw .olderFormat(path: path, found: found, supported: StoreIdentity.format)
            case .newerFormat(let found):
                throw .newerFormat(path: path, found: found, supported: StoreIdentity.format)
            case .corrupt(let detail):
                throw .corrupt(path: path + "/" + name, detail: detail)
            }
        }
    }

    private static func write(
        _ identity: StoreIdentity, _ path: String
    ) throws(DataDirectoryError) {
        do throws(SystemFailure) {
            try SystemFiles.replace(identityName, in: path, with: identity.encoded)
        } catch {
            throw DataDirectoryError(error)
        }
    }

    // MARK: The store in it

    /// Opens the log and the data; makes them the first time. Both hold the directory until they
    /// are closed.
    /// - Parameter begin: puts what a new log has to have into it. Before the directory says that
    ///   it has a database: what is missing from then on was lost.
    package func openStore(
        _ options: RocksOptions, begin: (RocksLog) throws(StorageError) -> Void = { _ in }
    ) throws(StorageError) -> (log: RocksLog, engine: RocksEngine) {
        let creating = !identity.hasDatabase
        let space = try space()
        if space.free < options.reserveBytes || (space.freeFiles ?? .max) < Self.filesToStart {
            try reserve.giveBack()
        }
        if !creating { try checkOwner() }
        try failpoints.check(.startOpen)
        let log = try RocksLog(
            path: logPath, options: RocksLogOptions(beside: options),
            creating: creating, lease: self)
        try failpoints.check(.startData)
        let engine = try RocksEngine(
            path: dataPath, options: options, creating: creating, lease: self)
        guard creating else { return (log, engine) }
        try failpoints.check(.startEmpty)
        try begin(log)
        try OwnerMark.write(identity, in: logPath)
        try OwnerMark.write(identity, in: dataPath)
        try failpoints.check(.startMade)
        var made = identity
        made.hasDatabase = true
        do throws(DataDirectoryError) {
            try Self.write(made, path)
        } catch {
            switch error {
            case .full(let path, let reason): throw .full("\(path): \(reason)")
            default: throw .failed("\(error)")
            }
        }
        current.withLock { $0 = made }
        return (log, engine)
    }

    /// Both as they are on disk, to be read. What was not finished is not finished here either: see
    /// `unfinishedInstall`.
    package func lookAtStore(
        _ options: RocksOptions
    ) throws(StorageError) -> (log: RocksLog, engine: RocksEngine) {
        try checkOwner()
        let log = try RocksLog(
            path: logPath, options: RocksLogOptions(beside: options), creating: false,
            readOnly: true, lease: self)
        let engine = try RocksEngine(
            path: dataPath, options: options, creating: false, readOnly: true, lease: self)
        return (log, engine)
    }

    private var logPath: String { path + "/" + Self.logName }
    private var dataPath: String { path + "/" + Self.databaseName }

    private func checkOwner() throws(StorageError) {
        try OwnerMark.check("the Raft log", of: identity, or: next, in: logPath)
        try OwnerMark.check("the database", of: identity, or: next, in: dataPath)
    }

    /// What the file says from now on.
    func become(_ identity: StoreIdentity) { current.withLock { $0 = identity } }

    // MARK: The other stores

    /// Where the other stores of the cluster were reached last; nil if none was ever heard of.
    package func readStores() throws(StorageError) -> Bytes? {
        try naming { () throws(SystemFailure) in
            guard try SystemFiles.names(in: path).contains(Self.storesName) else { return nil }
            return try SystemFiles.read(path + "/" + Self.storesName)
        }
    }

    package func writeStores(_ bytes: Bytes) throws(StorageError) {
        try naming { () throws(SystemFailure) in
            try SystemFiles.replace(Self.storesName, in: path, with: bytes)
        }
    }

    /// The folder and all that is in it: of what nobody wants any more.
    package static func removeAll(in path: String) throws(StorageError) {
        try naming { () throws(SystemFailure) in try SystemFiles.removeFolder(path) }
    }

    /// Of the file system that holds the directory.
    package func space() throws(StorageError) -> FileSystemSpace {
        try naming { () throws(SystemFailure) in try fileSystemSpace(at: path) }
    }

    /// Bytes of all files in the directory but the reserve.
    package func bytesUsed() throws(StorageError) -> UInt64 {
        try naming { () throws(SystemFailure) in
            var sum: UInt64 = 0
            for name in try SystemFiles.names(in: path) where name != DiskReserve.name {
                sum += try SystemFiles.bytes(of: path + "/" + name)
            }
            return sum
        }
    }
}
