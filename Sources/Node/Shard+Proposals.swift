/// What a shard has in the log: the turn's batch becomes an entry, and its writes are answered when
/// that is applied.
///
/// A batch that is proposed cannot be refused any more, neither by a full disk nor by a queue: all
/// that is looked at before. What came of it is known when its place in the log is applied, or
/// never, if the store fails first.
internal import Base
internal import Raft
internal import Regions
internal import Storage
internal import Telemetry

extension Shard {
    @discardableResult
    mutating func proposeTurn(
        at now: Now, into effects: inout Effects
    ) -> Slab<TurnProposal>.Handle? {
        guard !turnBatch.isEmpty else { return nil }
        if let failure {
            // Decided in the turn in which the store failed: in no log, and never will be.
            let turn = TurnProposal(
                writes: turnWrites, byteCount: turnBatch.byteCount, proposedAt: now.instant)
            turnBatch = WriteBatch()
            turnWrites = []
            finish(turn, Self.refusal(of: failure), at: now, into: &effects)
            return nil
        }
        unappliedBytes += turnBatch.byteCount
        let proposal = proposals.insert(
            TurnProposal(
                writes: turnWrites, byteCount: turnBatch.byteCount, proposedAt: now.instant))
        counters.proposalWrites.observe(UInt64(turnWrites.count))
        let batch = turnBatch
        turnBatch = WriteBatch()
        turnWrites = []
        stepReplica(.propose(ProposalID(proposal.number), batch), at: now, into: &effects)
        return proposal
    }

    mutating func stepReplica(
        _ event: consuming ReplicaEvent, at now: Now, into effects: inout Effects
    ) {
        guard failure == nil, replica != nil else { return }
        replica?.step(event, at: now.instant, into: &replicaEffects)
        var made: [ReplicaEffect] = []
        swap(&made, &replicaEffects)
        for effect in made { execute(effect, at: now, into: &effects) }
        made.removeAll(keepingCapacity: true)
        swap(&made, &replicaEffects)
        noteLeader(into: &effects)
        if !waitingForData.isEmpty { goOnWithData(at: now, into: &effects) }
    }

    private mutating func execute(
        _ effect: ReplicaEffect, at now: Now, into effects: inout Effects
    ) {
        switch effect {
        case .append(let append): effects.append(.append(append))
        case .apply(let apply):
            if !proposals.isEmpty { commits.append((apply.through, now.instant)) }
            effects.append(.apply(apply))
        case .compact(let base):
            guard let group = replica?.group else { return }
            effects.append(.compact(group, base))
        case .settled(let id, let fate):
            guard !settleChange(id, fate, at: now, into: &effects) else { return }
            settle(Slab.Handle(number: id.number), fate, at: now, into: &effects)
        case .failed(let error): effects.append(.damaged(error))
        case .roleChanged(let report):
            if report.leader != leader { counters.leaderChanges += 1 }
            leader = report.leader
            if report.role != .leader { leadershipEnded(at: now, into: &effects) }
        case .send(let message): send(message, into: &effects)
        case .sendFromLog(let message):
            guard let group = replica?.group else { return }
            effects.append(.sendFromLog(group, message))
        case .sendSnapshot(let id, let term, let beat, let index):
            guard let group = replica?.group else { return }
            sendsSnapshots = true
            effects.append(
                .sendSnapshot(group, to: id, term: term, beat: beat, atLeast: index))
        case .discardSnapshot(let position):
            guard let group = replica?.group else { return }
            effects.append(.discardSnapshot(group, position))
        case .readReady(let id): readIndexed(id, at: now, into: &effects)
        case .readRefused(let id, let refusal):
            refuseIndexed(id, Self.refusal(of: refusal), at: now, into: &effects)
        case .transferFailed(_, let refusal):
            transferFailed(refusal, at: now, into: &effects)
        }
    }

    private mutating func settle(
        _ handle: Slab<TurnProposal>.Handle, _ fate: ProposalFate, at now: Now,
        into effects: inout Effects
    ) {
        guard let proposal = proposals.remove(handle) else {
            invariant(false, "what is settled was proposed, and is settled once")
            return
        }
        unappliedBytes -= proposal.byteCount
        let refusal: Refusal? =
            switch fate {
            case .applied: nil
            case .superseded: .noLeader
            case .unknown: .outcomeUnknown("another store leads, and its log begins behind it")
            case .refused(let refusal): Self.refusal(of: refusal)
            }
        if refusal == nil {
            counters.proposalDuration.observe(from: proposal.proposedAt, to: now.instant)
        }
        let version = if case .applied(let index) = fate { index } else { 0 as LogIndex }
        while let first = commits.first, first.through < version { commits.removeFirst() }
        if version > 0, let committed = commits.first {
            counters.commitDuration.observe(from: proposal.proposedAt, to: committed.at)
        }
        if proposals.isEmpty { commits.removeAll(keepingCapacity: true) }
        finish(proposal, refusal, version: version, at: now, into: &effects)
        if settings.mutations.has(.firstCompletionForAll) {
            for proposal in proposals.handles.compactMap({ proposals[$0] }) {
                for task in proposal.writes.compactMap({ writes[$0] }) {
                    if let outcome = task.outcome { complete(task.place, outcome, into: &effects) }
                }
            }
        }
    }

    private mutating func finish(
        _ proposal: TurnProposal, _ refusal: Refusal?, version: LogIndex = 0, at now: Now,
        into effects: inout Effects
    ) {
        for write in proposal.writes {
            guard let task = writes[write], let decided = task.outcome else { continue }
            let outcome = refusal.map { .refused($0) } ?? decided
            counters.count(task.command, outcome)
            // They are applied in the order of the log, so that it only rises.
            if version > 0 { requests[task.place.request]?.version = version }
            if !settings.mutations.has(.answeredBeforeDurable) {
                complete(task.place, outcome, into: &effects)
            }
            leave(write, at: now, into: &effects)
        }
    }

    static func refusal(of refusal: RaftRefusal) -> Refusal {
        switch refusal {
        case .tooMuchUncommitted: .overloaded(resource: .unsyncedWrites)
        case .tooManyReads: .overloaded(resource: .readerQueue)
        default: .noLeader
        }
    }

    // MARK: The store

    /// The log or the data could not be written. What was proposed may be in the log or not; only a
    /// new start can tell.
    mutating func fail(_ error: StorageError, at now: Now, into effects: inout Effects) {
        guard failure == nil else { return }
        if settings.mutations.has(.failureIsSuccess) {
            for handle in proposals.handles { settle(handle, .applied(0), at: now, into: &effects) }
        }
        failure = error
        refuseAllIndexed(at: now, into: &effects)
        let unknown = Refusal.outcomeUnknown("\(error)")
        for handle in proposals.handles {
            guard let proposal = proposals.remove(handle) else { continue }
            unappliedBytes -= proposal.byteCount
            finish(proposal, unknown, at: now, into: &effects)
        }
    }
}
