// What becomes of the changes of stores that are asked of one store: by events alone.

import API
import Base
import Node
import Raft
import Regions
import Testing

struct StoreChangesTests {
    private var changes = StoreChanges()
    private var now = Instant.origin

    private typealias Asker = StoreChanges.Asker

    private static func view(
        _ voters: [UInt32], learners: [UInt32] = [], next: UInt32 = 2, leads: Bool = true
    ) throws -> StoreChanges.View {
        let group = try GroupHost(1...3)
        let leader = try #require(group.leader)
        var status = try #require(leader.status)
        status.replica = ReplicaID(on: StoreID(1))
        status.leader = ReplicaID(on: StoreID(leads ? 1 : 2))
        status.role = leads ? .leader : .follower
        status.isServing = leads
        status.membership = Membership(
            voters: voters.map { ReplicaID(on: StoreID($0)) },
            learners: learners.map { ReplicaID(on: StoreID($0)) })
        var table = StoreTable()
        table.next = next
        return StoreChanges.View(
            own: StoreID(1), ownAddress: "http://one", status: status, table: table,
            addresses: [StoreID(2): "http://two"])
    }

    private static func asker(_ token: ScrapeToken) -> Asker { Asker(core: 0, token: token) }

    private mutating func step(_ event: StoreChanges.Event) -> [StoreChanges.Effect] {
        var effects: [StoreChanges.Effect] = []
        changes.step(event, at: now, into: &effects)
        return effects
    }

    private mutating func expect(_ event: StoreChanges.Event, makes wanted: [StoreChanges.Effect]) {
        let effects = step(event)
        #expect(effects == wanted)
    }

    private static func refusal(_ effects: [StoreChanges.Effect]) -> Problem? {
        guard effects.count == 1, case .refused(_, let problem) = effects[0] else { return nil }
        return problem
    }

    private static func id(_ effects: [StoreChanges.Effect]) throws -> GroupChangeID {
        let ids = effects.compactMap { effect -> GroupChangeID? in
            if case .change(_, let id, _, _) = effect { id } else { nil }
        }
        return try #require(ids.count == 1 ? ids[0] : nil)
    }

    /// History: a drain took the place of a join in hand, whose caller was never answered.
    @Test mutating func aDrainLeavesTheJoinInHandAlone() throws {
        let view = try Self.view([1, 2])
        let asked = StoreChanges.Change.join(address: "http://x", nonce: nil)
        let join = try Self.id(step(.asked(asked, Self.asker(1), view)))
        let drain = step(.asked(.drain(StoreID(1)), Self.asker(2), view))
        let problem = try #require(Self.refusal(drain))
        #expect(problem.code == .changeInProgress)
        #expect(problem.retryAfter == 1)
        expect(.told(join, .done), makes: [.done(Self.asker(1), about: StoreID(3))])
        _ = try Self.id(step(.asked(.drain(StoreID(1)), Self.asker(3), view)))
    }

    @Test mutating func aNewStoreGetsANumberThatNobodyHad() throws {
        for (next, number) in [(2, 8), (8, 8), (9, 9)] as [(UInt32, UInt32)] {
            changes = StoreChanges()
            let view = try Self.view([1, 2], learners: [7], next: next)
            let join = StoreChanges.Change.join(address: "http://x", nonce: nil)
            let effects = step(.asked(join, Self.asker(1), view))
            guard effects.count == 2,
                case .learn(StoreID(number), address: "http://x") = effects[0],
                case .change(_, _, .add(StoreID(number)), let table?) = effects[1]
            else {
                Issue.record("\(effects)")
                continue
            }
            #expect(table.next == number + 1)
            #expect(table[StoreID(number)] == "http://x")
            #expect(table[StoreID(1)] == "http://one")
        }
    }

