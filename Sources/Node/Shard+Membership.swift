/// Changes of a group's members, as a leader takes them: one at a time.
///
/// A new replica begins as a learner; any leader makes it a voter once it has caught up, so that an
/// election in between leaves nothing half done. A store that was removed comes back under a new
/// name: its replica's id is spent.
internal import Base
internal import Raft
package import Regions
internal import Storage

package enum GroupChange: Hashable, Sendable {
    /// A replica on that store, which begins as a learner.
    case add(StoreID)
    case remove(StoreID)
    /// Let the replica there lead.
    case transfer(to: StoreID)
    /// Let whichever other has most lead, and lead no more while another can. Of a replica that
    /// does not lead, or has nobody beside it, it is done at once.
    case yield
}

package struct GroupChangeID: Hashable, Sendable {
    package var number: UInt64
    package init(_ number: UInt64) { self.number = number }
}

/// What became of a change. Of a transfer `done` says that this store leads no longer, or is the
/// one that was to lead.
package enum GroupChangeResult: Hashable, Sendable {
    case done
    /// Ask that store, if it is known. Nothing was done.
    case notLeader(StoreID?)
    /// Another one is not over. Nothing was done.
    case underWay
    /// The log takes no more just now. Nothing was done.
    case overloaded
    /// It leads to no membership, or to nobody. Nothing was done.
    case impossible(String)
    /// A transfer whose target did not get so far in time.
    case timedOut
    /// This replica lost its leadership meanwhile.
    case unknown
}

/// The change that a leader has in hand.
struct ChangeUnderWay: Sendable {
    /// nil: nobody asked for it.
    var id: GroupChangeID?
    var action: Action
    /// The shards of other cores have to know first that the group will be more than one replica.
    var waitsForReaders: Bool
    /// To be in the log before it, so that no number is given twice.
    var table: StoreTable?
    /// Once it is done this store leads no more while another can.
    var yields = false

    enum Action: Sendable {
        case membership([MembershipChange])
        case transfer(ReplicaID)
    }
}

extension Shard {
    /// No slab of writes ever gets so far.
    private static let proposal = ProposalID(.max)

    mutating func change(
        _ id: GroupChangeID, _ change: GroupChange, keeping table: StoreTable?, at now: Now,
        into effects: inout Effects
    ) {
        guard let replica, isServing else {
            let isDone = change == .yield && replica?.raft.role != .leader
            if isDone { standBackForGood(at: now, into: &effects) }
            effects.append(.changed(id, isDone ? .done : .notLeader(leader?.store)))
            return
        }
        guard changeUnderWay == nil else {
            effects.append(.changed(id, .underWay))
            return
        }
        let members = replica.raft.membership.everyone
        switch change {
        case .add(let store):
            // Of a voter it would take the vote.
            guard !members.contains(where: { $0.store == store }) else {
                effects.append(.changed(id, .impossible("store \(store) has a replica already")))
                return
            }
            let addition = MembershipChange.addLearner(ReplicaID(on: store))
            begin(id, .membership([addition]), keeping: table, at: now, into: &effects)
        case .remove(let store):
            guard let member = members.first(where: { $0.store == store }) else {
                effects.append(.changed(id, .impossible("store \(store) has no replica")))
                return
            }
            begin(id, .membership([.remove(member)]), keeping: table, at: now, into: &effects)
        case .transfer(let store):
            guard let member = members.first(where: { $0.store == store }) else {
                effects.append(.changed(id, .impossible("store \(store) has no replica")))
                return
            }
            guard member != replica.raft.id else {
                effects.append(.changed(id, .done))
                return
            }
            begin(id, .transfer(member), at: now, into: &effects)
        case .yield:
            let others = members.filter { $0 != replica.raft.id }
            guard others.contains(where: { replica.raft.membership.isVoter($0) }) else {
                // There is nobody to leave it to.
                effects.append(.changed(id, .done))
                return
            }
            guard let heir = heir(of: replica.raft, at: now) else {
                effects.append(.changed(id, .impossible("no other store can lead just now")))
                return
            }
            begin(id, .transfer(heir.id), yields: true, at: now, into: &effects)
        }
    }

    /// The voter that has most: of those that were heard lately, for one that has just gone had all
    /// of it too; in a group that sleeps, of all.
    func heir(of raft: borrowing RaftGroup, at now: Now) -> Progress? {
        let lately = raft.settings.heartbeatInterval * 2
        let heirs = raft.followers.filter {
            raft.membership.isVoter($0.id) && $0.state == .replicating
        }
        let heard = heirs.filter { now.instant < $0.heardAt + lately }
        return (heard.isEmpty ? heirs : heard).max { ($0.match, $1.id) < ($1.match, $0.id) }
    }

