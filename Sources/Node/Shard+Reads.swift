/// Reads of a shard: from memory on the loop, else on a reader thread.
///
/// The loop never waits for a disk. A point read, and a scan of few entries, asks memory first;
/// what memory does not have, and every long scan or count, goes to a reader thread and comes back
/// as an event.
///
/// The reads of one request are in order: none sees an older state than one before it. History that
/// this prevents: (1) a batch reads cold k twice, on two reader threads, (2) the first read is
/// slow, and k=2 is written meanwhile, (3) the second one has seen k=1 and the first one sees k=2.
/// So from the first read on that has to go elsewhere, all of them read one view. A batch that
/// memory can answer takes none: a view costs the engine's lock.
internal import Base
internal import Raft
internal import Regions
internal import Storage

/// A read at a reader thread, and what happens with its result.
enum PendingRead: Sendable {
    typealias Handle = Slab<PendingRead>.Handle

    /// The outcome is the command's answer.
    case answer(CommandPlace, RawCommand)
    /// The value is what a conditional write is decided by.
    case decide(WriteTask.Handle)
    /// The count of a range that is then deleted.
    case countRange(WriteTask.Handle)
}

extension Shard {
    // Hot path: a request of one point read answers without touching the slabs.
    mutating func begin(
        reads request: RegionRequest, from requester: UnitAddress, at now: Now,
        into effects: inout Effects
    ) {
        if let rule = request.rule {
            begin(request, by: rule, from: requester, at: now, into: &effects)
            return
        }
        guard now.instant < leaseEnd, isCurrent else {
            beginWithoutLease(request, from: requester, at: now, into: &effects)
            return
        }
        counters.leaseReads += 1
        if request.commands.count == 1, let outcome = readInline(request.commands[0], at: now) {
            reply(request.number, [outcome], to: requester, into: &effects)
            return
        }
        let isCold = request.commands.count == 1
        read(
            request, insert(request, from: requester), isCold: isCold, at: now, into: &effects)
    }

    /// Whether nobody can have seen what the data here lacks. The lease alone is not enough.
    /// History: (1) a follower hears that an entry is committed, applies it and shows it to a
    /// client, (2) the leader, whose disk was slower, has not applied it and shows what was there
    /// before.
    var isCurrent: Bool {
        !hasFollowers || replica?.standing.isCurrent != false
            || settings.mutations.has(.leaderReadsBehind)
    }

    /// What is here now is what a read is to find.
    /// - Parameters:
    ///   - given: what to read, if that is settled.
    ///   - isCold: memory was asked in vain.
    mutating func read(
        _ request: RegionRequest, _ handle: PendingRequest.Handle,
        of given: (any EngineView)? = nil, isCold: Bool, at now: Now, into effects: inout Effects
    ) {
        var view = given
        for (index, command) in request.commands.enumerated() {
            let place = CommandPlace(request: handle, index: index)
            if !isCold, let outcome = readInline(command, of: view, at: now) {
                complete(place, outcome, into: &effects)
                continue
            }
            if view == nil, index + 1 < request.commands.count,
                !settings.mutations.has(.readsHaveNoOrder)
            {
                view = engine.view()
            }
            readElsewhere(
                command.read, of: view, .answer(place, command), at: now, into: &effects)
        }
    }

    /// The outcome if it can be had without waiting.
    private mutating func readInline(
        _ command: RawCommand, of view: (any EngineView)? = nil, at now: Now
    ) -> RawOutcome? {
        switch command {
        case .scan(let scan) where scan.limit > settings.entriesScannedInline: return nil
        case .count, .deleteRange: return nil
        default: break
        }
        // History: a hundred reads of 4 MiB, all of it in memory, held up the loop for a second.
        guard readBytes < Limits.answerBytesPerTurn else { return nil }
        do {
            let wall =
                settings.mutations.has(.expiredIsShown) ? WallTime(milliseconds: 0) : now.wall
            let outcome = try command.read.run(on: engine, view, at: wall, tier: .cached)
            guard let outcome else {
                counters.readsCold += 1
                return nil
            }
            readBytes += outcome.byteCount
            counters.count(command, outcome)
            return settings.mutations.page(outcome)
        } catch {
            counters.readErrors += 1
            return refuse(command, Self.refusal(of: error))
        }
    }