    /// History: a joiner died before it had written down who it was; after two of those nobody
    /// could join any more.
    @Test mutating func whoAsksAgainGetsTheSameNumber() throws {
        let join = StoreChanges.Change.join(address: "http://x", nonce: "n")
        var view = try Self.view([1, 2])
        let effects = step(.asked(join, Self.asker(1), view))
        guard case .change(_, let id, .add(StoreID(3)), let table?) = effects.last else {
            Issue.record("\(effects)")
            return
        }
        _ = step(.told(id, .done))
        view = try Self.view([1, 2], learners: [3])
        view.table = table
        let again = step(.asked(join, Self.asker(2), view))
        #expect(
            again == [
                .learn(StoreID(3), address: "http://x"), .done(Self.asker(2), about: StoreID(3)),
            ])
        // It has a directory that says who it is, so this is another one.
        var called = view
        called.called = [StoreID(3)]
        var voting = try Self.view([1, 2, 3])
        voting.table = table
        var removed = try Self.view([1, 2])
        removed.table = table
        var stranger = view
        stranger.table[StoreID(3)] = nil
        for view in [called, voting, removed, stranger] {
            changes = StoreChanges()
            let effects = step(.asked(join, Self.asker(1), view))
            guard case .change(_, _, .add(StoreID(4)), _) = effects.last else {
                Issue.record("\(view)")
                continue
            }
        }
    }

    @Test mutating func whatCannotBeginSaysWhyAndLeavesNothing() throws {
        let join = StoreChanges.Change.join(address: "http://x", nonce: nil)
        let three = try Self.view([1, 2, 3])
        let other = try Self.view([1, 2, 3], leads: false)
        let cases: [(StoreChanges.Change, StoreChanges.View, ProblemCode, String)] = [
            (join, other, .noLeader, "Store 2 leads at http://two"),
            (.remove(StoreID(3)), other, .noLeader, "Store 2 leads at http://two"),
            (.remove(StoreID(9)), three, .storeNotFound, "Store 9"),
            (.remove(StoreID(1)), three, .storeLeads, "martlet transfer-leader 2"),
            (.remove(StoreID(1)), try Self.view([1]), .membershipConflict, "Store 1 is all"),
            (.drain(StoreID(99)), three, .storeNotFound, "Store 99"),
            (.drain(StoreID(2)), three, .membershipConflict, "ask store 2, at http://two"),
            (.transfer(region: 2, to: StoreID(2)), three, .regionNotFound, "region 2"),
            (.transfer(region: 1, to: StoreID(9)), three, .storeNotFound, "Store 9"),
            (join, try Self.view([1], learners: [5, 6]), .storesJoining, "Stores 5 and 6"),
        ]
        for (change, view, code, words) in cases {
            let answer = step(.asked(change, Self.asker(1), view))
            let problem = try #require(Self.refusal(answer), "\(change)")
            #expect(problem.code == code, "\(change)")
            #expect(problem.detail.contains(words), "\(problem.detail)")
        }
        _ = try Self.id(step(.asked(.remove(StoreID(3)), Self.asker(2), three)))
    }

    @Test mutating func eachWordOfTheShardHasItsAnswer() throws {
        let cases: [(GroupChangeResult, ProblemCode)] = [
            (.notLeader(StoreID(2)), .noLeader), (.notLeader(nil), .noLeader),
            (.underWay, .changeInProgress), (.overloaded, .overloaded),
            (.impossible("so"), .membershipConflict), (.timedOut, .deadlineExceeded),
            (.unknown, .outcomeUnknown),
        ]
        let view = try Self.view([1, 2, 3])
        for (result, code) in cases {
            let change = try Self.id(step(.asked(.remove(StoreID(3)), Self.asker(4), view)))
            let answered = step(.told(change, result))
            #expect(Self.refusal(answered)?.code == code)
            // Twice said, once answered.
            expect(.told(change, result), makes: [])
        }
    }

    /// What is in the way of the node's end is waited for, and not for ever; changes go on beside.
    @Test mutating func theEndAsksAgainAndNotForEver() throws {
        let view = try Self.view([1, 2, 3])
        let other = try Self.id(step(.asked(.remove(StoreID(3)), Self.asker(1), view)))
        let yield = try Self.id(step(.ends(view.status)))
        expect(.told(yield, .underWay), makes: [])
        expect(
            .told(other, .done),
            makes: [.forget(StoreID(3)), .done(Self.asker(1), about: StoreID(1))])
        now = try #require(changes.nextDeadline)
        let asked = try Self.id(step(.deadlineReached))
        #expect(asked == yield)
        expect(.told(yield, .timedOut), makes: [])
        now = now + Limits.leaderYields
        expect(.deadlineReached, makes: [.yielded])
        #expect(changes.nextDeadline == nil)
        expect(.told(yield, .done), makes: [])
        let again = try Self.id(step(.ends(view.status)))
        expect(.told(again, .done), makes: [.yielded])
    }

    @Test mutating func whoLeadsNothingEndsAtOnce() throws {
        for view in [try Self.view([1, 2], leads: false), try Self.view([1])] {
            expect(.ends(view.status), makes: [.yielded])
        }
    }
}
