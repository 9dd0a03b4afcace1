// Reads that say how fresh they want the data and whose: what a follower answers by itself, what it
// asks its leader for, what it waits for, and what it refuses.
import Base
import Node
import Raft
import Regions
import Testing

@Suite struct RuledReadTests {
    private let key = RawCommand.get(Key(utf8: "k"))

    private static func found(_ text: String) -> RawOutcome {
        .found(RawValue(value: Bytes(text.utf8)))
    }

    private func isTooStale(_ outcome: RawOutcome?) -> Bool {
        if case .refused(.replicaTooStale)? = outcome { true } else { false }
    }

    private func stale(_ milliseconds: UInt32, from version: UInt64 = 0) -> ReadRule {
        ReadRule(replica: .any, ageMillisecondsMax: milliseconds, minVersion: version)
    }

    /// Three stores that have k=1, one that leads and one that follows.
    private func three() throws -> (GroupHost, leader: UInt32, follower: UInt32) {
        var host = try GroupHost(1...3)
        let leader = try #require(host.leader)
        leader.put("k", "1")
        try host.pass(.seconds(1))
        return (host, leader.store.number, host.followers[0].store.number)
    }

    @Test func aFollowerReadsWhatItsLeaderHasCommitted() throws {
        var (host, leader, follower) = try three()
        host[leader].put("k", "2")
        host[follower].send(key, ReadRule(replica: .follower))
        try host.settle()
        // The two met on their way: either order is right, and a second read sees the write.
        host[follower].send(key, ReadRule(replica: .follower))
        try host.settle()
        #expect(host[follower].outcomes.last == Self.found("2"))
        let stamp = try #require(host[follower].stamps.last ?? nil)
        #expect(stamp.role == .follower)
        #expect(stamp.version == host[follower].status?.applied)
        #expect(stamp.ageMilliseconds == nil)
        #expect(host[leader].stamps.last??.version == stamp.version, "the write's is the same")
    }

    @Test func whoIsCutOffAnswersNothingLinearizably() throws {
        var (host, leader, follower) = try three()
        host.cut = [follower]
        host[leader].put("k", "2")
        host[follower].send(key, ReadRule(replica: .any))
        try host.pass(.seconds(5))
        #expect(host[follower].outcomes == [.refused(.noLeader)])
    }

    @Test func aStaleReadIsLocalUntilItsBound() throws {
        var (host, leader, follower) = try three()
        host.cut = [follower]
        host[leader].put("k", "2")
        try host.pass(.seconds(3))
        host[follower].send(key, stale(4_000))
        try host.settle()
        #expect(host[follower].outcomes == [Self.found("1")])
        let age = try #require(host[follower].stamps.last??.ageMilliseconds)
        #expect((3_000...4_000).contains(age), "\(age)")
        try host.pass(.seconds(2))
        host[follower].send(key, stale(4_000))
        try host.pass(.seconds(3))
        #expect(isTooStale(host[follower].outcomes.last))
        host.cut = []
        try host.pass(.seconds(5))
        host[follower].send(key, stale(1_000))
        try host.pass(.seconds(1))
        #expect(host[follower].outcomes.last == Self.found("2"))
    }

    @Test func theLeadersDataIsOfNow() throws {
        var (host, leader, _) = try three()
        host[leader].send(key, stale(1))
        try host.settle()
        #expect(host[leader].outcomes.last == Self.found("1"))
        #expect(host[leader].stamps.last??.ageMilliseconds == 0)
        #expect(host[leader].stamps.last??.role == .leader)
    }

    /// History: while a reader thread counted, the lead went elsewhere, and the answer to who had
    /// asked for the leader said that a follower had served it. (Found by a simulated world.)
    @Test func whoServesIsWhoeverItWasWhenTheDataWasSeen() throws {
        var (host, leader, follower) = try three()
        host[leader].send(.count(.all), ReadRule(replica: .leader))
        try host.settle()
        host[leader].ask(.transfer(to: StoreID(follower)))
        try host.pass(.seconds(1))
        #expect(host[leader].status?.role == .follower)
        #expect(host[leader].outcomes.count == 1, "the reader thread is not done")
        try host[leader].answerReads()
        try host.settle()
        #expect(host[leader].outcomes.last == .counted(1))
        #expect(host[leader].stamps.last??.role == .leader)
    }

