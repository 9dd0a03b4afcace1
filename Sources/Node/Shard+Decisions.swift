/// The decision of a write: its rule speaks, and what it wrote is in the turn's batch.
///
/// A write that is proposed proves by being committed that its replica still led. One that writes
/// nothing, because its condition failed, is a read, and as stale as one: it is answered under the
/// lease, else when a majority has said that this replica leads. History: (1) the leader hands over
/// and hears nothing more, (2) its successor takes an if-absent put, (3) the old leader answers an
/// if-present one from what it has: that the key is absent.
internal import Base
internal import Raft
internal import Regions
internal import Storage

extension Shard {
    /// Lets the rule speak. What it wrote is in the turn's batch; the latch stays until that is
    /// durable.
    mutating func decide(
        _ write: WriteTask.Handle, current: RawValue?, at now: Now, into effects: inout Effects
    ) {
        guard let task = writes[write] else { return }
        guard settings.mutations.has(.expiredIsCarriedOut) || requests.contains(task.place.request)
        else {
            // Its requester gave up while the value was being read: nothing may happen any more.
            abandon(write, .deadlineExceeded, at: now, into: &effects)
            return
        }
        guard isOfThisTerm(task) else {
            abandon(write, .noLeader, at: now, into: &effects)
            return
        }
        if let refusal = takeSpace(
            for: task.command, task.command.storedBytes, into: &effects)
        {
            abandon(write, refusal, at: now, into: &effects)
            return
        }
        let before = turnBatch.count
        let outcome = RawRules.decide(
            task.command, current: current, at: now.wall, into: &turnBatch)
        guard turnBatch.count > before else {
            writes[write]?.outcome = outcome
            if now.instant < leaseEnd || settings.mutations.has(.failedConditionIsNotAsked) {
                finishUnwritten(write, at: now, into: &effects)
            } else {
                askBeforeAnswering(write, at: now, into: &effects)
            }
            return
        }
        writes[write]?.outcome = outcome
        writes[write]?.state = .atDisk
        turnWrites.append(write)
        if settings.mutations.has(.answeredBeforeDurable) {
            complete(task.place, outcome, into: &effects)
        }
        if settings.mutations.has(.latchReleasedEarly) {
            releaseLatch(of: task)
            writes[write]?.slot = nil
        }
    }

    /// Whether this replica has led since the value was read that a write is decided by. If not,
    /// somebody else may have written it meanwhile, and its latch was no protection.
    func isOfThisTerm(_ task: WriteTask) -> Bool {
        guard task.read != nil, let replica else { return true }
        return replica.raft.role == .leader && replica.raft.term == task.term
    }

    private mutating func finishUnwritten(
        _ write: WriteTask.Handle, at now: Now, into effects: inout Effects
    ) {
        guard let task = writes[write], let outcome = task.outcome else { return }
        counters.count(task.command, outcome)
        complete(task.place, outcome, into: &effects)
        if settings.mutations.has(.failedConditionKeepsLatch) { writes[write]?.slot = nil }
        leave(write, at: now, into: &effects)
    }

    /// It keeps its latch: what it found stays true until it is answered.
    private mutating func askBeforeAnswering(
        _ write: WriteTask.Handle, at now: Now, into effects: inout Effects
    ) {
        if let failure {
            abandon(write, Self.refusal(of: failure), at: now, into: &effects)
            return
        }
        guard indexReads.count < Limits.readsForIndex else {
            abandon(write, .overloaded(resource: .readerQueue), at: now, into: &effects)
            return
        }
        writes[write]?.state = .reading
        writes[write]?.read = nil
        writes[write]?.term = replica?.raft.term ?? 0
        indexReads.add(.unwritten(write))
    }

    /// A majority has said that whoever leads has led since.
    mutating func confirmed(
        _ write: WriteTask.Handle, at now: Now, into effects: inout Effects
    ) {
        guard let task = writes[write] else { return }
        // As a follower it asked somebody else, who knows of later writes.
        let leads = replica?.raft.role == .leader && replica?.raft.term == task.term
        guard leads else {
            abandon(write, .noLeader, at: now, into: &effects)
            return
        }
        finishUnwritten(write, at: now, into: &effects)
    }
}
