// Each checker of a group on what it is there to find, and on the good case beside it.
import Base
import Raft
import Regions
import Simulation
import Storage
import Testing

@Suite struct GroupCheckerTests {
    private let one = ReplicaID(1)
    private let two = ReplicaID(2)

    @Test func oneLeaderInATerm() {
        var elections = ElectionSafety()
        #expect(elections.leads(one, in: 3) == nil)
        #expect(elections.leads(one, in: 3) == nil, "again after a pause")
        #expect(elections.leads(two, in: 4) == nil)
        #expect(elections.leads(two, in: 3) != nil)
    }

    @Test func oneVoteInATerm() {
        func message(_ body: RaftMessage.Body, to: ReplicaID, term: Term) -> RaftMessage {
            RaftMessage(from: one, to: to, term: term, body: body)
        }
        let grant = RaftMessage.Body.voteReply(isGranted: true)
        var votes = VoteOnce()
        #expect(votes.sends(message(grant, to: two, term: 3)) == nil)
        #expect(votes.sends(message(grant, to: two, term: 3)) == nil, "said twice")
        #expect(votes.sends(message(.voteReply(isGranted: false), to: one, term: 3)) == nil)
        #expect(votes.sends(message(grant, to: ReplicaID(3), term: 3)) != nil)
        let candidacy = Candidacy(last: .start, priority: 0, isTransfer: false)
        #expect(votes.sends(message(.vote(candidacy), to: two, term: 4)) == nil)
        #expect(votes.sends(message(grant, to: two, term: 4)) != nil, "its own went to itself")
        #expect(votes.sends(message(.wakeUp, to: two, term: 3)) != nil, "a term that fell")
    }

    @Test func oneEntryAtAPlace() {
        var logs = LogMatching()
        #expect(logs.takes([1], at: 5, term: 2, after: 1, by: one) == nil)
        #expect(logs.takes([1], at: 5, term: 2, after: 1, by: two) == nil)
        #expect(logs.takes([2], at: 5, term: 3, after: 1, by: two) == nil, "another term")
        #expect(logs.takes([2], at: 5, term: 2, after: 1, by: two) != nil)
        #expect(logs.takes([1], at: 5, term: 2, after: nil, by: two) == nil, "it does not know")
        #expect(logs.takes([1], at: 5, term: 2, after: 2, by: two) != nil)
    }

    @Test func everyoneAppliesTheSame() {
        var log = CommittedLog()
        #expect(log.applies([1], at: 1, by: one, lastTerm: 1) == nil)
        #expect(log.applies([2], at: 2, by: one, lastTerm: 1) == nil)
        #expect(log.applies([1], at: 1, by: two, lastTerm: 1) == nil)
        #expect(log.applies([3], at: 2, by: two, lastTerm: 1) != nil)
    }

    @Test func aLeaderHasWhatIsCommitted() {
        var log = CommittedLog()
        for index in 1...3 as ClosedRange<LogIndex> {
            #expect(log.applies([UInt8(index)], at: index, by: one, lastTerm: 5) == nil)
        }
        func lacks(
            _ entries: [LogIndex: Bytes], base: LogIndex = 0, end: LogIndex, in term: Term = 6
        ) -> Bool {
            log.missing(from: entries, base: base, end: end, in: term) != nil
        }
        #expect(!lacks([1: [1], 2: [2], 3: [3], 4: [9]], end: 4))
        #expect(!lacks([3: [3]], base: 2, end: 3), "the rest is data")
        #expect(lacks([1: [1], 2: [2]], end: 2))
        #expect(lacks([1: [1], 2: [7], 3: [3]], end: 3))
        #expect(!lacks([1: [1]], end: 1, in: 4), "a later leader may have committed the rest")
    }

    @Test func whatIsCommittedIsOnAMajority() {
        let commitment = Commitment()
        func commits(_ membership: Membership, on holders: [UInt64]) -> Bool {
            commitment.commits(7, as: membership) { holders.contains($0.number) } == nil
        }
        let three = Membership(voters: [1, 2, 3].map { ReplicaID($0) })
        #expect(commits(three, on: [1, 3]))
        #expect(!commits(three, on: [2]))
        let four = Membership(voters: [1, 2, 3, 4].map { ReplicaID($0) })
        #expect(!commits(four, on: [1, 2]), "half is no majority")
        let joint = Membership(
            voters: [4, 5, 6].map { ReplicaID($0) }, outgoing: [1, 2, 3].map { ReplicaID($0) },
            learners: [ReplicaID(7)])
        #expect(commits(joint, on: [1, 2, 5, 6]))
        #expect(!commits(joint, on: [4, 5, 6, 1, 7]), "of both halves, and learners do not count")
    }

    @Test func nothingGoesBack() {
        func status(
            _ term: Term, _ commit: LogIndex, _ applied: LogIndex
        ) -> MonotonicProgress.Place {
            MonotonicProgress.Place(term: term, commit: commit, applied: applied)
        }
        let progress = MonotonicProgress()
        let last = status(3, 5, 4)
        #expect(progress.goesOn(status(3, 5, 4), from: last) == nil)
        #expect(progress.goesOn(status(4, 6, 6), from: last) == nil)
        #expect(progress.goesOn(status(2, 5, 4), from: last) != nil)
        #expect(progress.goesOn(status(3, 4, 4), from: last) != nil)
        #expect(progress.goesOn(status(3, 5, 3), from: last) != nil)
        #expect(progress.goesOn(status(1, 0, 0), from: nil) == nil, "a new life")
    }

    @Test func replicasHoldTheSame() throws {
        func engine(_ value: String, expiresAt: WallTime? = nil) throws -> MemoryEngine {
            let engine = MemoryEngine()
            var batch = WriteBatch()
            let record = RawRecord.encode(Bytes(value.utf8), expiresAt: nil)
            batch.put(.raw, Key(utf8: "a"), record)
            if let expiresAt {
                batch.put(.raw, Key(utf8: "b"), RawRecord.encode([1], expiresAt: expiresAt))
            }
            try engine.write(batch, sync: true)
            return engine
        }
        let wall = WallTime(milliseconds: 5)
        #expect(try ReplicasEqual.difference([engine("1"), engine("1", expiresAt: wall)]) == nil)
        #expect(try ReplicasEqual.difference([engine("1"), engine("1"), engine("2")]) != nil)
        #expect(try ReplicasEqual.difference([engine("1"), MemoryEngine()]) != nil)
    }
}
