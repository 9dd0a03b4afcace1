/// Writes of a shard: admission and latches. How they are decided is in Shard+Decisions, what
/// becomes of the turn's batch in Shard+Proposals.
internal import Base
internal import DequeModule
internal import Raft
internal import Regions
internal import Storage

struct WriteTask: Sendable {
    typealias Handle = Slab<WriteTask>.Handle

    var place: CommandPlace
    var command: RawCommand
    /// Which latch the task holds or waits for; nil for the delete of a range.
    var slot: Int?
    var mode: Latches.Mode = .shared
    /// It has the latch, and not only a place in its queue.
    var holdsLatch = false
    var state: State = .waiting
    /// Which range deletes it is older than (`RangeGate`).
    var epoch: UInt64 = 0
    /// What its rule waits for, or waited for.
    var read: PendingRead.Handle?
    /// In which this replica led when that read began, or when it asked whether it still leads.
    var term: Term = 0
    /// The answer, once decided.
    var outcome: RawOutcome?

    enum State: Hashable, Sendable {
        /// For a latch or for a range delete; it holds nothing and may be withdrawn.
        case waiting
        /// Holds its latch; its rule waits for a read, or its answer for a majority.
        case reading
        /// In a batch: this turn's, or one at the disk.
        case atDisk
    }

    var isAtDisk: Bool { state == .atDisk }
}

extension Shard {
    mutating func begin(
        writes request: RegionRequest, from requester: UnitAddress, at now: Now,
        into effects: inout Effects
    ) {
        let handle = insert(request, from: requester)
        for (index, command) in request.commands.enumerated() {
            let place = CommandPlace(request: handle, index: index)
            if let refusal = refusal(of: command) {
                complete(place, refuse(command, refusal), into: &effects)
                guard settings.mutations.has(.refusedIsWritten) else { continue }
                let write = writes.insert(WriteTask(place: place, command: command))
                admit(write, at: now, into: &effects)
                continue
            }
            let write = writes.insert(WriteTask(place: place, command: command))
            requests[handle]?.commands[index] = .writing(write)
            admit(write, at: now, into: &effects)
        }
    }

    /// Why a write is not even begun; nil if it may be.
    private func refusal(of command: RawCommand) -> Refusal? {
        if let failure { return Self.refusal(of: failure) }
        guard replica != nil, isServing else { return .noLeader }
        return hasTooMuchUnsynced ? .overloaded(resource: .unsyncedWrites) : nil
    }

    /// What is here is what was acknowledged. Looked at when a write begins and again when it is
    /// decided. History: (1) a put of a key is under way, and a compare-and-swap waits for its
    /// latch; (2) another store leads, takes the put over and acknowledges a second write of that
    /// key; (3) this one leads again and has not applied that, but the put, which lets the
    /// compare-and-swap in: it finds the value that the put left, and undoes the second write.
    var mayDecide: Bool {
        let isHasty =
            isLedHastily || (settings.mutations.has(.decidesBeforeServing) && replica != nil)
        return isHasty || replica?.standing.isServing ?? false
    }

    /// Subtracts what a write will take from the space that is free; what cannot be refused any
    /// more must find room. A failed condition takes it too, until the next look at the disk.
    mutating func takeSpace(
        for command: RawCommand, _ byteCount: Int, into effects: inout Effects
    ) -> Refusal? {
        guard !settings.mutations.has(.refusedIsWritten) else { return nil }
        guard let shortage = disk?.admit(byteCount, storesNothing: command.freesSpace) else {
            return nil
        }
        if !hasReportedShortage { effects.append(.refusedForSpace) }
        hasReportedShortage = true
        return .diskFull(shortage)
    }

    var hasTooMuchUnsynced: Bool {
        !settings.mutations.has(.unsyncedIsUnbounded)
            && unappliedBytes + turnBatch.byteCount >= settings.unsyncedBytesLimit
    }

    /// Takes a write as far as it can go now.
    mutating func admit(_ write: WriteTask.Handle, at now: Now, into effects: inout Effects) {
        guard let task = writes[write] else { return }
        if case .deleteRange(let range, _) = task.command {
            beginDelete(of: range, write, at: now, into: &effects)
            return
        }
        guard let key = task.command.writtenKey else { return }
        if !settings.mutations.has(.writesPassRange), ranges.holdsBack(key, write) { return }
        let slot = latches.slot(of: key)
        let isExclusive =
            task.command.needsCurrentValue && !settings.mutations.has(.conditionalIsShared)
        let mode: Latches.Mode = isExclusive ? .exclusive : .shared
        writes[write]?.slot = slot
        writes[write]?.mode = mode
        guard latches.acquire(slot, mode, write) else {
            counters.latchWaits += 1
            return
        }
        writes[write]?.holdsLatch = true
        latched(write, at: now, into: &effects)
    }

