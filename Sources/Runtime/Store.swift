/// What a node finds on its disk and stands on: the log, the data, and the replica that they were
/// left by.
internal import Base
internal import Failpoints
internal import Injection
internal import Raft
internal import Regions
internal import RocksStorage
internal import Storage

struct Store: Sendable {
    /// The one group there is: everything.
    static let group = GroupID(1)

    let engine: RocksEngine
    let log: RocksLog
    let reserve: DiskReserve
    let reserveBytes: UInt64
    /// Bytes of resident memory that both stay below.
    let memoryBound: Int

    /// What was recovered is not kept here: it holds every entry that is applied again.
    static func open(
        _ directory: DataDirectory, _ options: RocksOptions
    ) throws(StorageError) -> (Store, RecoveredReplica) {
        let (log, engine) = try directory.openStore(options) { log throws(StorageError) in
            let store = StoreID(UInt32(clamping: directory.identity.store))
            // The first store founds the group; any other waits to be told what it is.
            let isFounder = store == StoreID(1)
            try RecoveredReplica.begin(
                group, log, replica: ReplicaID(on: store),
                membership: isFounder ? Membership(voters: [ReplicaID(on: store)]) : Membership())
        }
        try directory.finishInstall(engine) { record throws(StorageError) in
            do throws(DecodeError) {
                return try CommandRecord.decode(record)
            } catch {
                throw .corrupt("the record of a snapshot: \(error)")
            }
        }
        try options.failpoints.check(.startRecover)
        let recovered = try RecoveredReplica(of: group, log: log, data: engine)
        return (Store(directory, options, log, engine), recovered)
    }

    /// The same without a change of anything on the disk; nil if what is there is not all: a
    /// snapshot was being put in place.
    static func look(
        at directory: DataDirectory, _ options: RocksOptions
    ) throws(StorageError) -> (Store, RecoveredReplica)? {
        let (log, engine) = try directory.lookAtStore(options)
        guard try !directory.unfinishedInstall(engine) else { return nil }
        let recovered = try RecoveredReplica(of: group, log: log, data: engine, mending: false)
        return (Store(directory, options, log, engine), recovered)
    }

    private init(
        _ directory: DataDirectory, _ options: RocksOptions, _ log: RocksLog,
        _ engine: RocksEngine
    ) {
        self.engine = engine
        self.log = log
        reserve = directory.reserve
        reserveBytes = options.reserveBytes
        memoryBound = options.storeMemoryBound
    }

    /// Both need room on the one disk.
    func lookAtDisk() throws(StorageError) -> DiskGuard {
        try engine.lookAtDisk(log: log.spaceNeeds)
    }

    /// How far the data on disk has come; nil if nothing of it is there.
    static func flushed(_ engine: RocksEngine) throws(StorageError) -> LogIndex? {
        let found = try engine.persistedGet(.meta, AppliedRecord.key(of: group))
        return try RecoveredReplica.decode(found, group)?.snapshot.position.index
    }
}
