/// Who belongs to a group, and the rules by which that changes.
///
/// A membership is in force from the moment its entry is in a replica's log, committed or not (Raft
/// §6), and every membership entry holds all of it, so that cutting the log or installing a
/// snapshot brings back exactly the membership of that place. A change of at most one voter goes
/// directly, for the majorities before and after it overlap; any other goes through a joint
/// membership, which the leader leaves by itself once it is committed.
///
/// When a change may begin is the leader's business: `RaftGroup+Membership`.
package struct Membership: Hashable, Sendable {
    package var voters: VoterSet
    /// The voters before the change; empty unless the membership is joint.
    package var outgoing: VoterSet
    /// Get everything and decide nothing. Ascending, and disjoint from both sets of voters.
    package var learners: [ReplicaID]
    /// Outgoing voters that stay as learners. Ascending.
    package var learnersNext: [ReplicaID]

    package init(
        voters: [ReplicaID] = [], outgoing: [ReplicaID] = [], learners: [ReplicaID] = [],
        learnersNext: [ReplicaID] = []
    ) {
        self.voters = VoterSet(voters)
        self.outgoing = VoterSet(outgoing)
        self.learners = VoterSet(learners).ids
        self.learnersNext = VoterSet(learnersNext).ids
    }

    /// Replicas in one group. Past a dozen each more costs every write and adds no safety that a
    /// store's owner would notice.
    package static let replicasMax = 15

    package var isJoint: Bool { !outgoing.isEmpty }

    /// Whether it votes, in either half of a joint membership.
    package func isVoter(_ id: ReplicaID) -> Bool {
        voters.contains(id) || outgoing.contains(id)
    }

    package func contains(_ id: ReplicaID) -> Bool { isVoter(id) || learners.contains(id) }

    /// All that get the log, ascending.
    package var everyone: [ReplicaID] {
        VoterSet(voters.ids + outgoing.ids + learners).ids
    }

    /// The membership that the changes lead to; joint if more than one voter differs.
    package func applying(
        _ changes: [MembershipChange]
    ) throws(MembershipError) -> Membership {
        if isJoint { throw .changeUnderWay }
        if changes.isEmpty { throw .nothingToDo }
        if let id = Self.named(twiceIn: changes) { throw .namedTwice(id) }
        var voters = Set(self.voters.ids)
        var learners = Set(self.learners)
        for change in changes {
            switch change {
            case .addVoter(let id):
                if voters.contains(id) { throw .alreadyVoter(id) }
                voters.insert(id)
                learners.remove(id)
            case .addLearner(let id):
                if learners.contains(id) { throw .alreadyLearner(id) }
                learners.insert(id)
                voters.remove(id)
            case .remove(let id):
                if voters.remove(id) == nil, learners.remove(id) == nil { throw .unknown(id) }
            }
        }
        if voters.isEmpty { throw .noVoterLeft }
        let before = Set(self.voters.ids)
        if voters.union(learners).union(before).count > Self.replicasMax {
            throw .tooMany(Self.replicasMax)
        }
        if voters.symmetricDifference(before).count <= 1 {
            return Membership(voters: Array(voters), learners: Array(learners))
        }
        // An outgoing voter still votes, so it becomes a learner only when the change is over.
        return Membership(
            voters: Array(voters), outgoing: self.voters.ids,
            learners: Array(learners.subtracting(before)),
            learnersNext: Array(learners.intersection(before)))
    }

    /// What a joint membership becomes once it is committed.
    package var left: Membership {
        Membership(voters: voters.ids, learners: learners + learnersNext)
    }

    private static func named(twiceIn changes: [MembershipChange]) -> ReplicaID? {
        let ids = changes.map(\.id)
        return ids.indices.first { ids[..<$0].contains(ids[$0]) }.map { ids[$0] }
    }
}

extension Membership: CustomStringConvertible {
    package var description: String {
        func list(_ ids: [ReplicaID]) -> String { ids.map(\.description).joined(separator: " ") }
        var text = "voters \(list(voters.ids))"
        if isJoint { text += ", outgoing \(list(outgoing.ids))" }
        if !learners.isEmpty { text += ", learners \(list(learners))" }
        if !learnersNext.isEmpty { text += ", learners next \(list(learnersNext))" }
        return text
    }
}

package enum MembershipChange: Hashable, Sendable {
    /// A new voter, or a learner that is to vote from now on.
    case addVoter(ReplicaID)
    /// A new learner, or a voter that is to vote no longer.
    case addLearner(ReplicaID)
    case remove(ReplicaID)

    package var id: ReplicaID {
        switch self {
        case .addVoter(let id), .addLearner(let id), .remove(let id): id
        }
    }
}

/// Why changes lead to no membership. A change that changes nothing is refused and leaves nothing
/// behind (reliability.md row 33).
package enum MembershipError: Error, Hashable, Sendable {
    case changeUnderWay
    case nothingToDo
    case namedTwice(ReplicaID)
    case alreadyVoter(ReplicaID)
    case alreadyLearner(ReplicaID)
    case unknown(ReplicaID)
    case noVoterLeft
    case tooMany(Int)
}