    /// Goes on with a write that holds its latch now.
    mutating func latched(
        _ write: WriteTask.Handle, at now: Now, into effects: inout Effects
    ) {
        guard let task = writes[write], let key = task.command.writtenKey else { return }
        // A range delete may have come while the write waited for its latch.
        if !settings.mutations.has(.writesPassRange), !settings.mutations.has(.latchedPassesRange),
            ranges.holdsBack(key, write)
        {
            releaseLatch(of: task)
            writes[write]?.slot = nil
            writes[write]?.holdsLatch = false
            return
        }
        writes[write]?.epoch = ranges.enter()
        if let failure {
            abandon(write, Self.refusal(of: failure), at: now, into: &effects)
            return
        }
        guard mayDecide else {
            abandon(write, .noLeader, at: now, into: &effects)
            return
        }
        guard task.command.needsCurrentValue else {
            decide(write, current: nil, at: now, into: &effects)
            return
        }
        writes[write]?.state = .reading
        let read = RawRead.get(key)
        let wall = settings.mutations.has(.expiredIsPresent) ? WallTime(milliseconds: 0) : now.wall
        // History: a batch of hundreds of conditions that fail, all on one large value, held up the
        // loop for seconds: none of them waits for the disk, so each let the next one in.
        guard conditionBytes < Limits.conditionBytesPerTurn else {
            readElsewhere(read, .decide(write), at: now, into: &effects)
            return
        }
        do {
            switch try read.run(on: engine, at: wall, tier: .cached) {
            case .found(let value):
                conditionBytes += value.value.count
                decide(write, current: value, at: now, into: &effects)
            case .some: decide(write, current: nil, at: now, into: &effects)
            case nil:
                counters.readsCold += 1
                readElsewhere(read, .decide(write), at: now, into: &effects)
            }
        } catch {
            counters.readErrors += 1
            abandon(write, Self.refusal(of: error), at: now, into: &effects)
        }
    }

    /// Ends a write that was not decided.
    mutating func abandon(
        _ write: WriteTask.Handle, _ refusal: Refusal, at now: Now, into effects: inout Effects
    ) {
        guard let task = writes[write] else { return }
        complete(task.place, refuse(task.command, refusal), into: &effects)
        leave(write, at: now, into: &effects)
    }

    /// Takes back a write that has not begun; one whose rule is waiting for a read ends when that
    /// returns.
    ///
    /// It may hold its latch already. History: (1) two writes of one key in one batch wait for it,
    /// (2) the batch is withdrawn, (3) the first one's going lets the second one in, (4) the second
    /// one is withdrawn before it could go on. What it holds has to be given back, or nobody will
    /// write that key again.
    mutating func withdraw(_ write: WriteTask.Handle) {
        guard let task = writes[write], task.state == .waiting else { return }
        // Behind a range delete its name stays in the queue, and names nothing any more.
        writes.remove(write)
        if case .deleteRange = task.command {
            if settings.mutations.has(.withdrawnDeleteKeepsRange) { return }
            for next in ranges.open(write) { runnable.append(.admit(next)) }
        } else if let slot = task.slot {
            guard !task.holdsLatch || settings.mutations.has(.withdrawnKeepsLatch) else {
                releaseLatch(of: task)
                return
            }
            var admitted: [WriteTask.Handle] = []
            latches.withdraw(slot, write, admitted: &admitted)
            goOn(admitted)
            return
        }
        ranges.noteWithdrawn(writes)
    }

    /// A write that was admitted is over: who waited for it goes on.
    mutating func leave(
        _ write: WriteTask.Handle, at now: Now, into effects: inout Effects
    ) {
        guard let task = writes.remove(write) else { return }
        if case .deleteRange = task.command {
            for next in ranges.open(write) { runnable.append(.admit(next)) }
            return
        }
        releaseLatch(of: task)
        ranges.leave(epoch: task.epoch)
        startReadyDeletes(at: now, into: &effects)
    }

    mutating func releaseLatch(of task: WriteTask) {
        guard let slot = task.slot else { return }
        var admitted: [WriteTask.Handle] = []
        latches.release(slot, task.mode, admitted: &admitted)
        goOn(admitted)
    }

    private mutating func goOn(_ admitted: [WriteTask.Handle]) {
        for next in admitted {
            writes[next]?.holdsLatch = true
            runnable.append(.latched(next))
        }
    }
}
