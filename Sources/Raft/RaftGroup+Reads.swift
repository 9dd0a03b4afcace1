/// Linearizable reads without a write (Raft §8, thesis §6.4).
///
/// A read may be served from any state that has everything that was committed when the read came.
/// The leader knows that index, provided that its term has committed something and that it still
/// leads. That it leads it knows by its lease, or by a majority's answers to a broadcast that began
/// after the read. A follower asks its leader for the index.
///
/// The lease: a majority answered a beat, each of them will vote for nobody for an election timeout
/// from when it heard it, and the leader counts a shorter time from when it sent it. Only the rates
/// of the clocks matter.
package import Base

extension RaftGroup {
    mutating func begin(_ read: ReadID, at now: Instant, into effects: inout RaftEffects) {
        wake(at: now, into: &effects)
        if leadership != nil {
            beginLeaderRead(.local(read), at: now, into: &effects)
        } else if leader == nil {
            effects.append(.readRefused(read, .notLeader(nil)))
        } else if !reads.add(read, limit: settings.readsWaiting) {
            effects.append(.readRefused(read, .tooManyReads))
        }
    }

    mutating func beginRemoteRead(
        _ context: ReadContext, of follower: ReplicaID, at now: Instant,
        into effects: inout RaftEffects
    ) {
        guard leadership != nil else { return }
        beginLeaderRead(.remote(follower, context), at: now, into: &effects)
    }

    private mutating func beginLeaderRead(
        _ origin: LeaderRead.Origin, at now: Instant, into effects: inout RaftEffects
    ) {
        let hasCommitted =
            commit >= leadership!.firstIndex || settings.mutations.has(.readsBeforeCommitting)
        var read = LeaderRead(origin: origin, index: hasCommitted ? commit : nil, round: 0)
        if hasCommitted, isConfirmed(at: now) {
            finish(read, into: &effects)
            return
        }
        guard leadership!.reads.count < settings.readsWaiting else {
            refuse(read, .tooManyReads, into: &effects)
            return
        }
        if hasCommitted {
            leadership!.isBroadcastDue = true
            let isSloppy = settings.mutations.has(.confirmsByEarlierRound)
            read.round = leadership!.round + (isSloppy ? 0 : 1)
        }
        leadership!.reads.append(read)
    }

    /// Until when nobody else can lead, as far as is known now: by the lease, or for want of anyone
    /// else. Nil: this replica has to ask before it reads. What it reads at once, without
    /// `.read`, is complete only if it has applied an entry of its own term.
    package var leaseEnd: Instant? {
        guard let leadership else { return nil }
        if leadership.followers.isEmpty { return membership.isVoter(id) ? .distantFuture : nil }
        let mutations = settings.mutations
        guard
            leadership.transfer == nil && !leadership.isLeaseGivenUp
                || mutations.has(.keepsLeaseInTransfer)
        else { return nil }
        // Of its own, so that the closure does not copy the whole group.
        let id = id
        let promised = membership.reached { voter in
            voter == id ? .distantFuture : leadership.progress(of: voter)?.promisedSince ?? .origin
        }
        guard let promised, promised > .origin else { return nil }
        if promised == .distantFuture { return promised }
        let isLate = mutations.has(.overstaysLease)
        return promised + (isLate ? settings.electionTimeout * 3 : settings.leaseDuration)
    }

    func isConfirmed(at now: Instant) -> Bool { leaseEnd.map { now < $0 } ?? false }

    /// This term has committed something: the reads that waited for it begin.
    mutating func beginHeldReads(at now: Instant, into effects: inout RaftEffects) {
        guard commit >= leadership!.firstIndex,
            leadership!.reads.contains(where: { $0.index == nil })
        else { return }
        let held = leadership!.reads.filter { $0.index == nil }
        leadership!.reads.removeAll { $0.index == nil }
        for read in held { beginLeaderRead(read.origin, at: now, into: &effects) }
    }

