/// The leader's half of replication: proposals, appends, acknowledgements, commitment.
internal import Base

extension RaftGroup {
    mutating func propose(
        _ proposal: ProposalID, _ byteCount: Int, at now: Instant, into effects: inout RaftEffects
    ) {
        invariant(byteCount > 0, "a command has bytes; the blank entry is the leader's")
        wake(at: now, into: &effects)
        if let refusal = refusal(ofBytes: byteCount) {
            effects.append(.refused(proposal, refusal))
            return
        }
        leadership!.uncommittedBytes += byteCount
        appendOwn(.command(byteCount: byteCount))
        effects.append(.accepted(proposal, trail.last))
    }

    private func refusal(ofBytes byteCount: Int) -> RaftRefusal? {
        guard let leadership else { return .notLeader(leader) }
        if let transfer = leadership.transfer { return .transferring(to: transfer.target) }
        // One always fits, or a large one would never go in.
        let isFull =
            leadership.uncommittedBytes > 0
            && leadership.uncommittedBytes + byteCount > settings.uncommittedBytes
        return isFull ? .tooMuchUncommitted : nil
    }

    mutating func appendOwn(_ content: Entry.Content) {
        invariant(role == .leader, "only a leader adds entries of its own")
        trail.append(Entry(term: term, content))
        writes.appended(from: trail.lastIndex)
        leadership?.quietRounds = 0
    }

    // MARK: Sending

    /// Sends each follower what its window has room for.
    mutating func replicate(at now: Instant, into effects: inout RaftEffects) {
        guard var leadership else { return }
        // One owner at a time: no copy is made of what is changed.
        self.leadership = nil
        let beat = Beat(round: leadership.round, sentAt: now)
        for place in leadership.followers.indices {
            sendAppends(to: &leadership.followers[place], beat, into: &effects)
        }
        self.leadership = leadership
    }

    private func sendAppends(
        to follower: inout Progress, _ beat: Beat, into effects: inout RaftEffects
    ) {
        while follower.maySend || follower.wantsProbe {
            let isProbe = follower.wantsProbe || follower.state == .probing
            guard isProbe || follower.next <= trail.lastIndex else { return }
            guard let previousTerm = trail.term(at: follower.next - 1) else {
                follower.needsSnapshot()
                let effect = RaftEffect.sendSnapshot(
                    to: follower.id, term: term, beat: beat, atLeast: trail.base.index)
                effects.append(effect)
                return
            }
            var entries: [Entry] = []
            if follower.maySend {
                entries = trail.entries(
                    from: follower.next,
                    countLimit: min(settings.appendEntries, follower.window.entryRoom),
                    byteLimit: min(settings.appendBytes, follower.window.byteRoom))
            }
            let previous = LogPosition(index: follower.next - 1, term: previousTerm)
            let append = Append(previous: previous, entries: entries, commit: commit, beat: beat)
            send(.append(append), to: follower.id, into: &effects)
            follower.sent(entries)
        }
    }

    /// Heartbeats to everyone, if this turn asks for them.
    mutating func broadcast(at now: Instant, into effects: inout RaftEffects) {
        guard leadership?.isBroadcastDue == true else { return }
        leadership!.isBroadcastDue = false
        leadership!.round += 1
        let beat = Beat(round: leadership!.round, sentAt: now)
        let isSure =
            commit >= leadership!.firstIndex && isConfirmed(at: now)
            || settings.mutations.has(.claimsUnconfirmedViews)
        if isSure { effects.append(.viewed(commit, asOf: now)) }
        for place in leadership!.followers.indices {
            let isBold = settings.mutations.has(.commitsUnseen)
            let told = isBold ? commit : min(commit, leadership!.followers[place].match)
            leadership!.followers[place].toldCommit = told
            let heard = isSure ? leadership!.followers[place].mark : nil
            let heartbeat = Heartbeat(
                commit: told, beat: beat, asksSleep: leadership!.asksSleep,
                view: heard.map { LeaderView(commit: commit, heard: $0) })
            send(.heartbeat(heartbeat), to: leadership!.followers[place].id, into: &effects)
        }
        finishConfirmedReads(at: now, into: &effects)
    }

    // MARK: Hearing

    mutating func appendAnswered(
        _ reply: AppendReply, by follower: ReplicaID, at now: Instant,
        into effects: inout RaftEffects
    ) {
        guard let place = leadership?.place(of: follower) else { return }
        // An answer that tells of a later term answers a beat of an earlier one: it promises
        // nothing to whoever leads by now.
        guard reply.outcome != .outdated else { return }
        leadership!.followers[place].answered(reply.beat)
        switch reply.outcome {
        case .accepted(let index):
            invariant(index <= trail.lastIndex, "a follower accepts only what was sent")
            let isNews = leadership!.followers[place].accepted(
                through: index, logBegins: trail.first)
            if isNews {
                advanceCommit(at: now, into: &effects)
                finishTransfer(into: &effects)
            }
        case .refused(let index, let hint):
            // No entry of a later term than the hint's can be what the follower has there.
            let common = trail.last(through: hint.index, termAtMost: hint.term)
            leadership!.followers[place].refused(at: index, hint: common.index)
        case .outdated: break
        }
        finishConfirmedReads(at: now, into: &effects)
    }

    mutating func heartbeatAnswered(
        _ beat: Beat, by follower: ReplicaID, isAsleep: Bool, _ mark: FollowerMark,
        at now: Instant, into effects: inout RaftEffects
    ) {
        guard let place = leadership?.place(of: follower) else { return }
        leadership!.followers[place].mark = mark
        leadership!.followers[place].answered(beat)
        leadership!.followers[place].asleepSince = isAsleep ? beat.round : nil
        if !settings.mutations.has(.neverProbes) {
            leadership!.followers[place].answeredHeartbeat(lastIndex: trail.lastIndex)
        }
        if leadership!.transfer?.target == follower { finishTransfer(into: &effects) }
        fallAsleep()
        finishConfirmedReads(at: now, into: &effects)
    }

    /// What a majority has on disk is committed, if it is of this term: an older entry on a
    /// majority can still be overwritten (Raft §5.4.2, Figure 8). The leader counts itself only
    /// as far as its own disk has come.
    mutating func advanceCommit(at now: Instant, into effects: inout RaftEffects) {
        guard let leadership else { return }
        let mutations = settings.mutations
        let own = mutations.has(.countsItselfEarly) ? trail.lastIndex : writes.durable
        let voters =
            mutations.has(.ignoresOutgoingVoters)
            ? Membership(voters: membership.voters.ids) : membership
        let majority = voters.reached { voter in
            voter == id ? own : leadership.progress(of: voter)?.match ?? 0
        }
        let most = leadership.followers.map(\.match).max()
        let reached = mutations.has(.commitsOnMinority) ? most : majority
        guard let reached, reached > commit,
            trail.term(at: reached) == term || mutations.has(.commitsOldTerms)
        else { return }
        let freed =
            mutations.has(.leaksUncommittedBytes)
            ? 0 : trail.byteCount(after: commit, through: reached)
        self.leadership!.uncommittedBytes -= freed
        setCommit(reached)
        beginHeldReads(at: now, into: &effects)
        membershipCommitted(at: now, into: &effects)
    }
}