    mutating func readElsewhere(
        _ read: RawRead, of view: (any EngineView)? = nil, _ pending: PendingRead, at now: Now,
        into effects: inout Effects
    ) {
        guard settings.mutations.has(.readsAreUnbounded) || reads.count < settings.readsWaitingLimit
        else {
            conclude(pending, .failure(.overloaded(resource: .readerQueue)), at: now, &effects)
            return
        }
        let handle = reads.insert(pending)
        switch pending {
        case .answer(let place, _):
            requests[place.request]?.commands[place.index] = .reading(handle)
        case .decide(let write), .countRange(let write):
            writes[write]?.read = handle
            writes[write]?.term = replica?.raft.term ?? 0
        }
        let wall =
            settings.mutations.has(.expiredIsShownFromDisk)
            ? WallTime(milliseconds: 0) : now.wall
        effects.append(.read(handle.number, read, view, wall))
    }

    mutating func finishRead(
        _ token: ReadToken, _ result: Result<RawOutcome, StorageError>, at now: Now,
        into effects: inout Effects
    ) {
        guard let pending = reads.remove(Slab.Handle(number: token)) else {
            invariant(false, "a read that finishes was begun")
            return
        }
        if case .failure = result { counters.readErrors += 1 }
        conclude(pending, result.mapError(Self.refusal), at: now, &effects)
    }

    private mutating func conclude(
        _ pending: PendingRead, _ result: Result<RawOutcome, Refusal>, at now: Now,
        _ effects: inout Effects
    ) {
        switch (pending, result) {
        case (.answer(let place, let command), .success(let outcome)):
            let answer = command.answer(toRead: outcome)
            counters.count(command, answer)
            complete(place, settings.mutations.page(answer), into: &effects)
        case (.answer(let place, let command), .failure(let refusal)):
            complete(place, refuse(command, refusal), into: &effects)
        case (.decide(let write), .success(let outcome)):
            decide(write, current: outcome.value, at: now, into: &effects)
        case (.countRange(let write), .success(let outcome)):
            deleteCounted(write, outcome, at: now, into: &effects)
        case (.decide(let write), .failure(let refusal)),
            (.countRange(let write), .failure(let refusal)):
            abandon(write, refusal, at: now, into: &effects)
        }
    }

    mutating func refuse(_ command: RawCommand, _ refusal: Refusal) -> RawOutcome {
        if case .overloaded(let resource) = refusal {
            counters.overloads[resource, default: 0] += 1
        }
        let outcome = RawOutcome.refused(refusal)
        counters.count(command, outcome)
        return outcome
    }

    static func refusal(of error: StorageError) -> Refusal { .storageFailed(error.reason) }
}

extension RawCommand {
    /// The read that answers a command that writes nothing.
    fileprivate var read: RawRead {
        switch self {
        case .get(let key): return .get(key)
        case .scan(let scan): return .scan(scan)
        case .count(let range), .deleteRange(let range, _): return .count(range)
        case .put, .delete, .compareAndSwap:
            invariant(false, "\(self) is a write")
            return .count(KeyRange(start: .least, end: .least))
        }
    }

    fileprivate func answer(toRead outcome: RawOutcome) -> RawOutcome {
        if case .deleteRange = self, case .counted(let count) = outcome {
            return .rangeDeleted(count: count, dryRun: true)
        }
        return outcome
    }
}

extension RawOutcome {
    /// The value that a point read found.
    fileprivate var value: RawValue? {
        if case .found(let value) = self { value } else { nil }
    }
}
