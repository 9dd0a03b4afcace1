/// How a shard's replica stands, for those who show it or check it.
package import Raft
package import Regions

package struct GroupStatus: Hashable, Sendable {
    package var group: GroupID
    package var replica: ReplicaID
    package var role: Role
    package var term: Term
    package var leader: ReplicaID?
    package var membership: Membership
    /// Whether it takes commands.
    package var isServing: Bool
    /// It leads no more while another can.
    package var hasYielded: Bool
    /// The log begins behind it.
    package var base: LogIndex
    package var last: LogIndex
    package var commit: LogIndex
    package var applied: LogIndex
}

extension Shard {
    /// nil on the cores that have no replica.
    package var groupStatus: GroupStatus? {
        guard let replica else { return nil }
        let raft = replica.raft
        return GroupStatus(
            group: replica.group, replica: raft.id, role: raft.role, term: raft.term,
            leader: raft.leader, membership: raft.membership, isServing: isServing,
            hasYielded: standingBack.isDrained,
            base: raft.trail.base.index, last: raft.trail.lastIndex, commit: raft.commit,
            applied: replica.applied)
    }
}
