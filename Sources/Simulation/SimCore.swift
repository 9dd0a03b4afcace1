/// One core of a simulated node: the same loop as in `Runtime`, with an inbox instead of a socket.
///
/// What is in the inbox when the core's turn comes is one turn: every event is stepped with one
/// reading of the clocks, then the shard is told that the turn has ended, then what the turn
/// produced leaves.
internal import API
internal import Base
internal import DequeModule
internal import Node
internal import Raft
internal import Regions
internal import Storage
internal import Telemetry

final class SimCore {
    /// What leaves a core when its turn has ended.
    struct Read {
        var token: ReadToken
        var read: RawRead
        var view: (any EngineView)?
        var wall: WallTime
    }

    struct SnapshotWanted: Sendable {
        var to: ReplicaID
        var term: Term
        var beat: Beat
        var atLeast: LogIndex
    }

    struct Output {
        var logged: [SimDisk.LogItem] = []
        var applied: [SimDisk.DataItem] = []
        var damage: StorageError?
        var reads: [Read] = []
        var envelopes: [Envelope] = []
        /// Appends whose entries' bytes are in the log only.
        var fromLog: [RaftMessage] = []
        var snapshots: [SnapshotWanted] = []
        var stopsSnapshots = false
        var discarded: [LogPosition] = []
        var changed: [(id: GroupChangeID, result: GroupChangeResult)] = []
        var responses: [(exchange: ExchangeID, response: Response)] = []
    }

    let index: Int
    private let incarnation: Int
    var gateway: Gateway
    var shard: Shard
    private(set) var inbox: [(unit: UnitAddress.Unit, event: Event)] = []
    var turnIsScheduled = false
    var pausedUntil: Instant?
    /// The deadline for which an event is on the agenda.
    var scheduledDeadline: Instant?
    /// When the last thing from each source arrives here: a source's things stay in order.
    var lastArrivals: [Int: Instant] = [:]
    /// Nobody waits for these reads any more.
    var stoppedReads: Set<ReadToken> = []
    private let bug: HostBug?

    private var queue: Deque<(unit: UnitAddress.Unit, event: Event)> = []
    private var effects: Effects = []

    init(
        index: Int, incarnation: Int, gateway: consuming Gateway, shard: consuming Shard,
        bug: HostBug?
    ) {
        self.index = index
        self.incarnation = incarnation
        self.gateway = gateway
        self.shard = shard
        self.bug = bug
    }

    func receive(_ unit: UnitAddress.Unit, _ event: Event) { inbox.append((unit, event)) }

    /// Takes the first `count` events of the inbox as one turn.
    func turn(
        taking count: Int, at now: Now, trace: (_ unit: UnitAddress.Unit, Trace.Content) -> Void
    ) -> Output {
        var output = Output()
        queue.append(contentsOf: inbox.prefix(count))
        inbox.removeFirst(min(count, inbox.count))
        run(at: now, &output, trace)
        queue.append((.shard, .turnEnded))
        queue.append((.gateway, .turnEnded))
        run(at: now, &output, trace)
        return output
    }

    private func run(
        at now: Now, _ output: inout Output,
        _ trace: (_ unit: UnitAddress.Unit, Trace.Content) -> Void
    ) {
        while let (unit, event) = queue.popFirst() {
            trace(unit, .event(event))
            switch unit {
            case .gateway: gateway.step(event, at: now, into: &effects)
            case .shard: shard.step(event, at: now, into: &effects)
            }
            while let effect = effects.popFirst() {
                trace(unit, .effect(effect))
                execute(effect, &output)
            }
        }
    }

    private func execute(_ effect: Effect, _ output: inout Output) {
        switch effect {
        case .send(let envelope):
            if envelope.to.store == nil, envelope.to.core == index {
                queue.append((envelope.to.unit, .received(envelope)))
            } else {
                output.envelopes.append(envelope)
            }
        case .respond(let exchange, var response, _):
            if bug == .tagChangesAtRestart, incarnation > 1, let tag = response.entityTag {
                response.entityTag = Fingerprint(high: tag.low, low: tag.high)
            }
            output.responses.append((exchange, response))
            if bug == .respondedTwice { output.responses.append((exchange, response)) }
        case .sendFromLog(_, let message): output.fromLog.append(message)
        case .sendSnapshot(_, let id, let term, let beat, let least):
            output.snapshots.append(
                SnapshotWanted(to: id, term: term, beat: beat, atLeast: least))
        case .stopSnapshots:
            output.snapshots = []
            output.stopsSnapshots = true
        case .discardSnapshot(_, let position): output.discarded.append(position)
        case .changed(let id, let result): output.changed.append((id, result))
        case .stopRead(let token): stoppedReads.insert(token)
        case .released: break  // a simulated client holds no stream
        case .refusedForSpace: break  // `World` decides when a simulated disk has room again
        case .append(let append):
            output.logged.append(.append(core: index, append))
            if bug == .reportedBeforeWrite {
                queue.append((.shard, .logged(append.group, append.write.token)))
            }
        case .compact(let group, let base): output.logged.append(.compact(group, base))
        case .apply(let apply):
            output.applied.append(.apply(core: index, apply))
        case .damaged(let error): output.damage = error
        case .read(let token, let read, let view, let wall):
            output.reads.append(Read(token: token, read: read, view: view, wall: wall))
        case .commandFailpoints, .commandStores:
            invariant(false, "a simulated node takes its faults from the world")
        case .scrape(let token):
            var scrape = Scrape()
            gateway.measure(into: &scrape)
            shard.measure(into: &scrape)
            queue.append((.gateway, .scraped(token, scrape)))
        }
    }
}
