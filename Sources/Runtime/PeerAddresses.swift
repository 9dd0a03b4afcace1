/// Where other stores are, as far as this one knows: what they said themselves last, what was known
/// before this start, or what the cluster has written down about them.
///
/// Kept in a file of its own beside the data. History: all stores of a cluster are killed at once;
/// the table of stores is in the log of each and not applied again before somebody leads, and
/// nobody can be elected who reaches nobody.
internal import Base
internal import Dispatch
internal import Logging
internal import Regions
internal import RocksStorage
internal import Storage
internal import Synchronization

final class PeerAddresses: Sendable {
    private let known: Mutex<StoreTable>
    private let directory: DataDirectory
    private let engine: any KeyValueEngine
    private let logger: Logger
    /// One write of the file after the other, away from the loops.
    private let writer = DispatchQueue(label: "stores")

    /// - Parameter told: by the cluster that has just taken this store.
    init(
        _ directory: DataDirectory, _ engine: any KeyValueEngine, told: [StoreID: String],
        logger: Logger
    ) {
        self.directory = directory
        self.engine = engine
        self.logger = logger
        known = Mutex(StoreTable())
        do throws(StorageError) {
            if let bytes = try directory.readStores() {
                do throws(DecodeError) {
                    let table = try StoreTable(decoding: bytes)
                    known.withLock { $0 = table }
                } catch {
                    throw .corrupt("the file of stores: \(error)")
                }
            }
        } catch {
            complain(error)
        }
        for (store, address) in told { known.withLock { $0[store] = address } }
        if !told.isEmpty { write() }
    }

    func learn(_ store: StoreID, _ address: String) {
        let isNew = known.withLock { table in
            defer { table[store] = address }
            return table[store] != address
        }
        if isNew { writer.async { [self] in write() } }
    }

    func forget(_ store: StoreID) {
        let isKnown = known.withLock { table in
            defer { table[store] = nil }
            return table[store] != nil
        }
        if isKnown { writer.async { [self] in write() } }
    }

    var stores: [StoreID] { known.withLock { Array($0.addresses.keys).sorted() } }

    func address(of store: StoreID) -> String? {
        if let address = known.withLock({ $0[store] }) { return address }
        do throws(StorageError) {
            guard let address = try StoreDirectory.table(in: engine)[store] else { return nil }
            learn(store, address)
            return address
        } catch {
            complain(error)
            return nil
        }
    }

    func hasRemoved(_ store: StoreID) -> Bool {
        do throws(StorageError) {
            return try StoreDirectory.table(in: engine).hasRemoved(store)
        } catch {
            complain(error)
            return false
        }
    }

    private func write() {
        let bytes = known.withLock { $0.encoded }
        do throws(StorageError) { try directory.writeStores(bytes) } catch { complain(error) }
    }

    /// What is lost is only where to begin: whoever calls says where it is.
    private func complain(_ error: StorageError) {
        logger.error(
            "the addresses of other stores cannot be kept",
            metadata: ["event": "stores_unreadable", "error": "\(error)"])
    }
}
