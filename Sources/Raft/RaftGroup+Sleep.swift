/// The leader's one deadline, and how a group comes to have none.
///
/// After some heartbeats at which nothing was left to do the leader asks everyone to sleep. When
/// everyone, not just a majority (reliability.md row 51), has said that it does, the leader sleeps
/// too. The first message, proposal or read wakes a replica: a leader sends heartbeats again, a
/// follower gives its leader an election timeout to be heard.
internal import Base

extension RaftGroup {
    mutating func leaderDeadline(at now: Instant, into effects: inout RaftEffects) {
        expireTransfer(at: now, into: &effects)
        guard let deadline = leadership?.heartbeatDeadline, deadline <= now else { return }
        guard hearsQuorum(at: now) else {
            becomeFollower(of: nil, in: term, at: now, into: &effects)
            return
        }
        countQuietRounds()
        leadership!.heartbeatDeadline = now + settings.heartbeatInterval
        leadership!.isBroadcastDue = true
        fallAsleep()
    }

    /// Check quorum (thesis §6.2): a leader that a majority has not spoken to for an election
    /// timeout may have a successor, and holds its clients up for nothing.
    private func hearsQuorum(at now: Instant) -> Bool {
        guard let leadership else { return false }
        if settings.mutations.has(.overstaysLease) { return true }
        let heard = membership.reached { voter in
            voter == id ? now : leadership.progress(of: voter)?.heardAt ?? .origin
        }
        guard let heard else { return false }
        return now < max(heard, leadership.activeSince) + settings.electionTimeout
    }

    private mutating func countQuietRounds() {
        guard let leadership, let needed = settings.quietRoundsBeforeSleep else { return }
        let last = trail.lastIndex
        let isQuiet =
            commit == last && writes.lastToken == nil && leadership.transfer == nil
            && leadership.reads.isEmpty && !membership.isJoint
            && leadership.followers.allSatisfy {
                $0.match == last && $0.toldCommit == last && $0.answeredRound == leadership.round
            }
        self.leadership!.quietRounds = isQuiet ? leadership.quietRounds + 1 : 0
        self.leadership!.asksSleep = self.leadership!.quietRounds >= needed
    }

    mutating func fallAsleep() {
        guard let leadership, leadership.asksSleep,
            leadership.followers.allSatisfy({ $0.asleepSince == leadership.round })
        else { return }
        self.leadership!.heartbeatDeadline = nil
        self.leadership!.isBroadcastDue = false
        isAsleep = true
    }

    mutating func wakeUp(
        for message: RaftMessage, at now: Instant, into effects: inout RaftEffects
    ) {
        switch message.body {
        case .heartbeatReply, .appendReply, .voteReply, .preVoteReply, .readIndexReply: break
        case .heartbeat(let heartbeat) where heartbeat.asksSleep: break
        case .heartbeat, .append, .snapshot, .timeoutNow:
            // The leader is awake already.
            if leadership == nil { isAsleep = false }
            restoreDeadline(at: now)
        case .preVote, .vote, .readIndex, .wakeUp:
            // A replica that was removed and does not know it asks for votes for ever; it gets its
            // answer, and the group sleeps on. One that is a member and not known here as such can
            // only be so because others are awake.
            if membership.contains(message.from) { wake(at: now, into: &effects) }
        }
    }

    private mutating func restoreDeadline(at now: Instant) {
        guard leadership == nil, electionDeadline == nil, mayCampaign, !isAsleep else { return }
        electionDeadline = now + patience
    }

    /// Ends sleep, and the count towards it.
    mutating func wake(at now: Instant, into effects: inout RaftEffects) {
        guard leadership != nil else {
            guard isAsleep else { return }
            isAsleep = false
            restoreDeadline(at: now)
            if let leader { send(.wakeUp, to: leader, into: &effects) }
            return
        }
        leadership!.quietRounds = 0
        guard leadership!.asksSleep else { return }
        leadership!.asksSleep = false
        leadership!.isBroadcastDue = true
        guard isAsleep else { return }
        isAsleep = false
        leadership!.activeSince = now
        leadership!.heartbeatDeadline = now + settings.heartbeatInterval
    }
}
