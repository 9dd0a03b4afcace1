// Changes of a group's members as a shard takes them: who joins, who leaves, who is to lead, and
// what whoever asked is told when it does not come to that.
import Base
import Node
import Raft
import Regions
import Testing

@Suite struct MembershipTests {
    private func voters(_ member: GroupMember?) -> [UInt32] {
        member?.status?.membership.voters.ids.map(\.store.number) ?? []
    }

    @Test func whoJoinsLearnsAndThenVotes() throws {
        var group = try GroupHost(1...3)
        let leader = try #require(group.leader)
        leader.put("a", "1")
        try group.settle()
        group.cut = [4]
        try group.start(4)
        leader.ask(.add(StoreID(4)))
        try group.settle()
        #expect(leader.results == [.done])
        #expect(leader.status?.membership.learners.map(\.store.number) == [4])
        #expect(voters(leader) == [1, 2, 3], "it lacks everything yet")
        group.cut = []
        try group.pass(.seconds(2))
        #expect(voters(leader) == [1, 2, 3, 4])
        #expect(group[4].status?.membership == leader.status?.membership)
        #expect(group[4].status?.applied == leader.status?.last)
        #expect(leader.results == [.done], "nobody asked for the promotion")
    }

    /// Otherwise a group of one would be one of two for a while, where each is indispensable.
    @Test func twoThatAreReadyBecomeVotersTogether() throws {
        var group = try GroupHost(1...1)
        group.cut = [2, 3]
        for number in 2...3 as ClosedRange<UInt32> {
            try group.start(number)
            group[1].ask(.add(StoreID(number)))
            try group.settle()
        }
        #expect(group[1].results == [.done, .done])
        group.cut = []
        try group.pass(.seconds(2))
        for member in group.members { #expect(voters(member) == [1, 2, 3]) }
    }

    // Its writes would be refused for want of space, those of the others need not be.
    @Test func whoHasNoRoomGivesTheLeadAway() throws {
        var group = try GroupHost(1...3)
        let full = try #require(group.leader)
        full.see(free: 0)
        try group.settle()
        let next = try #require(group.leader)
        #expect(next.store != full.store && full.leadsOffered == 1)
        group.cut = [next.store.number]
        try group.pass(.seconds(10))
        let last = try #require(group.leader)
        #expect(last.store != full.store && last.store != next.store, "it stands back")
    }

    @Test func whereNobodyHasRoomTheLeadIsNotPassedRoundAndRound() throws {
        var group = try GroupHost(1...3)
        for _ in 0..<60 {
            for member in group.members { member.see(free: 0) }
            try group.pass(.seconds(1))
        }
        let offers = group.members.map(\.leadsOffered)
        #expect(offers.reduce(0, +) > 0 && offers.allSatisfy { $0 <= 2 }, "\(offers)")
        #expect(group.leader != nil)
    }

    // History: it took all that the leader sent until its log could not be written out any more.
    @Test func whoHasNoRoomTakesNoEntriesUntilItHas() throws {
        var group = try GroupHost(1...3)
        let leader = try #require(group.leader)
        let full = group.followers[0]
        full.see(free: 0)
        try group.settle()
        let last = full.status?.last
        leader.put("a", "1")
        try group.pass(.seconds(5))
        #expect(leader.outcomes == [.written(previous: nil)], "there is another one")
        #expect(full.status?.last == last && full.appendsWithoutRoom > 1)
        full.see(free: 1 << 29)
        try group.pass(.seconds(5))
        #expect(full.status?.applied == leader.status?.last)
    }

    // History: the lead was handed over while a snapshot was on its way; both leaders sent theirs.
    @Test func whoDoesNotLeadWantsNoSnapshotSent() throws {
        var group = try GroupHost(1...2, base: LogPosition(index: 5, term: 0))
        let leader = try #require(group.members.first { $0.status?.role == .leader })
        #expect(leader.store == StoreID(1))
        #expect(leader.snapshots == [ReplicaID(on: StoreID(2))])
        group.cut = [2]
        try group.pass(.seconds(10))
        #expect(leader.status?.role != .leader)
        #expect(leader.snapshots == [])
    }

    @Test func whoIsRemovedIsNotAskedAnyMore() throws {
        var group = try GroupHost(1...3)
        let leader = try #require(group.leader)
        let gone = group.followers[0]
        leader.ask(.remove(gone.store))
        try group.settle()
        #expect(leader.results == [.done])
        #expect(voters(leader) == [1, 2, 3].filter { $0 != gone.store.number })
        // With the other two it goes on without the one that was removed.
        group.cut = [gone.store.number]
        leader.put("a", "1")
        try group.settle()
        #expect(leader.outcomes.count == 1)
        try group.pass(.seconds(10))
        #expect(group.leader === leader, "who was removed disturbs nobody")
    }

    /// It hands over before it goes: nobody has to wait for an election timeout.
    @Test func aLeaderThatIsRemovedHandsOver() throws {
        var group = try GroupHost(1...3)
        let leader = try #require(group.leader)
        leader.ask(.remove(leader.store))
        try group.settle()
        #expect(leader.results == [.done])
        let next = try #require(group.leader)
        #expect(next !== leader)
        #expect(voters(next) == [1, 2, 3].filter { $0 != leader.store.number })
        next.put("a", "1")
        try group.settle()
        #expect(next.outcomes.count == 1)
    }

    @Test func leadershipGoesWhereItIsAskedTo() throws {
        var group = try GroupHost(1...3)
        for target in [1, 2, 3, 1, 3, 2] as [UInt32] {
            let leader = try #require(group.leader)
            guard leader.store != StoreID(target) else { continue }
            let before = leader.results.count
            leader.ask(.transfer(to: StoreID(target)))
            try group.settle()
            #expect(group.leader === group[target])
            #expect(leader.results.count == before + 1 && leader.results.last == .done)
        }
    }

    /// Meanwhile it takes no writes: afterwards it does.
    @Test func aTransferToOneThatLagsTakesItsTimeOrIsOver() throws {
        var group = try GroupHost(1...3)
        let leader = try #require(group.leader)
        let target = group.followers[0]
        group.cut = [target.store.number]
        leader.put("a", "1")
        try group.settle()
        leader.ask(.transfer(to: target.store))
        try group.settle()
        #expect(leader.results.isEmpty)
        try group.pass(.seconds(2))
        #expect(leader.results == [.timedOut])
        #expect(group.leader === leader)
        leader.put("b", "2")
        try group.settle()
        #expect(leader.outcomes.count == 2)
        // Heard of again, it gets what it lacks, and then it leads.
        group.cut = []
        leader.ask(.transfer(to: target.store))
        try group.pass(.seconds(1))
        #expect(leader.results == [.timedOut, .done])
        #expect(group.leader === target)
        #expect(target.status?.applied == target.status?.last)
    }

    @Test func oneChangeAtATime() throws {
        var group = try GroupHost(1...3)
        let leader = try #require(group.leader)
        let others = group.followers.map(\.store)
        leader.ask(.remove(others[0]))
        leader.ask(.remove(others[1]))
        leader.ask(.transfer(to: others[1]))
        try group.settle()
        #expect(leader.results == [.underWay, .underWay, .done])
        #expect(voters(leader).count == 2)
        leader.ask(.remove(others[1]))
        try group.settle()
        #expect(voters(leader) == [leader.store.number])
        leader.put("a", "1")
        try group.settle()
        #expect(leader.outcomes.count == 1)
    }

    /// History: (1) a leader that nobody hears takes a change, (2) another one leads and knows
    /// nothing of it, (3) the first one hears of that. It must not say that it was done, nor keep
    /// others from changes for ever.
    @Test func aChangeThatItsLeaderLosesIsUnknown() throws {
        var group = try GroupHost(1...3)
        let old = try #require(group.leader)
        let others = group.followers.map(\.store)
        group.cut = [old.store.number]
        old.ask(.remove(others[0]))
        try group.settle()
        #expect(old.results.isEmpty)
        try group.pass(.seconds(5))
        let new = try #require(group.leader)
        #expect(new !== old)
        #expect(voters(new) == [1, 2, 3])
        group.cut = []
        try group.pass(.seconds(2))
        #expect(old.results == [.unknown])
        for member in group.members { #expect(voters(member) == [1, 2, 3]) }
        new.ask(.transfer(to: old.store))
        try group.settle()
        old.ask(.remove(new.store))
        try group.settle()
        #expect(old.results == [.unknown, .done])
    }

    @Test func whoDoesNotLeadSaysWhoDoes() throws {
        var group = try GroupHost(1...3)
        let leader = try #require(group.leader)
        let asked = group.followers[0]
        let changes: [GroupChange] = [
            .add(StoreID(9)), .remove(leader.store), .transfer(to: asked.store),
        ]
        for change in changes { asked.ask(change) }
        try group.settle()
        #expect(asked.results == Array(repeating: .notLeader(leader.store), count: 3))
        #expect(voters(leader) == [1, 2, 3])
    }

    @Test func whatLeadsNowhereIsRefusedAndLeavesNothingBehind() throws {
        var group = try GroupHost(1...3)
        let leader = try #require(group.leader)
        try group.start(4)
        group.cut = [4]
        leader.ask(.add(StoreID(4)))
        try group.settle()
        let last = leader.status?.last
        let impossible: [GroupChange] = [
            .add(group.followers[0].store), .add(StoreID(4)), .remove(StoreID(9)),
            .transfer(to: StoreID(9)), .transfer(to: StoreID(4)),
        ]
        for change in impossible {
            leader.ask(change)
            try group.settle()
            guard case .impossible? = leader.results.last else {
                Issue.record("\(change): \(String(describing: leader.results.last))")
                continue
            }
        }
        #expect(leader.results.count == 1 + impossible.count)
        #expect(leader.status?.last == last)
        leader.ask(.remove(StoreID(4)))
        try group.settle()
        #expect(leader.results.last == .done)
    }

    @Test func whoLeadsAlreadyHasNothingToTakeOver() throws {
        var group = try GroupHost(1...3)
        let leader = try #require(group.leader)
        let last = leader.status?.last
        leader.ask(.transfer(to: leader.store))
        try group.settle()
        #expect(leader.results == [.done])
        #expect(leader.status?.last == last)
        #expect(group.leader?.store == leader.store)
    }

    // It lets the one that has most lead, and what it is asked again is done already.
    @Test func whoYieldsLeadsNoMore() throws {
        var group = try GroupHost(1...3)
        let leader = try #require(group.leader)
        leader.ask(.yield)
        try group.settle()
        #expect(leader.results == [.done])
        #expect(group.leader != nil)
        #expect(group.leader?.store != leader.store)
        leader.ask(.yield)
        try group.settle()
        #expect(leader.results == [.done, .done])
    }

    @Test func whoIsAloneHasNobodyToYieldTo() throws {
        var group = try GroupHost(1...1)
        let leader = try #require(group.leader)
        leader.ask(.yield)
        try group.settle()
        #expect(leader.results == [.done])
        #expect(group.leader?.store == leader.store)
    }

    @Test func theLastVoterCannotBeRemoved() throws {
        var group = try GroupHost(1...1)
        group[1].ask(.remove(StoreID(1)))
        try group.settle()
        guard case .impossible? = group[1].results.first else {
            Issue.record("\(group[1].results)")
            return
        }
        group[1].put("a", "1")
        try group.settle()
        #expect(group[1].outcomes.count == 1)
    }

    /// History: a drain that was refused left a leader behind that gave way to every candidate.
    @Test func whoCannotYieldGoesOnAsBefore() throws {
        var group = try GroupHost(1...3)
        let leader = try #require(group.leader)
        group.cut = Set(group.followers.map(\.store.number))
        leader.ask(.remove(group.followers[0].store))
        try group.settle()
        leader.ask(.yield)
        try group.settle()
        #expect(leader.results == [.underWay])
        #expect(leader.status?.hasYielded == false)
        group.cut = []
        try group.pass(.seconds(2))
        #expect(leader.results == [.underWay, .done])
        leader.ask(.yield)
        try group.settle()
        #expect(leader.results.last == .done)
        #expect(leader.status?.hasYielded == true)
    }

    @Test func aYieldThatTookTooLongIsUndone() throws {
        var group = try GroupHost(1...3)
        let leader = try #require(group.leader)
        group.cut = [group.followers[0].store.number]
        leader.put("a", "1")
        try group.settle()
        leader.ask(.transfer(to: group.followers[0].store))
        leader.ask(.yield)
        try group.pass(.seconds(2))
        #expect(leader.results == [.underWay, .timedOut])
        #expect(leader.status?.hasYielded == false)
    }

    /// Else the number of a store that was removed could be given to another.
    @Test func nobodyJoinsWhoseNumberIsNotWrittenDown() throws {
        var settings = RaftSettings()
        settings.uncommittedBytes = 1
        var group = try GroupHost(1...3, settings: settings)
        let leader = try #require(group.leader)
        group.cut = Set(group.followers.map(\.store.number))
        leader.put("a", "1")
        try group.settle()
        let last = leader.status?.last
        leader.ask(.add(StoreID(4)), keeping: StoreTable())
        try group.settle()
        #expect(leader.results == [.overloaded])
        #expect(leader.status?.last == last)
        group.cut = []
        try group.pass(.seconds(2))
        leader.ask(.add(StoreID(4)), keeping: StoreTable())
        try group.settle()
        #expect(leader.results.last == .done)
    }
}
