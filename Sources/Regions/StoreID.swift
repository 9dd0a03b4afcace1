/// Names a store: one data directory, for as long as it is whole. One that lost its data comes back
/// under a new name, for the old one has promised what is forgotten.
///
/// A replica's id says which store it is on, so that finding a replica needs no state that could
/// lag behind the membership it comes from: the lower 32 bits are the store, the upper 32 count the
/// replicas of the group that the store has had before. A group's first replica on store 3 is
/// replica 3.
package import Raft

package struct StoreID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var number: UInt32
    package init(_ number: UInt32) { self.number = number }
    package static func < (a: StoreID, b: StoreID) -> Bool { a.number < b.number }
    package var description: String { String(number) }
}

extension ReplicaID {
    /// - Parameter generation: replicas of its group that the store has had before.
    package init(on store: StoreID, generation: UInt32 = 0) {
        self.init(UInt64(generation) << 32 | UInt64(store.number))
    }

    package var store: StoreID { StoreID(UInt32(truncatingIfNeeded: number)) }
}