    /// Nobody has said anything for a minute, and nobody has to: the read asks.
    @Test func aGroupThatSleepsIsAsked() throws {
        var (host, _, follower) = try three()
        try host.pass(.seconds(60))
        #expect(host[follower].shard.nextDeadline == nil, "it sleeps")
        host[follower].send(key, stale(1_000))
        try host.pass(.seconds(1))
        #expect(host[follower].outcomes == [Self.found("1")])
        let age = try #require(host[follower].stamps.last??.ageMilliseconds)
        #expect(age <= 1_000)
    }

    /// History: after three idle seconds nobody had been heard of for long enough to be taken for
    /// gone, and reads of a follower that came by the leader were refused until somebody wrote.
    @Test func aLeaderThatSleepsKnowsAFollower() throws {
        var (host, leader, _) = try three()
        try host.pass(.seconds(60))
        #expect(host[leader].shard.nextDeadline == nil, "it sleeps")
        host[leader].send(key, ReadRule(replica: .follower))
        try host.settle()
        guard case .refused(.notFollower(let store))? = host[leader].outcomes.last else {
            Issue.record("\(host[leader].outcomes)")
            return
        }
        #expect(host.followers.contains { $0.store == store })
    }

    @Test func aReadWaitsForItsVersion() throws {
        var (host, leader, follower) = try three()
        host.cut = [follower]
        host[leader].put("k", "2")
        try host.pass(.milliseconds(300))
        let version = try #require(host[leader].stamps.last??.version)
        host[follower].send(key, stale(60_000, from: version))
        try host.pass(.milliseconds(300))
        #expect(host[follower].outcomes.isEmpty)
        host.cut = []
        try host.pass(.seconds(3))
        #expect(host[follower].outcomes == [Self.found("2")])
        #expect(try #require(host[follower].stamps.last??.version) >= version)
        #expect(host[follower].shard.heldResource == nil)
    }

    @Test func aVersionThatDoesNotComeEndsWithTheRequest() throws {
        var (host, leader, follower) = try three()
        host.cut = [leader]
        let number = host[follower].send(key, stale(60_000, from: 1 << 40))
        try host.settle()
        host[follower].expire(number)
        try host.settle()
        #expect(isTooStale(host[follower].outcomes.last))
        try host.pass(.seconds(5))
        #expect(host[follower].shard.heldResource == nil)
    }

    @Test func aVersionThatNobodyWasToldIsAMistake() throws {
        var (host, leader, follower) = try three()
        for store in [leader, follower] {
            host[store].send(key, stale(60_000, from: 1 << 40))
            try host.pass(.seconds(1))
            let applied = try #require(host[store].status?.applied)
            #expect(host[store].outcomes.last == .refused(.versionUnknown(at: applied)))
        }
    }

    @Test func aLeaderNamesItsFollowersInTurn() throws {
        var (host, leader, _) = try three()
        for _ in 0..<2 { host[leader].send(key, ReadRule(replica: .follower)) }
        try host.settle()
        let named = host[leader].outcomes.suffix(2).map { outcome -> StoreID? in
            if case .refused(.notFollower(let other)) = outcome { other } else { nil }
        }
        #expect(Set(named) == Set(host.followers.map(\.store)))
        var lone = try GroupHost(1...1)
        lone[1].send(key, ReadRule(replica: .follower))
        try lone.settle()
        #expect(lone[1].outcomes == [.refused(.notFollower(elsewhere: nil))])
    }

    /// History, found by simulation: what a follower has shown its leader did not know yet.
    @Test func aLeaderIsNotBehindItsFollowers() throws {
        var (host, leader, follower) = try three()
        host[leader].holdsApplies = true
        host[leader].put("k", "2")
        try host.pass(.seconds(1))
        host[follower].send(key, ReadRule(replica: .follower))
        try host.settle()
        #expect(host[follower].outcomes.last == Self.found("2"))
        let before = host[leader].outcomes.count
        host[leader].send(key)
        host[leader].send(key, stale(60_000))
        try host.settle()
        // The stale one may look back, and says so; the other one waits.
        #expect(host[leader].outcomes.dropFirst(before) == [Self.found("1")])
        #expect(try #require(host[leader].stamps.last??.ageMilliseconds) > 0)
        host[leader].holdsApplies = false
        try host.settle()
        #expect(host[leader].outcomes.contains(Self.found("2")))
    }

    @Test func whoFollowsIsNoLeader() throws {
        var (host, _, follower) = try three()
        host[follower].send(key, ReadRule(replica: .leader, minVersion: 1))
        try host.settle()
        #expect(host[follower].outcomes == [.refused(.noLeader)])
    }
}
