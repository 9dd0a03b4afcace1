/// Changes of the membership, and what follows from one (Raft §6, thesis §4).
///
/// One change at a time, and none before the leader has committed an entry of its own term: two
/// leaders that each change one voter could otherwise commit with majorities that do not overlap
/// (Ongaro on raft-dev, 2015; reliability.md row 28).
internal import Base

extension RaftGroup {
    mutating func change(
        _ proposal: ProposalID, _ changes: [MembershipChange], at now: Instant,
        into effects: inout RaftEffects
    ) {
        wake(at: now, into: &effects)
        do throws(RaftRefusal) {
            let next = try membership(after: changes)
            appendOwn(.membership(next))
            effects.append(.accepted(proposal, trail.last))
            followMembership(at: now)
        } catch {
            effects.append(.refused(proposal, error))
        }
    }

    private func membership(after changes: [MembershipChange]) throws(RaftRefusal) -> Membership {
        guard let leadership else { throw .notLeader(leader) }
        if let transfer = leadership.transfer { throw .transferring(to: transfer.target) }
        let isDone = commit >= leadership.firstIndex && commit >= trail.membershipIndex
        guard isDone || settings.mutations.has(.changesEarly) else {
            throw .changeUnderWay
        }
        do throws(MembershipError) {
            return try membership.applying(changes)
        } catch {
            throw .membership(error)
        }
    }

    /// Makes the replica's part fit the membership at the end of its log.
    mutating func followMembership(at now: Instant) {
        guard leadership != nil else {
            if !mayCampaign {
                electionDeadline = nil
            } else if electionDeadline == nil, !isAsleep {
                electionDeadline = now + patience
            }
            return
        }
        let window = SendWindow(
            entryLimit: settings.windowEntries, byteLimit: settings.windowBytes)
        let next = max(trail.first, leadership!.firstIndex)
        leadership!.followers = membership.everyone.filter { $0 != id }.map { member in
            leadership!.progress(of: member)
                ?? Progress(id: member, next: next, window: window, at: now)
        }
        leadership!.isBroadcastDue = true
    }

    /// A joint membership is left as soon as it is committed, by whoever leads then; the entry that
    /// does so is in the log at once, so it is not made twice (reliability.md row 30).
    mutating func membershipCommitted(at now: Instant, into effects: inout RaftEffects) {
        guard commit >= trail.membershipIndex else { return }
        if membership.isJoint {
            appendOwn(.membership(membership.left))
            followMembership(at: now)
        } else if !membership.isVoter(id) {
            resign(at: now, into: &effects)
        }
    }

    /// The leader is no voter any more: tells the others what is committed, and the one that has
    /// most to take over.
    private mutating func resign(at now: Instant, into effects: inout RaftEffects) {
        leadership!.isBroadcastDue = true
        broadcast(at: now, into: &effects)
        let heirs = followers.filter { membership.isVoter($0.id) }
        if let heir = heirs.max(by: { ($0.match, $1.id) < ($1.match, $0.id) }) {
            send(.timeoutNow, to: heir.id, into: &effects)
        }
        becomeFollower(of: nil, in: term, at: now, into: &effects)
    }

    // MARK: Handing over

    mutating func transfer(
        to target: ReplicaID, at now: Instant, into effects: inout RaftEffects
    ) {
        wake(at: now, into: &effects)
        guard leadership != nil else {
            effects.append(.transferFailed(to: target, .notLeader(leader)))
            return
        }
        guard target != id, membership.isVoter(target) else {
            effects.append(.transferFailed(to: target, .noTransferTarget))
            return
        }
        if let under = leadership!.transfer {
            guard under.target != target else { return }
            effects.append(.transferFailed(to: under.target, .transferring(to: target)))
        }
        leadership!.transfer = Leadership.Transfer(
            target: target, deadline: now + settings.electionTimeout)
        finishTransfer(into: &effects)
    }

    /// Lets the target campaign once it has everything on disk (reliability.md row 13). From then
    /// on it may be elected at any time, however late it hears of this, with votes of replicas that
    /// promised this leader something: leases are over for the term.
    mutating func finishTransfer(into effects: inout RaftEffects) {
        guard let transfer = leadership?.transfer,
            leadership!.progress(of: transfer.target)?.match == trail.lastIndex
        else { return }
        leadership!.isLeaseGivenUp = true
        send(.timeoutNow, to: transfer.target, into: &effects)
    }

    mutating func expireTransfer(at now: Instant, into effects: inout RaftEffects) {
        guard let transfer = leadership?.transfer, transfer.deadline <= now else { return }
        leadership!.transfer = nil
        effects.append(.transferFailed(to: transfer.target, .timedOut))
    }
}

extension RaftRefusal: Error {}
