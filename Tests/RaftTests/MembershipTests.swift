// What changes make of a membership, and which are refused.
import Raft
import Testing

@Suite struct MembershipTests {
    struct Row: Sendable {
        var from: Membership
        var changes: [MembershipChange]
        var to: Membership
    }

    static func members(
        _ voters: [UInt64], out outgoing: [UInt64] = [], learners: [UInt64] = [],
        next: [UInt64] = []
    ) -> Membership {
        Membership(
            voters: voters.map(ReplicaID.init), outgoing: outgoing.map(ReplicaID.init),
            learners: learners.map(ReplicaID.init), learnersNext: next.map(ReplicaID.init))
    }

    static func voter(_ number: UInt64) -> MembershipChange { .addVoter(ReplicaID(number)) }
    static func learner(_ number: UInt64) -> MembershipChange { .addLearner(ReplicaID(number)) }
    static func remove(_ number: UInt64) -> MembershipChange { .remove(ReplicaID(number)) }

    @Test(arguments: [
        Row(from: members([1]), changes: [voter(2)], to: members([1, 2])),
        Row(from: members([1]), changes: [learner(2)], to: members([1], learners: [2])),
        Row(from: members([1], learners: [2]), changes: [voter(2)], to: members([1, 2])),
        Row(from: members([1, 2]), changes: [learner(2)], to: members([1], learners: [2])),
        Row(from: members([1, 2]), changes: [remove(1)], to: members([2])),
        Row(from: members([1], learners: [2]), changes: [remove(2)], to: members([1])),
        // One voter and any number of learners is still a single change.
        Row(
            from: members([1], learners: [2]), changes: [voter(2), learner(3), learner(4)],
            to: members([1, 2], learners: [3, 4])),
        // Two voters differ: joint.
        Row(
            from: members([1]), changes: [voter(2), voter(3)],
            to: members([1, 2, 3], out: [1])),
        Row(
            from: members([1, 2, 3]), changes: [voter(4), remove(1)],
            to: members([2, 3, 4], out: [1, 2, 3])),
        // Who votes in the old half becomes a learner only afterwards.
        Row(
            from: members([1, 2, 3]), changes: [voter(4), learner(1)],
            to: members([2, 3, 4], out: [1, 2, 3], next: [1])),
        Row(
            from: members([1, 2], learners: [3, 4]), changes: [voter(3), learner(2)],
            to: members([1, 3], out: [1, 2], learners: [4], next: [2])),
        // Every voter replaced.
        Row(
            from: members([1, 2]), changes: [voter(3), voter(4), remove(1), remove(2)],
            to: members([3, 4], out: [1, 2])),
    ])
    func change(_ row: Row) throws {
        let to = try row.from.applying(row.changes)
        #expect(to == row.to)
        for id in row.from.voters.ids where to.isJoint { #expect(to.isVoter(id)) }
    }

    @Test func leavingAJointMembership() {
        let joint = Self.members([2, 3, 4], out: [1, 2, 3], learners: [5], next: [1])
        #expect(joint.left == Self.members([2, 3, 4], learners: [1, 5]))
        #expect(joint.everyone.map(\.number) == [1, 2, 3, 4, 5])
        #expect(joint.isVoter(ReplicaID(1)))
        #expect(!joint.left.isVoter(ReplicaID(1)))
    }

    struct Refused: Sendable {
        var from: Membership
        var changes: [MembershipChange]
        var error: MembershipError
    }

    @Test(arguments: [
        Refused(from: members([1]), changes: [], error: .nothingToDo),
        Refused(from: members([2], out: [1]), changes: [voter(3)], error: .changeUnderWay),
        Refused(from: members([1]), changes: [voter(1)], error: .alreadyVoter(ReplicaID(1))),
        Refused(
            from: members([1], learners: [2]), changes: [learner(2)],
            error: .alreadyLearner(ReplicaID(2))),
        Refused(from: members([1]), changes: [remove(2)], error: .unknown(ReplicaID(2))),
        Refused(
            from: members([1]), changes: [voter(2), remove(2)], error: .namedTwice(ReplicaID(2))),
        Refused(from: members([1]), changes: [remove(1)], error: .noVoterLeft),
        Refused(
            from: members([1], learners: [2]), changes: [learner(1)], error: .noVoterLeft),
        Refused(
            from: members(Array(1...15)), changes: [learner(16)],
            error: .tooMany(Membership.replicasMax)),
    ])
    func refused(_ row: Refused) {
        #expect(throws: row.error) { try row.from.applying(row.changes) }
    }

    /// Majorities before and after overlap: every single change of up to five voters, and each half
    /// of every joint one.
    @Test func decisionsBeforeAndAfterShareAVoter() throws {
        for count in 1...5 as ClosedRange<UInt64> {
            let from = Self.members(Array(1...count))
            var steps = [try from.applying([Self.voter(9)])]
            if count > 1 { steps.append(try from.applying([Self.remove(1)])) }
            steps.append(try from.applying([Self.voter(8), Self.voter(9)]))
            for to in steps { #expect(Self.overlaps(from, to)) }
            for to in steps where to.isJoint { #expect(Self.overlaps(to, to.left)) }
        }
    }

    private static func overlaps(_ a: Membership, _ b: Membership) -> Bool {
        let all = VoterSet(a.everyone + b.everyone).ids
        for subset in 0..<(1 << all.count) {
            func isIn(_ id: ReplicaID) -> Bool {
                all.firstIndex(of: id).map { subset & (1 << $0) != 0 } ?? false
            }
            // If one side can decide with the subset, the other must not be able to without it.
            if a.tally({ isIn($0) }) == .won, b.tally({ !isIn($0) }) == .won { return false }
        }
        return true
    }
}
