/// Deleting a range: wait for older writes, count, then one delete of the range.
///
/// The count in the answer is exact and the delete is one atomic write: later writes into the range
/// wait (`RangeGate`), so nothing comes between the count and the delete. What goes is bounded,
/// because the engine deletes key by key.
internal import Base
internal import Regions
internal import Storage

extension Shard {
    mutating func beginDelete(
        of range: KeyRange, _ write: WriteTask.Handle, at now: Now, into effects: inout Effects
    ) {
        guard !range.isEmpty else {
            // Nothing is in an empty range; there is nothing to wait for and nothing to write.
            let nothing = RawOutcome.rangeDeleted(count: 0, dryRun: false)
            guard let task = writes.remove(write) else { return }
            counters.count(task.command, nothing)
            complete(task.place, nothing, into: &effects)
            return
        }
        guard ranges.close(range, for: write) else { return }
        startReadyDeletes(at: now, into: &effects)
    }

    mutating func startReadyDeletes(at now: Now, into effects: inout Effects) {
        for ready in ranges.takeReady(
            despiteOlder: settings.mutations.has(.rangeDoesNotWait))
        {
            guard mayDecide else {
                abandon(ready.delete, .noLeader, at: now, into: &effects)
                continue
            }
            writes[ready.delete]?.state = .reading
            readElsewhere(
                .countForDelete(ready.range), .countRange(ready.delete), at: now,
                into: &effects)
        }
    }

    mutating func deleteCounted(
        _ write: WriteTask.Handle, _ outcome: RawOutcome, at now: Now, into effects: inout Effects
    ) {
        guard let task = writes[write], case .deleteRange(let range, _) = task.command else {
            return
        }
        guard requests.contains(task.place.request) else {
            leave(write, at: now, into: &effects)
            return
        }
        guard isOfThisTerm(task) else {
            abandon(write, .noLeader, at: now, into: &effects)
            return
        }
        guard case .measured(let count, let weight) = outcome else {
            invariant(outcome == .refused(.rangeTooLarge), "a range is measured, or is too large")
            abandon(write, .rangeTooLarge, at: now, into: &effects)
            return
        }
        // Only now is it known how much it becomes.
        guard !hasTooMuchUnsynced else {
            abandon(write, .overloaded(resource: .unsyncedWrites), at: now, into: &effects)
            return
        }
        if let refusal = takeSpace(for: task.command, weight.byteCount, into: &effects) {
            abandon(write, refusal, at: now, into: &effects)
            return
        }
        let deleted = RawSpace.range(settings.mutations.deleted(range))
        turnBatch.deleteRange(.raw, deleted, weight: weight)
        writes[write]?.outcome = .rangeDeleted(count: count, dryRun: false)
        writes[write]?.state = .atDisk
        turnWrites.append(write)
    }
}
