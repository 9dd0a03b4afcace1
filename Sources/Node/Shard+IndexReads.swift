/// Reads that have to ask first whether this replica still leads: all of one turn ask together, and
/// are carried out when the data has everything that was committed when they came (ReadIndex).
internal import Base
internal import Raft
internal import Regions

struct IndexedRead: Sendable {
    var handle: PendingRequest.Handle
    var request: RegionRequest
    var cameAt: Instant
}

struct IndexReads: Sendable {
    enum Waiting: Sendable {
        case request(IndexedRead)
        /// A write whose condition failed.
        case unwritten(WriteTask.Handle)
    }

    /// Of this turn.
    var turn: [Waiting] = []
    /// Asked for, in order.
    var asked: [(id: ReadID, reads: [Waiting])] = []
    var count = 0
    private var lastID: UInt64 = 0

    var isEmpty: Bool { count == 0 }

    mutating func add(_ waiting: Waiting) {
        turn.append(waiting)
        count += 1
    }

    mutating func ask() -> ReadID? {
        guard !turn.isEmpty else { return nil }
        lastID += 1
        asked.append((ReadID(lastID), turn))
        turn = []
        return ReadID(lastID)
    }

    mutating func take(_ id: ReadID) -> [Waiting] {
        guard let place = asked.firstIndex(where: { $0.id == id }) else { return [] }
        let reads = asked.remove(at: place).reads
        count -= reads.count
        return reads
    }

    mutating func takeAll() -> [Waiting] {
        defer { self = IndexReads(after: lastID) }
        return asked.flatMap(\.reads) + turn
    }

    init() {}

    private init(after id: UInt64) { lastID = id }
}

extension Shard {
    mutating func beginWithoutLease(
        _ request: RegionRequest, from requester: UnitAddress, at now: Now,
        into effects: inout Effects
    ) {
        guard let replica else {
            passOn(.request(request), from: requester, into: &effects)
            return
        }
        let refusal: Refusal? =
            if failure != nil || replica.raft.role != .leader {
                .noLeader
            } else if indexReads.count >= Limits.readsForIndex {
                .overloaded(resource: .readerQueue)
            } else {
                nil
            }
        if let refusal {
            let refused = request.commands.map { refuse($0, refusal) }
            reply(request.number, refused, to: requester, into: &effects)
            return
        }
        let handle = insert(request, from: requester)
        indexReads.add(
            .request(IndexedRead(handle: handle, request: request, cameAt: now.instant)))
    }

    mutating func askForIndex(at now: Now, into effects: inout Effects) {
        guard let id = indexReads.ask() else { return }
        stepReplica(.read(id), at: now, into: &effects)
    }

    mutating func readIndexed(_ id: ReadID, at now: Now, into effects: inout Effects) {
        guard id != .catchUp else { return caughtUp(into: &effects) }
        for waiting in indexReads.take(id) {
            switch waiting {
            case .request(let waiting) where requests.contains(waiting.handle):
                readIndexed(waiting, at: now, into: &effects)
            case .request: break
            case .unwritten(let write): confirmed(write, at: now, into: &effects)
            }
        }
    }

    private mutating func readIndexed(
        _ waiting: IndexedRead, at now: Now, into effects: inout Effects
    ) {
        guard let rule = waiting.request.rule else {
            counters.indexReads += 1
            read(waiting.request, waiting.handle, isCold: false, at: now, into: &effects)
            return
        }
        replica?.wasCurrent(at: waiting.cameAt)
        readIndexed(waiting, by: rule, at: now, into: &effects)
    }

    mutating func refuseIndexed(
        _ id: ReadID, _ refusal: Refusal, at now: Now, into effects: inout Effects
    ) {
        if id == .catchUp { catchUp = .behind }
        refuse(indexReads.take(id), refusal, at: now, into: &effects)
    }

    mutating func refuseAllIndexed(at now: Now, into effects: inout Effects) {
        refuse(indexReads.takeAll(), .noLeader, at: now, into: &effects)
        for waiting in waitingForData { refuse(waiting, .noLeader, into: &effects) }
        waitingForData = []
    }

    private mutating func refuse(
        _ reads: [IndexReads.Waiting], _ refusal: Refusal, at now: Now,
        into effects: inout Effects
    ) {
        for waiting in reads {
            switch waiting {
            case .request(let waiting): refuse(waiting, refusal, into: &effects)
            case .unwritten(let write): abandon(write, refusal, at: now, into: &effects)
            }
        }
    }

    mutating func refuse(
        _ waiting: IndexedRead, _ given: Refusal, into effects: inout Effects
    ) {
        let refusal = given == .noLeader ? reason(waiting, orElse: given) : given
        for (index, command) in waiting.request.commands.enumerated() {
            let place = CommandPlace(request: waiting.handle, index: index)
            complete(place, refuse(command, refusal), into: &effects)
        }
    }
}
