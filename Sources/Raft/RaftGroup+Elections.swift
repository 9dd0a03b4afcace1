/// Elections (Raft §5.2, §5.4.1), asked for beforehand (thesis §9.6).
internal import Base

extension RaftGroup {
    /// The leader's connection broke, so it is likely gone: there is nothing to be patient for but
    /// the promise to vote for nobody else, which the others gave a heartbeat later at most.
    mutating func hurryElection() {
        guard let leaderHeardAt, let electionDeadline, role == .follower else { return }
        let beat = settings.heartbeatInterval.wholeNanoseconds
        let rest = beat + UInt64.random(in: 0..<beat, using: &generator)
        let soonest =
            leaderHeardAt + settings.electionTimeout + .nanoseconds(Int64(clamping: rest))
        self.electionDeadline = min(electionDeadline, soonest)
    }

    mutating func electionTimedOut(at now: Instant, into effects: inout RaftEffects) {
        guard mayCampaign else {
            electionDeadline = nil
            return
        }
        failedCampaigns += 1
        drawPatience()
        electionDeadline = now + drawCampaignTime()
        role = .preCandidate
        changeLeader(to: nil, into: &effects)
        campaign = Campaign(isTransfer: false)
        campaign?.record(id, isGranted: true)
        let candidacy = candidacy(isTransfer: false)
        for voter in otherVoters { send(.preVote(candidacy), to: voter, into: &effects) }
        countVotes(at: now, into: &effects)
    }

    /// How long a campaign may take before the next one: two that stood at the same time try again
    /// apart. Short at first, since the promises to the last leader are over and an answer takes a
    /// round trip and a sync; an election timeout and more at last, for disks and networks that are
    /// slower than that.
    private mutating func drawCampaignTime() -> Duration {
        let beat = settings.heartbeatInterval.wholeNanoseconds
        let doublings = UInt64(min(max(failedCampaigns, 1) - 1, Self.doublingsMax))
        let least = min(beat << doublings, settings.electionTimeout.wholeNanoseconds)
        let extra = UInt64.random(in: 0..<least, using: &generator)
        return .nanoseconds(Int64(clamping: least + extra))
    }

    private static let doublingsMax = 8

    /// The real election. Its requests wait until everything is on disk, the log too: were they
    /// sent earlier, a candidate that forgot in a crash what they claim could campaign in the same
    /// term once more and be elected by answers to the first campaign.
    private mutating func requestVotes(
        isTransfer: Bool, at now: Instant, into effects: inout RaftEffects
    ) {
        setHardState(HardState(term: term + 1, vote: id))
        role = .candidate
        changeLeader(to: nil, into: &effects)
        drawPatience()
        electionDeadline = now + (isTransfer ? patience : drawCampaignTime())
        campaign = Campaign(isTransfer: isTransfer)
        campaign?.ownVote = writes.nextToken
        let candidacy = candidacy(isTransfer: isTransfer)
        for voter in otherVoters {
            if settings.mutations.has(.asksForVotesEarly) {
                let body = RaftMessage.Body.vote(candidacy)
                let message = RaftMessage(from: id, to: voter, term: term, body: body)
                effects.append(.send(message, after: nil))
            } else {
                send(.vote(candidacy), to: voter, after: writes.lastToken, into: &effects)
            }
        }
    }

    /// The leader hands over: no pre-vote, and no voter is bound by its promise to that leader.
    mutating func takeOver(
        from sender: ReplicaID, at now: Instant, into effects: inout RaftEffects
    ) {
        guard role == .follower, leader == sender, mayCampaign else { return }
        requestVotes(isTransfer: true, at: now, into: &effects)
    }

    // MARK: The voter

