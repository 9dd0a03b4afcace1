/// May a group that lost most of its voters go on from one replica, by the word of a person?
///
/// Raft has no answer to that (§6 takes a majority of the old voters for every change), so it is
/// decided outside of it, on a replica that is stopped: whether the majority is really lost, and
/// which replica may be taken. What the others had and this one has not is lost; nothing here can
/// know how much that is. That the lost ones never come back under their old names is for whoever
/// runs the group to see to: together they are still a majority of what they remember.
package struct QuorumLoss: Hashable, Sendable {
    package enum Refusal: Error, Hashable, Sendable {
        case nobodyNamed
        case namesItself
        /// Not one of the group.
        case unknown([ReplicaID])
        /// It has joined, and was never told of the group.
        case notMember
        /// Those that are not named are a majority.
        case majorityLeft([ReplicaID])
        /// A learner has whatever it was sent last; these voters have more.
        case isLearner(voters: [ReplicaID])
        /// There is nobody else.
        case isAlone
    }

    package let replica: ReplicaID
    /// In force at the end of its log.
    package let before: Membership
    package let lost: [ReplicaID]

    package init(
        of replica: ReplicaID, in membership: Membership, lost: [ReplicaID]
    ) throws(Refusal) {
        let everyone = membership.everyone
        guard everyone.contains(replica) else { throw .notMember }
        guard everyone != [replica] else { throw .isAlone }
        guard !lost.isEmpty else { throw .nobodyNamed }
        guard !lost.contains(replica) else { throw .namesItself }
        let unknown = lost.filter { !everyone.contains($0) }
        guard unknown.isEmpty else { throw .unknown(unknown) }
        func alive(_ id: ReplicaID) -> Bool? { !lost.contains(id) }
        // In a joint membership both halves have to agree, so either can be the one that is lost.
        let halves = [membership.voters, membership.outgoing]
        let voters = everyone.filter { !lost.contains($0) && membership.isVoter($0) }
        guard halves.contains(where: { $0.tally(alive) == .lost }) else {
            throw .majorityLeft(voters)
        }
        if !membership.isVoter(replica) {
            guard voters.isEmpty else { throw .isLearner(voters: voters) }
        }
        self.replica = replica
        before = membership
        self.lost = VoterSet(lost).ids
    }

    /// Neither lost nor the one that goes on: they cannot follow it, and have to join anew.
    package var leftBehind: [ReplicaID] {
        before.everyone.filter { $0 != replica && !lost.contains($0) }
    }

    package var after: Membership { Membership(voters: [replica]) }
}
