/// Why two stores do not talk: one sentence, said by both of them.
///
/// Whoever refuses answers with a problem that holds the sentence, and whoever is refused logs what
/// it was answered; a metric counts it on both sides by its name.
internal import Base
package import Regions

package enum PeerFault: Error, Hashable, Sendable {
    case wrongCluster(own: String, theirs: String)
    /// Of the cluster that this one went on from without it.
    case leftBehind(StoreID, own: String, theirs: String)
    /// It was a store of this cluster once.
    case removed(StoreID)
    /// Somebody else is at that address.
    case wrongStore(own: StoreID, meant: StoreID)
    /// The address leads back to where the stream came from.
    case itself(StoreID)
    /// Two processes say that they are the same store.
    case duplicate(StoreID)
    case version(own: UInt64, theirs: UInt64)
    /// One clock runs faster than the other by more than a leader's lease allows for: so many
    /// nanoseconds here in which there passed that many.
    case clocks(own: Duration, theirs: Duration)
    case unauthenticated(String)
    case malformed(String)
    /// Nothing came from it for so long that it counts as gone.
    case silent

    /// Frozen: dashboards and alerts name it.
    package var label: String {
        switch self {
        case .wrongCluster: "wrong_cluster"
        case .leftBehind: "left_behind"
        case .removed: "removed"
        case .wrongStore: "wrong_store"
        case .itself: "itself"
        case .duplicate: "store_conflict"
        case .version: "peer_version"
        case .clocks: "clocks_differ"
        case .unauthenticated: "unauthenticated"
        case .malformed: "malformed"
        case .silent: "silent"
        }
    }

    package static let labels = [
        "wrong_cluster", "left_behind", "removed", "wrong_store", "itself", "store_conflict",
        "peer_version", "clocks_differ", "unauthenticated", "malformed", "silent",
    ]

    package var sentence: String {
        switch self {
        case .wrongCluster(let own, let theirs):
            "Cluster \(theirs) is not this one: this store belongs to cluster \(own)."
        case .leftBehind(let store, let own, let theirs):
            "Store \(store) is of cluster \(theirs), which lost its majority; cluster \(own) went "
                + "on from it without that store. Move its directory away and join anew (--join)."
        case .removed(let store):
            "Store \(store) was removed from this cluster and cannot come back under its number. "
                + "Move its directory away and join anew (--join)."
        case .wrongStore(let own, let meant):
            "Store \(own) is at this address, and store \(meant) was meant."
        case .itself(let store): "This address leads store \(store) back to itself."
        case .duplicate(let store):
            "Two processes say that they are store \(store); one of them has a copied directory."
        case .version(let own, let theirs):
            "Peers of version \(theirs) are not understood here; this store speaks version \(own)."
        case .clocks(let own, let theirs):
            "The clocks differ too much: \(own) passed here in which \(theirs) passed there."
        case .unauthenticated(let reason): "This peer is not believed: \(reason)."
        case .malformed(let reason): "What this peer sent cannot be read: \(reason)."
        case .silent: "This peer said nothing for \(Limits.peerSilence)."
        }
    }
}

/// Who a store says it is.
package struct PeerIdentity: Hashable, Sendable {
    package var cluster: String
    package var store: StoreID
    /// Drawn when the process starts: it tells a store from its own earlier life.
    package var incarnation: UInt64
    /// The clusters that this one went on from.
    package var former: [String]

    package init(
        cluster: String, store: StoreID, incarnation: UInt64, former: [String] = []
    ) {
        self.cluster = cluster
        self.store = store
        self.incarnation = incarnation
        self.former = former
    }
}