    mutating func preVote(
        _ candidacy: Candidacy, of candidate: ReplicaID, at now: Instant,
        into effects: inout RaftEffects
    ) {
        let isBehind =
            candidacy.last < trail.last && !settings.mutations.has(.votesForOlderLogs)
        let isFit = !isBehind && !hasLiveLeader(at: now)
        let isClaimed = isFit && role == .follower && claimsPriority(over: candidacy)
        // The leader is gone, or nobody would ask: the better candidate need not wait.
        if isClaimed { electionDeadline = now }
        if isFit, !isClaimed { giveWay(at: now) }
        let answer: PreVote = isClaimed ? .claimed : isFit ? .granted : .refused
        send(.preVoteReply(answer), to: candidate, into: &effects)
    }

    /// Two that campaign at once elect nobody. Whoever would win is heard of before a heartbeat has
    /// passed; whoever asks in vain holds nobody up for longer.
    private mutating func giveWay(at now: Instant) {
        guard role == .follower, let deadline = electionDeadline else { return }
        electionDeadline = max(deadline, now + settings.heartbeatInterval)
    }

    /// Whether this replica should lead instead. It insists only until it has tried once: one that
    /// cannot win must not keep others from it.
    private func claimsPriority(over candidacy: Candidacy) -> Bool {
        settings.priority > candidacy.priority && membership.isVoter(id)
            && failedCampaigns == 0 && trail.last >= candidacy.last
    }

    /// Grants at most one vote per term. Membership is the candidate's business: this replica may
    /// not know yet that it votes, or for whom (reliability.md row 10).
    mutating func vote(
        _ candidacy: Candidacy, of candidate: ReplicaID, at now: Instant,
        into effects: inout RaftEffects
    ) {
        let isFree = hardState.vote == nil && leader == nil && role != .leader
        var isGranted = hardState.vote == candidate
        let isFit =
            candidacy.last >= trail.last || settings.mutations.has(.votesForOlderLogs)
        if isFree, isFit {
            setHardState(HardState(term: term, vote: candidate))
            isGranted = true
            if role == .preCandidate { stopCampaign() }
            if electionDeadline != nil { electionDeadline = now + patience }
        }
        send(.voteReply(isGranted: isGranted), to: candidate, into: &effects)
    }

    private mutating func stopCampaign() {
        role = .follower
        campaign = nil
    }

    // MARK: The candidate

    mutating func count(
        _ isGranted: Bool, of voter: ReplicaID, at now: Instant, into effects: inout RaftEffects
    ) {
        campaign?.record(voter, isGranted: isGranted)
        countVotes(at: now, into: &effects)
    }

    mutating func count(
        _ answer: PreVote, of voter: ReplicaID, at now: Instant, into effects: inout RaftEffects
    ) {
        if answer == .claimed {
            // It gets one election timeout to do better.
            stopCampaign()
            electionDeadline = now + patience
        } else {
            count(answer == .granted, of: voter, at: now, into: &effects)
        }
    }

    mutating func countVotes(at now: Instant, into effects: inout RaftEffects) {
        guard let campaign else { return }
        switch membership.tally({ campaign.vote(of: $0) }) {
        case .open: break
        case .lost: stopCampaign()
        case .won where role == .preCandidate:
            requestVotes(isTransfer: false, at: now, into: &effects)
        case .won: becomeLeader(at: now)
        }
    }

    private mutating func becomeLeader(at now: Instant) {
        invariant(hardState.vote == id, "a leader has voted for itself")
        let last = trail.lastIndex
        role = .leader
        leader = id
        campaign = nil
        electionDeadline = nil
        failedCampaigns = 0
        leadership = Leadership(
            firstIndex: last + 1, followers: [],
            heartbeatDeadline: now + settings.heartbeatInterval, activeSince: now,
            uncommittedBytes: trail.byteCount(after: commit, through: last))
        if !settings.mutations.has(.leavesBlankOut) { appendOwn(.blank) }
        followMembership(at: now)
    }

    private func candidacy(isTransfer: Bool) -> Candidacy {
        Candidacy(last: trail.last, priority: settings.priority, isTransfer: isTransfer)
    }

    private var otherVoters: [ReplicaID] {
        membership.everyone.filter { $0 != id && membership.isVoter($0) }
    }
}
