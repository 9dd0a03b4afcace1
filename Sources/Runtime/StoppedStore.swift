/// A store that is opened to be looked at, and perhaps to go on without the others: what `martlet
/// recover` does, with nobody served meanwhile.
internal import Failpoints
internal import Injection
package import Raft
package import Regions
package import RocksStorage
package import Storage

package struct StoppedStore {
    package let directory: DataDirectory
    private let store: Store
    private let recovered: RecoveredReplica

    package init(_ directory: DataDirectory) throws(StorageError) {
        self.directory = directory
        (store, recovered) = try Store.open(directory, Self.options(directory))
    }

    /// Nothing on its disk changes, and it can only be asked; nil if what is there is not all: a
    /// snapshot was being put in place of the data, and the next start goes on with that.
    package init?(lookingAt directory: DataDirectory) throws(StorageError) {
        guard let found = try Store.look(at: directory, Self.options(directory)) else { return nil }
        self.directory = directory
        (store, recovered) = found
    }

    private static func options(
        _ directory: DataDirectory
    ) throws(StorageError) -> RocksOptions {
        RunningNode.options(
            cacheBytes, diskBytes: try directory.space().capacity,
            failpoints: FailpointRegistry())
    }

    /// It reads each block once.
    private static let cacheBytes = 8 << 20

    package var replica: ReplicaID { recovered.id }
    package var membership: Membership { recovered.membership }

    package func recovery(
        without lost: [StoreID]
    ) throws -> QuorumRecovery {
        try QuorumRecovery(of: recovered, StoreDirectory.table(in: store.engine), lost: lost)
    }

    /// From the first to the last step; done when this returns.
    package func recover(
        _ recovery: QuorumRecovery, as identity: StoreIdentity, record: String
    ) throws(StorageError) {
        try directory.beginRecovery(as: identity, store.log, record: record)
        try store.log.write(recovery.batch)
        try directory.finishRecovery(as: identity, stores: recovery.table.encoded)
    }

    /// What a crash came in between of. The one identity that is to be says that a person agreed.
    package func goOn(as identity: StoreIdentity) throws {
        let others = recovered.membership.everyone.filter { $0 != recovered.id }
        if !others.isEmpty {
            // Whoever is not this one is lost or left behind, and both come to the same.
            let rest = try recovery(without: others.map(\.store))
            try store.log.write(rest.batch)
        }
        var table = try StoreDirectory.table(in: store.engine)
        for other in table.addresses.keys where other != recovered.id.store { table[other] = nil }
        try directory.finishRecovery(as: identity, stores: table.encoded)
    }
}
