/// One replica of a replicated log: the Raft consensus algorithm as a value.
///
/// "Raft" is Ongaro and Ousterhout's paper (extended version, 2014), "thesis" Ongaro's (2014).
/// Events go into `step`, effects come out, and `nextDeadline` says when to come back if nothing
/// happens: there are no ticks, and a group that sleeps has no deadline. What a replica says leaves
/// only when what it rests on is on disk: `send` names the write to wait for.
///
/// The core knows entries by position and size, nothing of bytes, sockets, files, clocks. It
/// forwards no proposals, decides no membership by itself and keeps no applied state.
package import Base

package struct RaftGroup: Sendable {
    package let id: ReplicaID
    package internal(set) var settings: RaftSettings
    var generator: SeededGenerator

    // On disk, or on its way there.
    package internal(set) var hardState: HardState
    package internal(set) var trail: LogTrail
    var writes: WriteQueue

    package internal(set) var role = Role.follower
    package internal(set) var leader: ReplicaID?
    /// Committed: on a majority's disks, for good.
    package internal(set) var commit: LogIndex
    /// What `apply` has told the host.
    var applied: LogIndex

    /// When the leader was last heard of, or this replica started: either way it may have promised
    /// that leader not to vote for an election timeout (reliability.md row 39).
    var leaderHeardAt: Instant?
    var electionDeadline: Instant?
    /// Between one and two election timeouts; drawn anew for each campaign.
    var patience: Duration
    /// Campaigns since the last leader: who has tried no longer insists on its priority.
    var failedCampaigns = 0
    /// No deadline until something happens.
    package internal(set) var isAsleep = false

    var campaign: Campaign?
    var leadership: Leadership?
    var reads: FollowerReads
    /// What the host was last told.
    var reported: RoleReport

    /// `generator` has to differ from start to start: it names this incarnation's reads.
    package init(
        id: ReplicaID, settings: RaftSettings, recovered: RecoveredState,
        generator: SeededGenerator, at now: Instant
    ) {
        settings.checkRelations()
        self.id = id
        self.settings = settings
        self.generator = generator
        hardState = recovered.hardState
        trail = LogTrail(recovered.snapshot)
        for entry in recovered.entries { trail.append(entry) }
        invariant(trail.last.term <= hardState.term, "a log holds no entry of a later term")
        invariant(recovered.applied <= trail.lastIndex, "what is applied is in the log")
        writes = WriteQueue(durable: trail.lastIndex)
        commit = max(recovered.snapshot.position.index, recovered.applied)
        applied = commit
        patience = settings.electionTimeout
        reads = FollowerReads(incarnation: self.generator.next())
        reported = RoleReport(role: .follower, term: hardState.term, leader: nil)
        drawPatience()
        // A sole voter has promised nothing to anyone.
        let isAlone = trail.membership.voters.ids == [id] && !trail.membership.isJoint
        let isForgetful = settings.mutations.has(.forgetsPromises)
        if hardState.term > 0, !isAlone, !isForgetful { leaderHeardAt = now }
        electionDeadline = isAlone ? now : mayCampaign ? now + patience : nil
    }

    package var term: Term { hardState.term }
    package var membership: Membership { trail.membership }
    /// Every entry up to here is on this replica's disk.
    package var durable: LogIndex { writes.durable }
    /// The leader's view of the others.
    package var followers: [Progress] { leadership?.followers ?? [] }

    package var hasFollowers: Bool { leadership?.followers.isEmpty == false }

    /// Nil when there is nothing to wait for.
    package var nextDeadline: Instant? {
        guard let leadership else {
            return Self.earlier(electionDeadline, reads.retryDeadline)
        }
        return Self.earlier(leadership.heartbeatDeadline, leadership.transfer?.deadline)
    }

    private static func earlier(_ a: Instant?, _ b: Instant?) -> Instant? {
        guard let a, let b else { return a ?? b }
        return min(a, b)
    }

    package mutating func step(
        _ event: RaftEvent, at now: Instant, into effects: inout RaftEffects
    ) {
        switch event {
        case .received(let message): receive(message, at: now, into: &effects)
        case .persisted(let token): persisted(token, at: now, into: &effects)
        case .propose(let proposal, let byteCount):
            propose(proposal, byteCount, at: now, into: &effects)
        case .changeMembership(let proposal, let changes):
            change(proposal, changes, at: now, into: &effects)
        case .transferLeadership(let target): transfer(to: target, at: now, into: &effects)
        case .read(let read): begin(read, at: now, into: &effects)
        case .unreachable(let id):
            withProgress(of: id) { $0.lost() }
            if id == leader { hurryElection() }
        case .snapshotEnded(let id, let index):
            withProgress(of: id) { $0.snapshotEnded(at: index) }
        case .compacted(let index):
            invariant(index <= applied, "only what is applied is compacted")
            trail.compact(through: index)
        case .setPriority(let priority): settings.priority = priority
        case .wake: wake(at: now, into: &effects)
        case .turnEnded: endTurn(at: now, into: &effects)
        case .deadlineReached: deadlineReached(at: now, into: &effects)
        }
        reportProgress(into: &effects)
    }

    private mutating func deadlineReached(at now: Instant, into effects: inout RaftEffects) {
        if leadership != nil {
            leaderDeadline(at: now, into: &effects)
            return
        }
        if let deadline = electionDeadline, deadline <= now {
            electionTimedOut(at: now, into: &effects)
        }
        reads.retry(at: now)
    }

    private mutating func persisted(
        _ token: DurabilityToken, at now: Instant, into effects: inout RaftEffects
    ) {
        writes.completed(token)
        if let ownVote = campaign?.ownVote, ownVote <= token {
            campaign?.ownVote = nil
            campaign?.record(id, isGranted: true)
            countVotes(at: now, into: &effects)
        }
        if leadership != nil { advanceCommit(at: now, into: &effects) }
    }

    /// One write and the messages for everything that the turn brought.
    private mutating func endTurn(at now: Instant, into effects: inout RaftEffects) {
        if leadership != nil {
            broadcast(at: now, into: &effects)
            replicate(at: now, into: &effects)
        } else {
            sendReads(at: now, into: &effects)
        }
        if let write = writes.takeWrite(trail, hardState) { effects.append(.persist(write)) }
    }

    private mutating func reportProgress(into effects: inout RaftEffects) {
        let report = RoleReport(role: role, term: term, leader: leader)
        if report != reported {
            reported = report
            effects.append(.roleChanged(report))
        }
        // Never ahead of the own disk: a state that is ahead of its log would, after a crash, claim
        // entries whose term nobody there knows.
        let ready = min(commit, writes.durable)
        if ready > applied {
            applied = ready
            effects.append(.apply(through: ready))
        }
    }

    // MARK: What all parts use

    /// Sends nothing before the term and vote that the message speaks for are on disk.
    func send(
        _ body: RaftMessage.Body, to receiver: ReplicaID, after token: DurabilityToken? = nil,
        into effects: inout RaftEffects
    ) {
        let message = RaftMessage(from: id, to: receiver, term: term, body: body)
        let tokens = [token, writes.hardStateToken].compactMap { $0 }
        effects.append(.send(message, after: tokens.max()))
    }

    mutating func withProgress(of id: ReplicaID, _ change: (inout Progress) -> Void) {
        guard let place = leadership?.place(of: id) else { return }
        change(&leadership!.followers[place])
    }

    mutating func setHardState(_ new: HardState) {
        invariant(
            new.term > hardState.term || new.term == hardState.term && hardState.vote == nil,
            "terms rise, and a vote is given once")
        hardState = new
        writes.hardStateChanged()
    }

    mutating func setCommit(_ index: LogIndex) {
        invariant(index >= commit, "the commit index never falls")
        invariant(index <= trail.lastIndex, "only what is in the log is committed")
        commit = index
    }

    mutating func drawPatience() {
        let timeout = settings.electionTimeout.wholeNanoseconds
        let extra = UInt64.random(in: 0..<timeout, using: &generator)
        patience = .nanoseconds(Int64(clamping: timeout + extra))
    }

    /// Whether it may stand for election by its own log (reliability.md row 11): as a voter, or as
    /// one whose removal is not known to be committed. In a group of two the one that is removed
    /// may be the only one whose log can win (thesis §4.2.2); it then leads without a vote of its
    /// own until the removal is committed.
    var mayCampaign: Bool {
        if membership.isVoter(id) || settings.mutations.has(.anyoneCampaigns) { return true }
        return !settings.mutations.has(.removedNeverCampaigns)
            && trail.hasMembership(since: commit) { $0.isVoter(id) }
    }
}
