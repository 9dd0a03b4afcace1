/// The owner of a part of the key space on one core: orders writes, decides conditional ones,
/// serves reads.
///
/// A write goes: latch → rule → the turn's batch → one entry of the group's log (`Replica`) →
/// committed → applied → reply. Everything that arrives in one turn of the loop becomes one entry,
/// so that a busy core pays one sync for many writes. A read is answered from memory at once, or by
/// a reader thread, while the group's leader is here.
///
/// It leaves out: routing and deadlines (the gateway's), files and threads (the host's).
package import Base
internal import DequeModule
internal import Raft
package import Regions
package import Storage

package struct Shard: ~Copyable {
    let address: UnitAddress
    let engine: any KeyValueEngine
    let settings: ShardSettings

    var requests = Slab<PendingRequest>()
    /// So that one that expires is found among ten thousand.
    var names: [RequestName: PendingRequest.Handle] = [:]
    var writes = Slab<WriteTask>()
    var reads = Slab<PendingRead>()
    var latches = Latches()
    var ranges = RangeGate()
    /// Writes that may go on, taken in a loop at the end of each step: ten thousand waiters of one
    /// key must not become ten thousand nested calls.
    var runnable: Deque<Runnable> = []

    /// Of the one group there is; nil on the cores that only read.
    var replica: Replica?
    /// As it was heard of last.
    var leader: ReplicaID?
    /// Whether what a read finds here is everything that was acknowledged.
    var isServing = false
    var replicaEffects: [ReplicaEffect] = []
    /// The batch of this turn, and who waits for it.
    var turnBatch = WriteBatch()
    var turnWrites: [WriteTask.Handle] = []
    /// Of values that this turn's conditions were compared with.
    var conditionBytes = 0
    /// Proposed, and not yet settled.
    var proposals = Slab<TurnProposal>()
    var unappliedBytes = 0

    var disk: DiskGuard?
    /// Since the last look at it the host was told that something found no room.
    var hasReportedShortage = false
    /// Set for good when the store has failed.
    var failure: StorageError?
    package internal(set) var counters = ShardCounters()

    package init(
        address: UnitAddress, engine: any KeyValueEngine, replica: Replica?,
        settings: ShardSettings = ShardSettings()
    ) {
        self.address = address
        self.engine = engine
        self.replica = replica
        self.settings = settings
    }

    /// The replica's: the deadlines of requests are the gateway's.
    package var nextDeadline: Instant? { failure == nil ? replica?.nextDeadline : nil }

    /// Whether no request is in hand.
    package var isIdle: Bool { requests.isEmpty && proposals.isEmpty && turnBatch.isEmpty }

    /// Whether reads and, where the replica is, writes are taken.
    package var takesRequests: Bool { isServing }

    package mutating func step(
        _ event: consuming Event, at now: Now, into effects: inout Effects
    ) {
        switch consume event {
        case .received(let envelope): receive(envelope, at: now, into: &effects)
        case .turnEnded:
            conditionBytes = 0
            proposeTurn(at: now, into: &effects)
            stepReplica(.turnEnded, at: now, into: &effects)
        case .logged(_, let token): stepReplica(.persisted(token), at: now, into: &effects)
        case .applied(_, let index):
            stepReplica(.applied(through: index), at: now, into: &effects)
        case .flushed(_, let index):
            stepReplica(.flushed(through: index), at: now, into: &effects)
        case .readFinished(let token, let result):
            finishRead(token, result, at: now, into: &effects)
        case .diskSpace(let disk): observe(disk)
        case .deadlineReached: stepReplica(.deadlineReached, at: now, into: &effects)
        case .storeFailed(let error): fail(error, at: now, into: &effects)
        case .stopping, .request, .refused, .cancelled, .scraped, .failpoints:
            invariant(false, "a shard gets nothing that is a gateway's")
        }
        while let next = runnable.popFirst() {
            switch next {
            case .latched(let write): latched(write, at: now, into: &effects)
            case .admit(let write): admit(write, at: now, into: &effects)
            }
        }
    }

    private mutating func receive(
        _ envelope: Envelope, at now: Now, into effects: inout Effects
    ) {
        switch envelope.body {
        case .request(let request):
            if request.commands[0].isWrite {
                begin(writes: request, from: envelope.from, at: now, into: &effects)
            } else {
                begin(reads: request, from: envelope.from, at: now, into: &effects)
            }
        case .expire(let number):
            expire(number, from: envelope.from, into: &effects)
        case .serving(let isServing): self.isServing = isServing
        case .reply:
            invariant(false, "a shard sends no requests, so no reply can come")
        }
    }

    // MARK: Replies

    func reply(
        _ number: RegionRequest.Number, _ outcomes: [RawOutcome], to requester: UnitAddress,
        into effects: inout Effects
    ) {
        let reply = RegionReply(number: number, outcomes: outcomes)
        effects.append(.send(Envelope(from: address, to: requester, body: .reply(reply))))
    }

    /// Notes one command's outcome and replies once the request has all of them.
    mutating func complete(
        _ place: CommandPlace, _ outcome: RawOutcome, into effects: inout Effects
    ) {
        guard requests.contains(place.request) else { return }
        if case .done? = requests[place.request]?.commands[place.index] {
            let isWanted =
                settings.mutations.has(.refusedIsWritten)
                || settings.mutations.has(.firstCompletionForAll)
            invariant(isWanted, "a command has one outcome")
            return
        }
        requests[place.request]?.commands[place.index] = .done(outcome)
        requests[place.request]?.missing -= 1
        guard let request = requests[place.request], request.missing == 0 else { return }
        requests.remove(place.request)
        names[RequestName(request.requester, request.number)] = nil
        let outcomes = request.commands.map { command -> RawOutcome in
            guard case .done(let outcome) = command else {
                invariant(false, "a request is answered when each command has its outcome")
                return .refused(.outcomeUnknown(Self.stillAtDisk))
            }
            return outcome
        }
        reply(request.number, outcomes, to: request.requester, into: &effects)
    }

    /// Replies at once with what is known of a request whose time is over.
    private mutating func expire(
        _ number: RegionRequest.Number, from requester: UnitAddress, into effects: inout Effects
    ) {
        guard let handle = names.removeValue(forKey: RequestName(requester, number)),
            let request = requests.remove(handle)
        else { return }
        var outcomes: [RawOutcome] = []
        outcomes.reserveCapacity(request.commands.count)
        for command in request.commands {
            switch command {
            case .done(let outcome): outcomes.append(outcome)
            case .reading(let read):
                effects.append(.stopRead(read.number))
                outcomes.append(.refused(.deadlineExceeded))
            case .writing(let write): outcomes.append(giveUp(write, into: &effects))
            case .begun: outcomes.append(.refused(.deadlineExceeded))
            }
        }
        reply(number, outcomes, to: requester, into: &effects)
    }

    /// Nobody waits for a write any more: what has not reached a batch is taken back.
    private mutating func giveUp(
        _ write: WriteTask.Handle, into effects: inout Effects
    ) -> RawOutcome {
        guard let task = writes[write] else { return .refused(.deadlineExceeded) }
        guard !task.isAtDisk else {
            let isSaid = !settings.mutations.has(.timeoutMeansNotDone)
            return .refused(isSaid ? .outcomeUnknown(Self.stillAtDisk) : .deadlineExceeded)
        }
        if task.state == .reading, let read = task.read { effects.append(.stopRead(read.number)) }
        withdraw(write)
        return .refused(.deadlineExceeded)
    }

    private static let stillAtDisk =
        "the write was on its way into the log when its time was over"
}

