/// Where other stores are, as far as this one knows: what they said themselves last, or what the
/// cluster has written down about them.
internal import Regions
internal import Synchronization

final class PeerAddresses: Sendable {
    private let known = Mutex<[StoreID: String]>([:])
    private let lookUp: @Sendable (StoreID) -> String?

    /// - Parameter lookUp: asked for a store of which nothing was heard; from any thread.
    init(lookUp: @escaping @Sendable (StoreID) -> String?) { self.lookUp = lookUp }

    func learn(_ store: StoreID, _ address: String) {
        guard !address.isEmpty else { return }
        known.withLock { $0[store] = address }
    }

    func address(of store: StoreID) -> String? {
        if let address = known.withLock({ $0[store] }) { return address }
        guard let address = lookUp(store) else { return nil }
        learn(store, address)
        return address
    }
}
