/// Who answered a request with its data, and how that data stood: what a client is told beside the
/// outcomes.
package import Raft

package enum ServingRole: UInt8, CaseIterable, Hashable, Sendable {
    case leader, follower

    package var name: String {
        switch self {
        case .leader: "leader"
        case .follower: "follower"
        }
    }
}

package struct ReplicaStamp: Hashable, Sendable {
    package var role: ServingRole
    /// The last entry of the group's log that the outcomes rest on: for writes the one that holds
    /// them, for reads the newest that the data had. 0: nobody asked.
    package var version: LogIndex = 0
    /// Of a stale read: everything acknowledged before that many milliseconds is in it.
    package var ageMilliseconds: UInt32?

    package init(role: ServingRole, version: LogIndex = 0, ageMilliseconds: UInt32? = nil) {
        self.role = role
        self.version = version
        self.ageMilliseconds = ageMilliseconds
    }
}