/// Sizes that a simulation sets smaller than production does.
package struct ShardSettings: Sendable {
    package var cores: Int
    package var unsyncedBytesLimit: Int
    package var readsWaitingLimit: Int
    package var entriesScannedInline: Int
    package var mutations = Mutations()

    /// - Parameter cores: of the node, which share the limit on reads.
    package init(
        cores: Int = 1,
        unsyncedBytesLimit: Int = Limits.unsyncedBytes,
        readsWaitingLimit: Int = Limits.readsWaiting,
        entriesScannedInline: Int = Limits.entriesScannedInline
    ) {
        self.cores = cores
        self.unsyncedBytesLimit = unsyncedBytesLimit
        let least = min(readsWaitingLimit, Limits.readsWaitingPerCoreMin)
        self.readsWaitingLimit = max(least, readsWaitingLimit / cores)
        self.entriesScannedInline = entriesScannedInline
    }
}

/// A request of which not every command has its outcome.
struct PendingRequest: Sendable {
    typealias Handle = Slab<PendingRequest>.Handle

    var requester: UnitAddress
    var number: RegionRequest.Number
    var commands: [CommandState]
    var missing: Int

    init(requester: UnitAddress, number: RegionRequest.Number, commandCount: Int) {
        self.requester = requester
        self.number = number
        commands = Array(repeating: .begun, count: commandCount)
        missing = commandCount
    }
}

/// How far a command of a request has come, and what has to be taken back if nobody waits for it.
enum CommandState: Sendable {
    case begun
    case reading(PendingRead.Handle)
    case writing(WriteTask.Handle)
    case done(RawOutcome)
}

/// What a requester calls a request.
struct RequestName: Hashable, Sendable {
    var requester: UnitAddress
    var number: RegionRequest.Number

    init(_ requester: UnitAddress, _ number: RegionRequest.Number) {
        self.requester = requester
        self.number = number
    }
}

/// Where an outcome belongs: a request, and the command's place in it.
struct CommandPlace: Hashable, Sendable {
    var request: PendingRequest.Handle
    var index: Int
}

enum Runnable: Sendable {
    /// Holds its latch now.
    case latched(WriteTask.Handle)
    /// Waited for a range delete that is over.
    case admit(WriteTask.Handle)
}

/// One entry of the log, with those who wait for it.
struct TurnProposal: Sendable {
    var writes: [WriteTask.Handle]
    var byteCount: Int
    var proposedAt: Instant
}
