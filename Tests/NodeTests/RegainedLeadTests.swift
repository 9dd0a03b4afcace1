// A replica that led, leads again and has not yet applied what was acknowledged in between: what
// waited there since the first time must not be decided by what it has.
import Base
import Node
import Regions
import Testing

@Suite struct RegainedLeadTests {
    /// The lead goes from one to another and back, while the first applies nothing. Before that it
    /// has taken `waiting` behind a put of a=1; the second acknowledges `between`.
    private func regain(
        waiting: RawCommand, between: RawCommand
    ) throws -> (GroupHost, store: UInt32) {
        var group = try GroupHost(1...3)
        let first = try #require(group.leader)
        first.holdsApplies = true
        first.put("a", "1")
        first.send(waiting)
        try group.settle()
        let second = try #require(group.followers.first)
        first.ask(.transfer(to: second.store))
        try group.pass(.seconds(1))
        #expect(group.leader?.store == second.store)
        second.send(between)
        try group.settle()
        #expect(second.outcomes == [.written(previous: nil)])
        second.ask(.transfer(to: first.store))
        try group.pass(.milliseconds(100))
        #expect(first.status?.leader?.store == first.store)
        #expect(first.status?.isServing == false && first.outcomes.isEmpty)
        first.holdsApplies = false
        try group.pass(.seconds(1))
        #expect(first.status?.isServing == true)
        return (group, first.store.number)
    }

    @Test func aSwapUndoesNothingThatItHasNotSeen() throws {
        var (group, store) = try regain(
            waiting: .swap("a", "1", "3"), between: .put("a", "2"))
        #expect(group[store].outcomes == [.written(previous: nil), .refused(.noLeader)])
        group[store].send(.get("a"))
        try group.settle()
        #expect(group[store].outcomes.last == .found(RawValue(value: Bytes("2".utf8))))
    }

    @Test func aRangeIsNotCountedBeforeAllOfItIsThere() throws {
        let range = KeyRange(start: Key(utf8: "a"), end: Key(utf8: "z"))
        var (group, store) = try regain(
            waiting: .deleteRange(range, dryRun: false), between: .put("b", "2"))
        #expect(group[store].outcomes == [.written(previous: nil), .refused(.noLeader)])
        group[store].send(.get("b"))
        try group.settle()
        #expect(group[store].outcomes.last == .found(RawValue(value: Bytes("2".utf8))))
    }
}