    /// Reads whose round, or a later one, a majority has answered.
    mutating func finishConfirmedReads(at now: Instant, into effects: inout RaftEffects) {
        guard let leadership, !leadership.reads.isEmpty else { return }
        let confirmed = membership.reached { voter in
            voter == id ? .max : leadership.progress(of: voter)?.answeredRound ?? 0
        }
        guard let confirmed else { return }
        self.leadership!.reads.removeAll { $0.index != nil && $0.round <= confirmed }
        for read in leadership.reads where read.index != nil && read.round <= confirmed {
            finish(read, into: &effects)
        }
    }

    private func finish(_ read: LeaderRead, into effects: inout RaftEffects) {
        guard let index = read.index else { return }
        switch read.origin {
        case .local(let read): effects.append(.readReady(read, index))
        case .remote(let follower, let context):
            let match = leadership?.progress(of: follower)?.match ?? 0
            let reply = ReadIndexReply(
                context: context, index: index, commit: min(commit, match))
            send(.readIndexReply(reply), to: follower, into: &effects)
        }
    }

    private func refuse(
        _ read: LeaderRead, _ refusal: RaftRefusal, into effects: inout RaftEffects
    ) {
        // A follower asks again by itself.
        guard case .local(let read) = read.origin else { return }
        effects.append(.readRefused(read, refusal))
    }

    /// Who no longer leads knows no index (reliability.md row 38).
    func refuseLeaderReads(naming leader: ReplicaID?, into effects: inout RaftEffects) {
        for read in leadership?.reads ?? [] { refuse(read, .notLeader(leader), into: &effects) }
    }

    // MARK: The follower

    mutating func sendReads(at now: Instant, into effects: inout RaftEffects) {
        guard let leader, let context = reads.request(at: now, every: settings.heartbeatInterval)
        else { return }
        send(.readIndex(context), to: leader, into: &effects)
    }

    mutating func finishReads(_ reply: ReadIndexReply, into effects: inout RaftEffects) {
        setCommit(max(commit, reply.commit))
        for read in reads.finish(reply.context) {
            effects.append(.readReady(read, reply.index))
        }
    }

    mutating func refuseReads(into effects: inout RaftEffects) {
        for read in reads.removeAll() { effects.append(.readRefused(read, .notLeader(nil))) }
    }
}

/// Reads on a follower: those that no request to the leader covers, and those that wait for one.
struct FollowerReads: Sendable {
    private struct Waiting: Sendable {
        var read: ReadID
        /// The first request after the read came: its answer or any later one's is good.
        var since: UInt64
    }

    let incarnation: UInt64
    private var number: UInt64 = 0
    private var waiting: [Waiting] = []
    private var isRequestDue = false
    private(set) var retryDeadline: Instant?

    init(incarnation: UInt64) { self.incarnation = incarnation }

    var isEmpty: Bool { waiting.isEmpty }

    mutating func add(_ read: ReadID, limit: Int) -> Bool {
        guard waiting.count < limit else { return false }
        waiting.append(Waiting(read: read, since: number + 1))
        isRequestDue = true
        return true
    }

    /// One request for all reads of a turn.
    mutating func request(at now: Instant, every interval: Duration) -> ReadContext? {
        guard isRequestDue, !waiting.isEmpty else { return nil }
        isRequestDue = false
        number += 1
        retryDeadline = now + interval
        return ReadContext(incarnation: incarnation, number: number)
    }

    mutating func askAgain() { isRequestDue = !waiting.isEmpty }

    mutating func retry(at now: Instant) {
        guard let retryDeadline, retryDeadline <= now else { return }
        self.retryDeadline = nil
        askAgain()
    }

    mutating func finish(_ context: ReadContext) -> [ReadID] {
        guard context.incarnation == incarnation else { return [] }
        let done = waiting.prefix { $0.since <= context.number }.map(\.read)
        waiting.removeFirst(done.count)
        if waiting.isEmpty { retryDeadline = nil }
        return done
    }

    mutating func removeAll() -> [ReadID] {
        defer { waiting.removeAll() }
        retryDeadline = nil
        isRequestDue = false
        return waiting.map(\.read)
    }
}
