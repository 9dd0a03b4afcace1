/// What a read asks of the replica that answers it: how fresh its data is, and whose it is. The
/// two have nothing to do with each other: a follower can read linearizably, by asking its leader
/// for an index, and a leader may be asked for less.
package import Raft

package struct ReadRule: Hashable, Sendable {
    package enum Replica: UInt8, CaseIterable, Hashable, Sendable {
        case leader, follower
        /// Of the store that is asked; if that cannot, whichever can.
        case any
    }

    package var replica: Replica
    /// nil: linearizable. Else everything that was acknowledged that many milliseconds before the
    /// read came is seen by it.
    package var ageMillisecondsMax: UInt32?
    /// What has to be applied before the read; it waits for that.
    package var minVersion: LogIndex

    package init(
        replica: Replica, ageMillisecondsMax: UInt32? = nil, minVersion: LogIndex = 0
    ) {
        self.replica = replica
        self.ageMillisecondsMax = ageMillisecondsMax
        self.minVersion = minVersion
    }
}
