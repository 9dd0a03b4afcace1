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
    /// What the gateways were told.
    var leaderPlace = LeaderPlace.here
    /// Whether this replica leads and has applied everything that was acknowledged.
    var isServing = false
    /// Until when a read may be answered without asking anyone.
    var leaseEnd = Instant.origin
    /// Whether it leads others, who may have applied what this one has not.
    var hasFollowers = false
    var readers: ReaderShards
    var indexReads = IndexReads()
    /// Those that wait until a snapshot has taken the data's place.
    var waitingForData: [IndexedRead] = []
    /// Which of its followers a leader named last to somebody who wants one.
    var lastFollower = 0
    var catchUp = CatchUp.behind
    var changeUnderWay: ChangeUnderWay?
    /// In this leadership a follower needed a snapshot, which may be on its way.
    var sendsSnapshots = false
    /// Of requests that came from other stores; no earlier than the first one's.
    var peerDeadline = Instant.distantFuture
    var peerRequestCount = 0
    var replicaEffects: [ReplicaEffect] = []
    /// The batch of this turn, and who waits for it.
    var turnBatch = WriteBatch()
    var turnWrites: [WriteTask.Handle] = []
    /// Of values that this turn's conditions were compared with.
    var conditionBytes = 0
    /// Bytes that were read on the loop in this turn.
    var readBytes = 0
    /// Proposed, and not yet settled.
    var proposals = Slab<TurnProposal>()
    /// When entries were committed that are on their way into the data, while anyone here waits
    /// for one.
    var commits: Deque<(through: LogIndex, at: Instant)> = []
    var unappliedBytes = 0

    var disk: DiskGuard?
    var standingBack = StandingBack()
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
        readers = ReaderShards(cores: settings.cores, own: address.core)
    }

    /// The replica's, and those of requests from other stores: for the others their gateway cares.
    package var nextDeadline: Instant? {
        let replicas = failure == nil ? replica?.standing.nextDeadline : nil
        guard peerDeadline < .distantFuture else { return replicas }
        return replicas.map { min($0, peerDeadline) } ?? peerDeadline
    }

    /// Whether no request is in hand.
    package var isIdle: Bool { requests.isEmpty && proposals.isEmpty && turnBatch.isEmpty }

    /// Whether reads and, where the replica is, writes are taken.
    package var takesRequests: Bool {
        guard let replica else { return readers.isTold }
        return isServing || !replica.isAlone
    }

    package mutating func step(
        _ event: consuming Event, at now: Now, into effects: inout Effects
    ) {
        switch consume event {
        case .received(let envelope): receive(envelope, at: now, into: &effects)
        case .turnEnded:
            conditionBytes = 0
            readBytes = 0
            proposeTurn(at: now, into: &effects)
            askWhetherCaughtUp(at: now, into: &effects)
            askForIndex(at: now, into: &effects)
            promoteLearners(at: now, into: &effects)
            stepReplica(.turnEnded, at: now, into: &effects)
        case .logged(_, let token): stepReplica(.persisted(token), at: now, into: &effects)
        case .applied(_, let index):
            stepReplica(.applied(through: index), at: now, into: &effects)
        case .flushed(_, let index):
            stepReplica(.flushed(through: index), at: now, into: &effects)
        case .readFinished(let token, let result):
            finishRead(token, result, at: now, into: &effects)
        case .diskSpace(let disk):
            observe(disk)
            standBackWhileFull(at: now, into: &effects)
        case .deadlineReached:
            expirePeers(at: now, into: &effects)
            stepReplica(.deadlineReached, at: now, into: &effects)
        case .peerLost(let store): lost(store, at: now, into: &effects)
        case .change(_, let id, let wanted, let table):
            change(id, wanted, keeping: table, at: now, into: &effects)
        case .snapshotEnded(_, let id, let index):
            stepReplica(.snapshotEnded(to: id, at: index), at: now, into: &effects)
        case .storeFailed(let error): fail(error, at: now, into: &effects)
        case .stopping, .removed, .request, .refused, .cancelled, .scraped, .failpoints, .stores:
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
            if envelope.from.store != nil, !admits(request, from: envelope.from, into: &effects) {
                return
            }
            if request.commands[0].isWrite {
                begin(writes: request, from: envelope.from, at: now, into: &effects)
            } else {
                begin(reads: request, from: envelope.from, at: now, into: &effects)
            }
        case .expire(let number):
            expire(number, from: envelope.from, into: &effects)
        case .raft(let message):
            guard hasRoom(for: message, into: &effects) else { return }
            stepReplica(.received(message), at: now, into: &effects)
        case .serving(let isServing, let number):
            leaseEnd = isServing ? .distantFuture : .origin
            readers.isTold = true
            let seen = Envelope.Body.servingSeen(number: number)
            effects.append(.send(Envelope(from: address, to: envelope.from, body: seen)))
        case .servingSeen(let number):
            readers.saw(number, core: envelope.from.core)
            goOnWithChange(at: now, into: &effects)
        case .reply, .leader, .caughtUp, .drained:
            invariant(false, "a shard is sent nothing that is a gateway's")
        }
    }

    // MARK: Replies

    func reply(
        _ number: RegionRequest.Number, _ outcomes: [RawOutcome], to requester: UnitAddress,
        version: LogIndex = 0, ageMilliseconds: UInt32? = nil, role: ServingRole? = nil,
        into effects: inout Effects
    ) {
        let isRefused = outcomes.allSatisfy { if case .refused = $0 { true } else { false } }
        let reply = RegionReply(
            number: number, outcomes: outcomes,
            stamp: isRefused
                ? nil
                : ReplicaStamp(
                    role: role ?? servingRole, version: version,
                    ageMilliseconds: ageMilliseconds))
        effects.append(.send(Envelope(from: address, to: requester, body: .reply(reply))))
    }

    /// A shard without a replica reads only while the group's leader is alone, and on its store.
    var servingRole: ServingRole {
        replica.map { $0.raft.role == .leader ? .leader : .follower } ?? .leader
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
        remove(place.request, request)
        let outcomes = request.commands.map { command -> RawOutcome in
            guard case .done(let outcome) = command else {
                invariant(false, "a request is answered when each command has its outcome")
                return .refused(.outcomeUnknown(Self.stillAtDisk))
            }
            return outcome
        }
        reply(
            request.number, outcomes, to: request.requester, version: request.version,
            ageMilliseconds: request.ageMilliseconds, role: request.role, into: &effects)
    }

    /// Replies at once with what is known of a request whose time is over.
    mutating func expire(
        _ number: RegionRequest.Number, from requester: UnitAddress, into effects: inout Effects
    ) {
        guard let handle = names[RequestName(requester, number)], let request = requests[handle]
        else {
            // It may have been passed on.
            if replica == nil { passOn(.expire(number), from: requester, into: &effects) }
            return
        }
        remove(handle, request)
        var outcomes: [RawOutcome] = []
        outcomes.reserveCapacity(request.commands.count)
        for command in request.commands {
            switch command {
            case .done(let outcome): outcomes.append(outcome)
            case .reading(let read):
                effects.append(.stopRead(read.number))
                outcomes.append(.refused(.deadlineExceeded))
            case .writing(let write): outcomes.append(giveUp(write, into: &effects))
            case .begun: outcomes.append(.refused(reasonToWait(request)))
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
    var deadline: Instant
    var commands: [CommandState]
    var missing: Int
    var rule: ReadRule?
    /// What its outcomes rest on, as far as they are there.
    var version: LogIndex = 0
    var ageMilliseconds: UInt32?
    /// What the replica was when it was read; nil: that does not matter, and what it is now.
    var role: ServingRole?

    init(_ request: RegionRequest, from requester: UnitAddress) {
        self.requester = requester
        number = request.number
        deadline = request.deadline
        commands = Array(repeating: .begun, count: request.commands.count)
        missing = request.commands.count
        rule = request.rule
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