    mutating func begin(
        _ id: GroupChangeID?, _ action: ChangeUnderWay.Action, keeping table: StoreTable? = nil,
        yields: Bool = false, at now: Now, into effects: inout Effects
    ) {
        changeUnderWay = ChangeUnderWay(
            id: id, action: action, waitsForReaders: true, table: table, yields: yields)
        noteLeader(into: &effects)
        goOnWithChange(at: now, into: &effects)
    }

    /// Once no shard of another core reads without asking.
    mutating func goOnWithChange(at now: Now, into effects: inout Effects) {
        guard let change = changeUnderWay, change.waitsForReaders, readers.haveSeen else { return }
        changeUnderWay?.waitsForReaders = false
        if let table = change.table, !keeps(table, at: now, into: &effects) {
            return finishChange(.overloaded, at: now, into: &effects)
        }
        switch change.action {
        case .membership(let changes):
            stepReplica(.changeMembership(Self.proposal, changes), at: now, into: &effects)
        case .transfer(let target):
            stepReplica(.transferLeadership(to: target), at: now, into: &effects)
        }
    }

    /// False if the proposal is one of writes.
    mutating func settleChange(
        _ id: ProposalID, _ fate: ProposalFate, at now: Now, into effects: inout Effects
    ) -> Bool {
        guard id == Self.proposal else { return false }
        switch fate {
        case .applied: finishChange(.done, at: now, into: &effects)
        case .superseded, .unknown: finishChange(.unknown, at: now, into: &effects)
        case .refused(.notLeader(let leader)):
            finishChange(.notLeader(leader?.store), at: now, into: &effects)
        case .refused(.membership(let error)):
            finishChange(.impossible("\(error)"), at: now, into: &effects)
        case .refused: finishChange(.underWay, at: now, into: &effects)
        }
        return true
    }

    mutating func transferFailed(
        _ refusal: RaftRefusal, at now: Now, into effects: inout Effects
    ) {
        switch refusal {
        case .timedOut: finishChange(.timedOut, at: now, into: &effects)
        case .notLeader(let leader):
            finishChange(.notLeader(leader?.store), at: now, into: &effects)
        case .noTransferTarget:
            finishChange(.impossible("that replica is no voter"), at: now, into: &effects)
        default: finishChange(.underWay, at: now, into: &effects)
        }
    }

    /// The replica has another role: a transfer is over, and so is what had not begun. What is in
    /// the log is settled there.
    mutating func leadershipEnded(at now: Now, into effects: inout Effects) {
        if sendsSnapshots, let group = replica?.group {
            sendsSnapshots = false
            effects.append(.stopSnapshots(group))
        }
        guard let change = changeUnderWay else { return }
        if case .transfer = change.action {
            finishChange(.done, at: now, into: &effects)
        } else if change.waitsForReaders {
            finishChange(.notLeader(nil), at: now, into: &effects)
        }
    }

    private mutating func standBackForGood(at now: Now, into effects: inout Effects) {
        standingBack.isDrained = true
        tellGateways(.drained, into: &effects)
        stepReplica(.setPriority(standingBack.priority), at: now, into: &effects)
    }

    private mutating func finishChange(
        _ result: GroupChangeResult, at now: Now, into effects: inout Effects
    ) {
        guard let change = changeUnderWay else { return }
        changeUnderWay = nil
        if change.yields, result == .done {
            standBackForGood(at: now, into: &effects)
        }
        if let id = change.id { effects.append(.changed(id, result)) }
    }

    /// In the group's data, where every store finds it. Nobody waits: the change behind it in the
    /// log tells that it is there. False if it is not in the log.
    private mutating func keeps(
        _ table: StoreTable, at now: Now, into effects: inout Effects
    ) -> Bool {
        guard isServing, failure == nil else { return false }
        // What came before in this turn is a proposal of its own, and its fate as well.
        proposeTurn(at: now, into: &effects)
        turnBatch.put(.meta, StoreTable.key, table.encoded)
        guard let proposal = proposeTurn(at: now, into: &effects) else { return false }
        return proposals[proposal] != nil
    }

    /// Learners that have nearly everything become voters, all of them at once: a group of two
    /// voters is worth less than either one or three.
    mutating func promoteLearners(at now: Now, into effects: inout Effects) {
        guard isServing, changeUnderWay == nil, replica?.standing.hasLearners == true, let replica,
            !replica.raft.membership.isJoint
        else { return }
        let enough = replica.raft.trail.lastIndex
        let learners = replica.raft.membership.learners
        let ready = replica.raft.followers.filter {
            learners.contains($0.id) && $0.state == .replicating
                && $0.match + Limits.entriesLackingOfVoter >= enough
        }
        guard !ready.isEmpty else { return }
        begin(nil, .membership(ready.map { .addVoter($0.id) }), at: now, into: &effects)
    }
}
