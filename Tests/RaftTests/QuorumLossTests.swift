// Which replicas may go on alone: every membership of up to five, and every set that may be lost.
import Base
import Raft
import Testing

struct QuorumLossTests {
    private static func ids(_ numbers: [UInt64]) -> [ReplicaID] { numbers.map(ReplicaID.init) }

    private func loss(
        _ own: UInt64, _ membership: Membership, lost: [UInt64]
    ) -> Result<QuorumLoss, QuorumLoss.Refusal> {
        Result { () throws(QuorumLoss.Refusal) in
            try QuorumLoss(of: ReplicaID(own), in: membership, lost: Self.ids(lost))
        }
    }

    private func refusal(
        _ own: UInt64, _ membership: Membership, lost: [UInt64]
    ) -> QuorumLoss.Refusal? {
        if case .failure(let refusal) = loss(own, membership, lost: lost) { return refusal }
        return nil
    }

    // What is left is a majority or it is not, and in the second case one of it may go on.
    @Test func everyLossOfUpToFive() throws {
        for count in 2...5 as ClosedRange<UInt64> {
            let all = Array(1...count)
            let membership = Membership(voters: Self.ids(all))
            for bits in 1..<(1 << Int(count)) - 1 {
                let lost = all.filter { bits >> Int($0 - 1) & 1 == 1 }
                let left = all.filter { !lost.contains($0) }
                for own in left {
                    let result = loss(own, membership, lost: lost)
                    if left.count > all.count / 2 {
                        #expect(
                            refusal(own, membership, lost: lost)
                                == .majorityLeft(Self.ids(left)))
                        continue
                    }
                    let loss = try result.get()
                    #expect(loss.after == Membership(voters: [ReplicaID(own)]))
                    #expect(loss.leftBehind == Self.ids(left.filter { $0 != own }))
                    #expect(loss.lost == Self.ids(lost))
                }
                for own in lost {
                    #expect(refusal(own, membership, lost: lost) == .namesItself)
                }
            }
        }
    }

    @Test func whatMakesNoSense() {
        let three = Membership(voters: Self.ids([1, 2, 3]))
        #expect(refusal(1, three, lost: []) == .nobodyNamed)
        #expect(refusal(1, three, lost: [2, 9]) == .unknown(Self.ids([9])))
        #expect(refusal(4, three, lost: [2, 3]) == .notMember)
        #expect(refusal(1, Membership(), lost: [2]) == .notMember)
        #expect(refusal(1, Membership(voters: Self.ids([1])), lost: [2]) == .isAlone)
        // A lone voter needs no learner.
        let leading = Membership(voters: Self.ids([1]), learners: Self.ids([2]))
        #expect(refusal(1, leading, lost: [2]) == .majorityLeft(Self.ids([1])))
    }

    @Test func aLearnerOnlyWhenNoVoterIsLeft() throws {
        let some = Membership(voters: Self.ids([1, 2, 3]), learners: Self.ids([4]))
        #expect(refusal(4, some, lost: [2, 3]) == .isLearner(voters: Self.ids([1])))
        let loss = try loss(4, some, lost: [1, 2, 3]).get()
        #expect(loss.after == Membership(voters: Self.ids([4])))
        #expect(try self.loss(1, some, lost: [2, 3]).get().leftBehind == Self.ids([4]))
    }

    // Both halves of a change decide, so the loss of either is one.
    @Test func inTheMiddleOfAChange() throws {
        let joint = Membership(voters: Self.ids([1, 4, 5]), outgoing: Self.ids([1, 2, 3]))
        #expect(refusal(1, joint, lost: [3]) == .majorityLeft(Self.ids([1, 2, 4, 5])))
        #expect(refusal(1, joint, lost: [3, 5]) == .majorityLeft(Self.ids([1, 2, 4])))
        for lost in [[2, 3], [4, 5], [2, 3, 4, 5]] as [[UInt64]] {
            #expect(try loss(1, joint, lost: lost).get().after.voters.ids == Self.ids([1]))
        }
    }
}
