// A write whose condition failed writes nothing and is therefore a read: a leader that may have a
// successor does not answer it by what it knows.
import Base
import Node
import Regions
import Testing

@Suite struct UnwrittenTests {
    @Test func aFailedConditionIsAnsweredUnderTheLease() throws {
        var group = try GroupHost(1...3)
        let leader = try #require(group.leader)
        leader.put("a", "1")
        leader.put("a", "2", if: .absent)
        try group.settle()
        // The one that is written waits for its entry.
        let tag = Fingerprint(of: Bytes("1".utf8))
        #expect(leader.outcomes == [.written(previous: nil), .conditionFailed(actual: tag)])
    }

    @Test func withoutALeaseAMajorityIsAskedFirst() throws {
        var group = try GroupHost(1...3)
        let leader = try #require(group.leader)
        group.cut = [leader.store.number]
        try group.pass(.milliseconds(800))
        #expect(leader.status?.isServing == true, "it does not know yet that it is alone")
        leader.put("a", "1", if: .present)
        try group.settle()
        #expect(leader.outcomes.isEmpty)
        group.cut = []
        leader.put("b", "1", if: .present)
        try group.settle()
        let failed = RawOutcome.conditionFailed(actual: nil)
        #expect(leader.outcomes == [failed, failed])
    }

    @Test func whoLeadsNoMoreRefusesIt() throws {
        var group = try GroupHost(1...3)
        let leader = try #require(group.leader)
        group.cut = [leader.store.number]
        try group.pass(.milliseconds(800))
        leader.put("a", "1", if: .present)
        try group.pass(.seconds(3))
        #expect(group.leader?.store != leader.store)
        #expect(leader.outcomes == [.refused(.noLeader)])
    }
}
