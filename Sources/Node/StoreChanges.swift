/// The changes of the stores that are asked of this one: which may begin, what number a new store
/// gets, and who waits for what became of each.
///
/// One change at a time is asked of the shard; a second one is told to come again. Who asked may
/// have gone by the time the shard answers: that answer goes nowhere, and the change is over all
/// the same. The node's own end is beside those: it lets another store lead, and asks again for as
/// long as something is in the way that passes.
package import API
package import Base
internal import Raft
package import Regions

package struct StoreChanges: Sendable {
    /// Who waits for the answer.
    package struct Asker: Hashable, Sendable {
        package var core: Int
        package var token: ScrapeToken

        package init(core: Int, token: ScrapeToken) {
            self.core = core
            self.token = token
        }
    }

    /// How things stand when something is asked.
    package struct View: Sendable {
        package var own: StoreID
        package var ownAddress: String?
        package var status: GroupStatus
        package var table: StoreTable
        /// Where members are, as far as it is known.
        package var addresses: [StoreID: String]
        /// Those that have called since this one started: they know who they are.
        package var called: Set<StoreID>

        package init(
            own: StoreID, ownAddress: String?, status: GroupStatus, table: StoreTable,
            addresses: [StoreID: String], called: Set<StoreID> = []
        ) {
            self.own = own
            self.ownAddress = ownAddress
            self.status = status
            self.table = table
            self.addresses = addresses
            self.called = called
        }
    }

    package enum Change: Hashable, Sendable {
        case join(address: String, nonce: String?)
        case remove(StoreID)
        case drain(StoreID)
        case transfer(region: UInt64, to: StoreID)
    }

    package enum Event: Sendable {
        case asked(Change, Asker, View)
        /// The shard's word.
        case told(GroupChangeID, GroupChangeResult)
        /// The node ends.
        case ends(GroupStatus)
        case deadlineReached
    }

    package enum Effect: Hashable, Sendable {
        /// Ask the shard. The table is to be written down before it.
        case change(GroupID, GroupChangeID, GroupChange, StoreTable?)
        case learn(StoreID, address: String)
        /// It has been removed.
        case forget(StoreID)
        /// `about`: the store that the answer is about; nil: the region.
        case done(Asker, about: StoreID?)
        case refused(Asker, Problem)
        /// Nothing is left to be done before the end.
        case yielded
    }

    private struct Waiting: Sendable {
        var asker: Asker
        var store: StoreID?
        var removes: StoreID?
        var own: StoreID
        var addresses: [StoreID: String]
    }

    private struct Yield: Sendable {
        var id: GroupChangeID
        var group: GroupID
        var until: Instant
        /// nil while the shard has it.
        var again: Instant?
    }

    private var lastID: UInt64 = 0
    private var waiting: [GroupChangeID: Waiting] = [:]
    private var yield: Yield?

    /// What is in the way of a yield ends soon: another change, or that nobody else can lead yet.
    private static let yieldsAgain = Duration.milliseconds(50)

    package init() {}

    package var nextDeadline: Instant? { yield.map { min($0.until, $0.again ?? $0.until) } }

    package mutating func step(
        _ event: Event, at now: Instant, into effects: inout [Effect]
    ) {
        switch event {
        case .asked(let change, let asker, let view):
            do throws(Problem) {
                try begin(change, asker, view, into: &effects)
            } catch {
                effects.append(.refused(asker, error))
            }
        case .told(let id, let result): told(id, result, at: now, into: &effects)
        case .ends(let status): end(status, at: now, into: &effects)
        case .deadlineReached: yieldAgain(at: now, into: &effects)
        }
    }

    // MARK: What may begin

    private mutating func begin(
        _ change: Change, _ asker: Asker, _ view: View, into effects: inout [Effect]
    ) throws(Problem) {
        switch change {
        case .join(let address, let nonce):
            try mayChange(view)
            if let store = known(nonce, view) {
                effects += [.learn(store, address: address), .done(asker, about: store)]
                return
            }
            try mayJoin(view.status)
            let greatest = view.status.membership.everyone.map(\.store.number).max() ?? 0
            let store = StoreID(max(view.table.next, greatest + 1))
            var table = view.table
            table.next = store.number + 1
            table[view.own] = view.ownAddress
            table.add(store, at: address, nonce: nonce)
            effects.append(.learn(store, address: address))
            ask(.add(store), table, about: store, for: asker, view, into: &effects)
        case .remove(let store):
            try mayChange(view)
            try mustBeMember(store, view)
            guard store != view.own else { throw Self.removesItself(view) }
            var table = view.table
            table[store] = nil
            ask(.remove(store), table, about: view.own, for: asker, view, into: &effects)
        case .drain(let store):
            try mustBeMember(store, view)
            guard store == view.own else {
                let place = view.addresses[store].map { ", at \($0)" } ?? ""
                throw Problem(
                    .membershipConflict,
                    "A store yields by itself: ask store \(store)\(place).")
            }
            try mustBeAlone()
            ask(.yield, nil, about: view.own, for: asker, view, into: &effects)
        case .transfer(let region, let store):
            guard region == view.status.group.number else {
                throw Problem(.regionNotFound, "There is no region \(region).")
            }
            try mayChange(view)
            try mustBeMember(store, view)
            ask(.transfer(to: store), nil, about: nil, for: asker, view, into: &effects)
        }
    }

    /// The number that was given to who asks again. Not of one that votes, nor of one that has
    /// called: that one has a directory that says who it is, and who asks has none.
    private func known(_ nonce: String?, _ view: View) -> StoreID? {
        guard let nonce, let store = view.table.store(withNonce: nonce),
            view.status.membership.learners.contains(where: { $0.store == store }),
            !view.called.contains(store)
        else { return nil }
        return store
    }

    private mutating func ask(
        _ change: GroupChange, _ table: StoreTable?, about store: StoreID?, for asker: Asker,
        _ view: View, into effects: inout [Effect]
    ) {
        let id = nextID()
        var removes: StoreID?
        if case .remove(let store) = change { removes = store }
        waiting[id] = Waiting(
            asker: asker, store: store, removes: removes, own: view.own, addresses: view.addresses)
        effects.append(.change(view.status.group, id, change, table))
    }

    private mutating func nextID() -> GroupChangeID {
        lastID += 1
        return GroupChangeID(lastID)
    }

    private func mayChange(_ view: View) throws(Problem) {
        guard view.status.isServing else {
            throw Self.elsewhere(view.status.leader?.store, view.own, view.addresses)
        }
        try mustBeAlone()
    }

    private func mustBeAlone() throws(Problem) {
        guard waiting.isEmpty else { throw Self.inProgress }
    }

    private func mustBeMember(_ store: StoreID, _ view: View) throws(Problem) {
        guard view.status.membership.everyone.contains(where: { $0.store == store }) else {
            throw Problem(.storeNotFound, "Store \(store) is not one of the cluster's.")
        }
    }

    private func mayJoin(_ status: GroupStatus) throws(Problem) {
        let learners = status.membership.learners.map(\.store.number).sorted()
        guard learners.count >= Limits.storesJoining else { return }
        let names = learners.map(String.init).joined(separator: " and ")
        throw Problem(
            .storesJoining,
            "Stores \(names) have joined and lack entries yet. Start them, or remove those that "
                + "never will (DELETE /v1/stores/\(learners[0])).")
    }

    // MARK: What became of it

    private mutating func told(
        _ id: GroupChangeID, _ result: GroupChangeResult, at now: Instant,
        into effects: inout [Effect]
    ) {
        if yield?.id == id { return yielded(result, at: now, into: &effects) }
        guard let change = waiting.removeValue(forKey: id) else { return }
        if let problem = Self.problem(result, change) {
            effects.append(.refused(change.asker, problem))
        } else {
            if let store = change.removes { effects.append(.forget(store)) }
            effects.append(.done(change.asker, about: change.store))
        }
    }

    /// nil if it was done.
    private static func problem(_ result: GroupChangeResult, _ change: Waiting) -> Problem? {
        switch result {
        case .done: nil
        case .notLeader(let leader): elsewhere(leader, change.own, change.addresses)
        case .underWay: inProgress
        case .overloaded:
            Problem(
                .overloaded, "Too much waits to be written already. Nothing was done.",
                retryAfter: 1)
        case .impossible(let reason):
            Problem(.membershipConflict, "The stores cannot change so: \(reason).")
        case .timedOut:
            Problem(
                .deadlineExceeded, "The other store did not get so far in time.", retryAfter: 1)
        case .unknown:
            Problem(
                .outcomeUnknown, "This store lost its lead meanwhile; GET /v1/stores tells.")
        }
    }

    private static let inProgress = Problem(
        .changeInProgress, "Another change of the stores is not over yet. Nothing was done.",
        retryAfter: 1)

    private static func elsewhere(
        _ leader: StoreID?, _ own: StoreID?, _ addresses: [StoreID: String]
    ) -> Problem {
        guard let leader, leader != own else {
            return Problem(.noLeader, "No store leads just now.", retryAfter: 1)
        }
        let place = addresses[leader].map { " at \($0)" } ?? ""
        return Problem(.noLeader, "Store \(leader) leads\(place); ask it.", retryAfter: 1)
    }

    private static func removesItself(_ view: View) -> Problem {
        let membership = view.status.membership
        let heir = membership.everyone.filter { $0.store != view.own && membership.isVoter($0) }
            .map(\.store.number).min()
        guard let heir else {
            return Problem(
                .membershipConflict,
                "Store \(view.own) is all that can lead here, and cannot be removed.")
        }
        return Problem(
            .storeLeads,
            "Store \(view.own) leads, and a leader does not remove itself. Let another lead first: "
                + "martlet transfer-leader \(heir), or POST "
                + "/v1/regions/\(view.status.group.number)/transfer-leader with "
                + "{\"store_id\":\"\(heir)\"}.")
    }

    // MARK: Before the end

    private mutating func end(
        _ status: GroupStatus, at now: Instant, into effects: inout [Effect]
    ) {
        guard status.role == .leader,
            status.membership.everyone.contains(where: {
                $0 != status.replica && status.membership.isVoter($0)
            })
        else {
            effects.append(.yielded)
            return
        }
        let id = nextID()
        yield = Yield(id: id, group: status.group, until: now + Limits.leaderYields)
        effects.append(.change(status.group, id, .yield, nil))
    }

    private mutating func yielded(
        _ result: GroupChangeResult, at now: Instant, into effects: inout [Effect]
    ) {
        switch result {
        case .underWay, .overloaded, .timedOut, .impossible:
            yield?.again = now + Self.yieldsAgain
        case .done, .notLeader, .unknown:
            yield = nil
            effects.append(.yielded)
        }
    }

    private mutating func yieldAgain(at now: Instant, into effects: inout [Effect]) {
        guard let yield else { return }
        if yield.until <= now {
            self.yield = nil
            effects.append(.yielded)
        } else if let again = yield.again, again <= now {
            self.yield?.again = nil
            effects.append(.change(yield.group, yield.id, .yield, nil))
        }
    }
}
