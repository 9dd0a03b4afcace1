/// Terms: what every message is held against before anything else (Raft §5.1).
///
/// With a live leader a request for a vote changes nothing, not even the term: a replica that was
/// cut off and comes back does not depose a leader that a majority hears (thesis §4.2.3). Every
/// message of an old term that wants something is answered with the present one, else its sender
/// would ask for ever (reliability.md rows 6 and 7).
internal import Base

extension RaftGroup {
    mutating func receive(
        _ message: RaftMessage, at now: Instant, into effects: inout RaftEffects
    ) {
        invariant(message.to == id, "a message comes to whom it is addressed")
        wakeUp(for: message, at: now, into: &effects)
        if message.term > term {
            if isIgnored(message, at: now) { return }
            becomeFollower(of: message.leader, in: message.term, at: now, into: &effects)
        } else if message.term < term {
            answerOutdated(message, into: &effects)
            return
        } else if let sender = message.leader, role != .follower || leader != sender {
            invariant(role != .leader, "two leaders in term \(term): \(id) and \(sender)")
            invariant(leader == nil || leader == sender, "two leaders in term \(term)")
            becomeFollower(of: sender, in: term, at: now, into: &effects)
        }
        if message.leader != nil { heardLeader(at: now) }
        dispatch(message, at: now, into: &effects)
    }

    private mutating func dispatch(
        _ message: RaftMessage, at now: Instant, into effects: inout RaftEffects
    ) {
        withProgress(of: message.from) { $0.heardAt = now }
        switch message.body {
        case .preVote(let candidacy):
            preVote(candidacy, of: message.from, at: now, into: &effects)
        case .preVoteReply(let answer):
            if role == .preCandidate { count(answer, of: message.from, at: now, into: &effects) }
        case .vote(let candidacy): vote(candidacy, of: message.from, at: now, into: &effects)
        case .voteReply(let isGranted):
            let counts = isGranted || settings.mutations.has(.anyReplyGrants)
            if role == .candidate { count(counts, of: message.from, at: now, into: &effects) }
        case .append(let append): follow(append, of: message.from, at: now, into: &effects)
        case .appendReply(let reply):
            appendAnswered(reply, by: message.from, at: now, into: &effects)
        case .heartbeat(let heartbeat):
            follow(heartbeat, of: message.from, at: now, into: &effects)
        case .heartbeatReply(let beat, let isAsleep, let mark):
            heartbeatAnswered(
                beat, by: message.from, isAsleep: isAsleep, mark, at: now, into: &effects)
        case .snapshot(let snapshot, let beat):
            install(snapshot, beat, of: message.from, at: now, into: &effects)
        case .timeoutNow: takeOver(from: message.from, at: now, into: &effects)
        case .readIndex(let context):
            beginRemoteRead(context, of: message.from, at: now, into: &effects)
        case .readIndexReply(let reply): finishReads(reply, into: &effects)
        case .wakeUp: break
        }
    }

    private func isIgnored(_ message: RaftMessage, at now: Instant) -> Bool {
        switch message.body {
        case .preVote(let candidacy), .vote(let candidacy):
            !candidacy.isTransfer && hasLiveLeader(at: now)
        default: false
        }
    }

    /// Whether this replica leads or has heard its leader within the time for which it promised to
    /// vote for nobody else.
    func hasLiveLeader(at now: Instant) -> Bool {
        if role == .leader { return true }
        guard let leaderHeardAt else { return false }
        return now < leaderHeardAt + settings.electionTimeout
    }

    private func answerOutdated(_ message: RaftMessage, into effects: inout RaftEffects) {
        switch message.body {
        case .preVote: send(.preVoteReply(.refused), to: message.from, into: &effects)
        case .vote: send(.voteReply(isGranted: false), to: message.from, into: &effects)
        case .append(let append):
            sendOutdated(append.beat, to: message.from, into: &effects)
        case .heartbeat(let heartbeat):
            sendOutdated(heartbeat.beat, to: message.from, into: &effects)
        case .snapshot(let snapshot, let beat):
            effects.append(.discardSnapshot(snapshot.position))
            sendOutdated(beat, to: message.from, into: &effects)
        default: break
        }
    }

    private func sendOutdated(
        _ beat: Beat, to sender: ReplicaID, into effects: inout RaftEffects
    ) {
        let reply = AppendReply(outcome: .outdated, beat: beat)
        send(.appendReply(reply), to: sender, into: &effects)
    }

    private mutating func heardLeader(at now: Instant) {
        leaderHeardAt = now
        failedCampaigns = 0
        if electionDeadline != nil { electionDeadline = mayCampaign ? now + patience : nil }
    }

    /// Ends whatever this replica was, in the same term or a later one.
    mutating func becomeFollower(
        of leader: ReplicaID?, in newTerm: Term, at now: Instant, into effects: inout RaftEffects
    ) {
        if newTerm > term { setHardState(HardState(term: newTerm, vote: nil)) }
        refuseLeaderReads(naming: leader, into: &effects)
        // A replica that waits for an election goes on waiting: one that asks for votes in vain
        // must not keep those from campaigning who could win.
        let isStillWaiting = role != .leader && leader == nil && electionDeadline != nil
        leadership = nil
        campaign = nil
        role = .follower
        changeLeader(to: leader, into: &effects)
        if !isStillWaiting { electionDeadline = mayCampaign ? now + patience : nil }
        isAsleep = false
    }

    mutating func changeLeader(to new: ReplicaID?, into effects: inout RaftEffects) {
        guard new != leader else { return }
        leader = new
        if new == nil { refuseReads(into: &effects) } else { reads.askAgain() }
    }
}

extension RaftMessage {
    /// The sender, if only the leader of the term sends this.
    fileprivate var leader: ReplicaID? {
        switch body {
        case .append, .heartbeat, .snapshot, .timeoutNow: from
        default: nil
        }
    }
}
