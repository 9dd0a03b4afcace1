// Majorities of one set of voters and of two.
import Raft
import Testing

@Suite struct QuorumTests {
    static func ids(_ numbers: [UInt64]) -> [ReplicaID] { numbers.map(ReplicaID.init) }

    struct Row: Sendable {
        var voters: [UInt64]
        var outgoing: [UInt64] = []
        /// What each voter has reached; 0 if it is not named.
        var has: [UInt64: Int]
        var reached: Int?
    }

    @Test(arguments: [
        Row(voters: [], has: [:], reached: nil),
        Row(voters: [1], has: [1: 5], reached: 5),
        Row(voters: [1, 2], has: [1: 5], reached: 0),
        Row(voters: [1, 2], has: [1: 5, 2: 3], reached: 3),
        Row(voters: [1, 2, 3], has: [1: 5, 3: 7], reached: 5),
        Row(voters: [1, 2, 3], has: [1: 1, 2: 9, 3: 4], reached: 4),
        Row(voters: [1, 2, 3, 4], has: [1: 9, 2: 9], reached: 0),
        Row(voters: [1, 2, 3, 4], has: [1: 9, 2: 9, 3: 2], reached: 2),
        Row(voters: [1, 2, 3, 4, 5], has: [1: 2, 2: 8, 3: 5, 4: 9, 5: 1], reached: 5),
        // A learner's progress counts for nothing.
        Row(voters: [1, 2, 3], has: [1: 5, 9: 7], reached: 0),
        // Joint: the lesser of both halves, also where they share voters.
        Row(voters: [1, 2, 3], outgoing: [1, 2, 3], has: [1: 4, 2: 6], reached: 4),
        Row(voters: [4, 5], outgoing: [1, 2, 3], has: [1: 9, 2: 9, 3: 9, 4: 9], reached: 0),
        Row(voters: [4], outgoing: [1, 2, 3], has: [1: 9, 2: 7, 4: 8], reached: 7),
        Row(voters: [1, 4], outgoing: [1], has: [1: 9, 4: 3], reached: 3),
    ])
    func reached(_ row: Row) {
        let membership = Membership(voters: Self.ids(row.voters), outgoing: Self.ids(row.outgoing))
        #expect(membership.reached { row.has[$0.number] ?? 0 } == row.reached)
    }

    /// Against the definition, for every assignment of small values to up to five voters.
    @Test func reachedIsTheLargestThatAMajorityHas() {
        for count in 1...5 {
            let voters = VoterSet((1...UInt64(count)).map(ReplicaID.init))
            var values = Array(repeating: 0, count: count)
            var isDone = false
            while !isDone {
                let sorted = values.sorted(by: >)
                let expected = sorted[count / 2]
                #expect(voters.reached { values[Int($0.number) - 1] } == expected)
                var place = 0
                while place < count, values[place] == 2 {
                    values[place] = 0
                    place += 1
                }
                if place == count { isDone = true } else { values[place] += 1 }
            }
        }
    }

    struct Ballot: Sendable {
        var voters: [UInt64]
        var outgoing: [UInt64] = []
        var yes: [UInt64] = []
        var no: [UInt64] = []
        var tally: Tally
    }

    @Test(arguments: [
        Ballot(voters: [1], tally: .open),
        Ballot(voters: [1], yes: [1], tally: .won),
        Ballot(voters: [1, 2], yes: [1], tally: .open),
        Ballot(voters: [1, 2], yes: [1], no: [2], tally: .lost),
        Ballot(voters: [1, 2, 3], yes: [1, 2], tally: .won),
        Ballot(voters: [1, 2, 3], yes: [1], no: [2], tally: .open),
        Ballot(voters: [1, 2, 3], yes: [1], no: [2, 3], tally: .lost),
        Ballot(voters: [1, 2, 3, 4], yes: [1, 2], no: [3], tally: .open),
        Ballot(voters: [1, 2, 3, 4], yes: [1, 2], no: [3, 4], tally: .lost),
        Ballot(voters: [1, 2, 3], yes: [1, 9, 8], tally: .open),
        Ballot(voters: [4], outgoing: [1, 2, 3], yes: [4, 1], tally: .open),
        Ballot(voters: [4], outgoing: [1, 2, 3], yes: [4, 1, 3], tally: .won),
        Ballot(voters: [4], outgoing: [1, 2, 3], yes: [1, 2, 3], no: [4], tally: .lost),
        Ballot(voters: [4], outgoing: [1, 2, 3], yes: [4, 1], no: [2, 3], tally: .lost),
    ])
    func tally(_ ballot: Ballot) {
        let membership = Membership(
            voters: Self.ids(ballot.voters), outgoing: Self.ids(ballot.outgoing))
        let tally = membership.tally { voter in
            if ballot.yes.contains(voter.number) { return true }
            return ballot.no.contains(voter.number) ? false : nil
        }
        #expect(tally == ballot.tally)
    }
}
