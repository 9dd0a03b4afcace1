/// The owner of a part of the key space on one core: orders writes, decides conditional ones,
/// serves reads.
///
/// A write goes: latch → rule → the turn's batch → `persist` → `persisted` → reply. Everything that
/// arrives in one turn of the loop becomes one batch, so that a busy core pays one sync for many
/// writes. A read is answered from memory at once, or by a reader thread. Raft will stand between
/// the batch and `persist`; today a shard is the only replica of everything.
///
/// It leaves out: routing and deadlines (the gateway's), files and threads (the host's).
package import Base
internal import DequeModule
internal import Regions
package import Storage

package struct Shard: ~Copyable {
    let address: UnitAddress
    let engine: any KeyValueEngine
    let settings: ShardSettings

    var requests = Slab<PendingRequest>()
    var writes = Slab<WriteTask>()
    var reads = Slab<PendingRead>()
    var latches = Latches()
    var ranges = RangeGate()
    /// Writes that may go on, taken in a loop at the end of each step: ten thousand waiters of one
    /// key must not become ten thousand nested calls.
    var runnable: Deque<Runnable> = []

    /// The batch of this turn, and who waits for it.
    var turnBatch = WriteBatch()
    var turnWrites: [WriteTask.Handle] = []
    var nextToken = PersistToken(number: 1)
    /// Batches at the disk, oldest first.
    var atDisk: Deque<AtDisk> = []
    var unsyncedBytes = 0

    var disk: DiskSpace?
    /// Set for good when the store has failed.
    var failure: StorageError?
    package internal(set) var counters = ShardCounters()

    package init(
        address: UnitAddress, engine: any KeyValueEngine, settings: ShardSettings = ShardSettings()
    ) {
        self.address = address
        self.engine = engine
        self.settings = settings
    }

    /// Nothing here waits for a time: deadlines are the gateway's.
    package var nextDeadline: Instant? { nil }

    /// Whether no request is in hand.
    package var isIdle: Bool { requests.isEmpty && atDisk.isEmpty && turnBatch.isEmpty }

    package mutating func step(
        _ event: consuming Event, at now: Now, into effects: inout Effects
    ) {
        switch consume event {
        case .received(let envelope): receive(envelope, at: now, into: &effects)
        case .turnEnded: persistTurn(into: &effects)
        case .persisted(let token): finish(token, .success(()), at: now, into: &effects)
        case .persistFailed(let token, let error):
            finish(token, .failure(error), at: now, into: &effects)
        case .readFinished(let token, let result):
            finishRead(token, result, at: now, into: &effects)
        case .diskSpace(let space): disk = space
        case .deadlineReached: break
        case .storeFailed, .stopping, .request, .cancelled, .scraped:
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
        requests[place.request]?.outcomes[place.index] = outcome
        requests[place.request]?.missing -= 1
        guard let request = requests[place.request], request.missing == 0 else { return }
        requests.remove(place.request)
        let outcomes = request.outcomes.map { outcome in
            outcome ?? .refused(.storageFailed("no outcome"))
        }
        reply(request.number, outcomes, to: request.requester, into: &effects)
    }

    /// Replies at once with what is known of a request whose time is over.
    private mutating func expire(
        _ number: RegionRequest.Number, from requester: UnitAddress, into effects: inout Effects
    ) {
        let found = requests.handles.first {
            requests[$0]?.number == number && requests[$0]?.requester == requester
        }
        guard let handle = found, let request = requests.remove(handle) else { return }
        var outcomes = request.outcomes
        for index in outcomes.indices where outcomes[index] == nil {
            outcomes[index] = .refused(.deadlineExceeded)
        }
        for write in writes.handles where writes[write]?.place.request == handle {
            guard let task = writes[write] else { continue }
            if task.isAtDisk {
                if settings.mutations.has(.timeoutMeansNotDone) { continue }
                outcomes[task.place.index] = .refused(.outcomeUnknown(Self.stillAtDisk))
            } else {
                withdraw(write)
            }
        }
        reply(number, outcomes.compactMap { $0 }, to: requester, into: &effects)
    }

    private static let stillAtDisk =
        "the write was on its way to the disk when its time was over"
}

/// Sizes that a simulation sets smaller than production does.
package struct ShardSettings: Sendable {
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
        self.unsyncedBytesLimit = unsyncedBytesLimit
        self.readsWaitingLimit = max(1, readsWaitingLimit / cores)
        self.entriesScannedInline = entriesScannedInline
    }
}

/// A request of which not every command has its outcome.
struct PendingRequest: Sendable {
    typealias Handle = Slab<PendingRequest>.Handle

    var requester: UnitAddress
    var number: RegionRequest.Number
    var outcomes: [RawOutcome?]
    var missing: Int
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

struct AtDisk: Sendable {
    var token: PersistToken
    var writes: [WriteTask.Handle]
    var byteCount: Int
    var storesNothing: Bool
}
