// The trail of a log against a plain array of entries.
import Base
import Raft
import Testing

@Suite struct LogTrailTests {
    static func trail(_ terms: [Term]) -> LogTrail {
        let membership = Membership(voters: [ReplicaID(1)])
        var trail = LogTrail(SnapshotIdentity(position: .start, membership: membership))
        for term in terms { trail.append(Entry(term: term, .command(byteCount: 1))) }
        return trail
    }

    /// For the log 1 1 1 4 4 5 5 6 6 6: how far it can agree with a log of these ends.
    @Test(
        arguments: [
            (10, 6, 10, 6), (12, 9, 10, 6), (10, 5, 7, 5), (10, 4, 5, 4), (10, 3, 3, 1),
            (4, 6, 4, 4),
            (10, 0, 0, 0), (0, 0, 0, 0),
        ] as [(LogIndex, Term, LogIndex, Term)])
    func lastWithTermAtMost(_ index: LogIndex, _ term: Term, _ to: LogIndex, _ of: Term) {
        let trail = Self.trail([1, 1, 1, 4, 4, 5, 5, 6, 6, 6])
        #expect(trail.last(through: index, termAtMost: term) == LogPosition(index: to, term: of))
    }

    @Test func theEndOfALogThatIsKept() {
        var trail = LogTrail(SnapshotIdentity(position: .start, membership: Membership()))
        trail.append(Entry(term: 1, .blank))
        for size in [10, 20, 30] { trail.append(Entry(term: 1, .command(byteCount: size))) }
        #expect(
            [0, 29, 30, 49, 50, 60, 61, 99].map { trail.index(before: $0, through: 4) } == [
                4, 4, 3, 3, 2, 1, 0, 0,
            ])
        #expect(trail.index(before: 10, through: 2) == 1)
        trail.compact(through: 3)
        #expect(trail.index(before: 99, through: 4) == 3)
    }

    @Test func compactedAndMissingHaveNoTerm() {
        var trail = Self.trail([1, 1, 2])
        trail.compact(through: 2)
        #expect(trail.term(at: 1) == nil)
        #expect(trail.term(at: 2) == 1)
        #expect(trail.term(at: 3) == 2)
        #expect(trail.term(at: 4) == nil)
        trail.compact(through: 3)
        #expect(trail.last == LogPosition(index: 3, term: 2))
        #expect(trail.first == 4)
    }

    @Test func membershipsComeBackWhenTheLogIsCut() {
        func members(_ count: UInt64) -> Membership {
            Membership(voters: (1...count).map(ReplicaID.init))
        }
        var trail = Self.trail([1])
        trail.append(Entry(term: 1, .membership(members(2))))
        trail.append(Entry(term: 1, .membership(members(3))))
        #expect(trail.membership == members(3))
        #expect(trail.membershipIndex == 3)
        trail.truncate(from: 3)
        #expect(trail.membership == members(2))
        trail.compact(through: 2)
        #expect(trail.membership == members(2))
        #expect(trail.membershipIndex == 2)
        trail.append(Entry(term: 2, .membership(members(4))))
        #expect(trail.membership(at: 2) == members(2))
        trail.truncate(from: 3)
        #expect(trail.membership == members(2))
    }

    @Test(arguments: 1...200 as ClosedRange<UInt64>)
    func behavesLikeAnArray(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var trail = Self.trail([])
        var model: [Entry] = []
        var base = 0
        var term: Term = 1
        for _ in 0..<60 {
            switch UInt64.random(in: 0..<10, using: &random) {
            case 0..<6:
                if random.chance(1, in: 4) { term += 1 }
                let bytes = Int.random(in: 0...5, using: &random)
                let entry = Entry(term: term, bytes == 0 ? .blank : .command(byteCount: bytes))
                trail.append(entry)
                model.append(entry)
            case 6..<8 where model.count > base:
                let index = Int.random(in: base + 1...model.count, using: &random)
                trail.truncate(from: LogIndex(index))
                model.removeLast(model.count - index + 1)
            case 8 where model.count > base:
                base = Int.random(in: base...model.count, using: &random)
                trail.compact(through: LogIndex(base))
            default: break
            }
            #expect(trail.lastIndex == LogIndex(model.count), "seed \(seed)")
            for index in base..<model.count {
                #expect(trail.entry(at: LogIndex(index + 1)) == model[index], "seed \(seed)")
            }
            let bytes = model[base...].reduce(0) { $0 + $1.byteCount }
            #expect(trail.byteCount(after: trail.base.index, through: trail.lastIndex) == bytes)
        }
    }
}
