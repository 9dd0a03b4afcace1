/// A whole world in one thread: nodes, their disks and clocks, and the clients, from one seed.
///
/// Everything that happens is an event on one agenda; every choice is drawn from a stream of its
/// concern, so that a draw added to one does not shift the others. A world first runs with faults,
/// then without: then everything must be answered and nothing may be left over.
///
/// It mirrors `Runtime` and decides nothing that a node decides. It leaves out bytes on the wire:
/// requests and responses travel as values.
internal import API
internal import Base
package import Failpoints
package import Node
package import Raft
internal import Regions
internal import Storage

package struct WorldOptions: Sendable {
    package var seed: UInt64
    package var duration: Duration
    package var nodes = 1
    /// nil: drawn from the seed.
    package var shape: Shape?
    package var script: [[ScriptStep]]?
    package var crashPoint: CrashPoint?
    /// nil: drawn with the shape.
    package var failpoints: [FailpointSetting]?
    package var hostBug: HostBug?
    package var mutations = Mutations()
    package var raftMutations = RaftMutations()
    /// How many of the last lines of the trace are kept for a report.
    var traceLines = 0

    package init(seed: UInt64, duration: Duration = .seconds(2)) {
        self.seed = seed
        self.duration = duration
    }
}

package final class World {
    package let options: WorldOptions
    package let shape: Shape
    var agenda = Agenda()
    package internal(set) var trace: Trace
    package internal(set) var history = History()
    package internal(set) var violations: [Violation] = []
    /// Hears of each at once: a world with a bug may end in a trap.
    package var violationSink: ((CheckerName) -> Void)?
    let progress = MonotonicProgress()
    let commitment = Commitment()
    var nodes: [SimNode] = []
    var clients: SimClients

    var diskStream: SeededGenerator
    var crashStream: SeededGenerator
    var clockStream: SeededGenerator
    var hostStream: SeededGenerator
    var networkStream: SeededGenerator
    var strikeStream: SeededGenerator
    var network: SimNetwork
    package internal(set) var partitionCount = 0
    /// Of the fault `partition`, which replaces its last one.
    var lastDrawnCut: Int?
    var transfers: [Int: SnapshotTransfer] = [:]
    var transferCount = 0
    package internal(set) var snapshotCount = 0
    package internal(set) var operation: SimOperator
    var elections = ElectionSafety()
    var votes = VoteOnce()
    var logs = LogMatching()
    var committed = CommittedLog()
    /// No faults from here on.
    let healsAt: Instant
    /// Clients send nothing new from here on.
    let endsAt: Instant
    var syncCount = 0
    var effectOrder = EffectOrder()
    /// How much of what is applied has its place in the order.
    var ordered: LogIndex = 0
    package internal(set) var eventCount = 0
    package internal(set) var crashCount = 0
    var faultTimes: [(fault: Fault, at: Instant)] = []
    package internal(set) var failpointHits: [Failpoint: Int] = [:]
    /// Whether somebody looks on, and what there was to see.
    var isTold = false
    var told: [String] = []
    /// Keys whose operations were too many to search: neither right nor wrong.
    package internal(set) var undecidedCount = 0

    package init(_ options: WorldOptions) {
        self.options = options
        trace = Trace(keeping: options.traceLines)
        var root = SeededGenerator(seed: options.seed)
        var shapeStream = root.split()
        let workloadStream = root.split()
        diskStream = root.split()
        crashStream = root.split()
        clockStream = root.split()
        hostStream = root.split()
        networkStream = root.split()
        var failpointStream = root.split()
        strikeStream = root.split()
        // Worlds that differ in nothing but their crash would all draw the same tail for it.
        for _ in 0..<(options.crashPoint?.sync ?? 0) { _ = crashStream.next() }
        var shape =
            options.shape
            ?? .drawn(nodes: options.nodes, from: &shapeStream, duration: options.duration)
        shape.failpoints = options.failpoints ?? shape.failpoints
        self.shape = shape
        network = SimNetwork(shape: shape)
        healsAt = .origin + shape.duration
        endsAt = healsAt + .milliseconds(500)
        // From a copy, so that nothing else is drawn differently.
        var copy = workloadStream
        clients = SimClients(
            shape: shape, script: options.script, generator: workloadStream, asks: copy.split())
        let wall = WallTime(milliseconds: 1_700_000_000_000 + clockStream.next() % 1_000_000_000)
        operation = SimOperator(stores: shape.nodes + shape.spares, generator: root.split())
        for id in 0..<shape.nodes + shape.spares {
            // Each to its own side: the largest difference is twice the drift.
            let drift = shape.driftPartsPerMillion * (id % 2 == 0 ? 1 : -1)
            let clock = SimClock(wall: wall, driftPartsPerMillion: drift)
            let table = FailpointTable(shape.failpoints, generator: failpointStream.split())
            nodes.append(
                SimNode(
                    id: id, founders: shape.nodes, clock: clock, failpoints: table,
                    bug: options.hostBug))
        }
    }

    func begin() {
        for node in nodes { start(node) }
        for client in 0..<clients.count {
            agenda.schedule(.clientActs(client), after: hostStream.next() % 1_000_000)
        }
        for (fault, every) in shape.faults { scheduleNext(fault, every) }
        agenda.schedule(.heals, at: healsAt)
    }

    /// Runs to the end.
    package func run() {
        begin()
        if shape.hasOperator { agenda.schedule(.operatorLooks, after: 100_000_000) }
        drain()
        checkAnswered()
        checkConverged()
        // The last look: with everything healed, what is there, and can every key still be written?
        clients.beginVerification()
        agenda.schedule(.clientActs(clients.verifier), after: 1_000_000)
        drain()
        checkAnswered()
        checkNothingIsLeft()
        checkConverged()
        violations += checkHistory()
    }

    /// Takes events until all is at rest, or until far too much time has passed. What is left on
    /// the agenda of a world at rest are deadlines of requests long answered.
    private func drain() {
        // Within that several nodes have to agree again.
        let limit = agenda.now + shape.duration + .seconds(nodes.count > 1 ? 30 : 120)
        while let next = agenda.nextInstant, next < limit, violations.count < 20, !isAtRest {
            takesNext()
        }
    }

    func takesNext() {
        guard let event = agenda.next() else { return }
        eventCount += 1
        if mayHappen(event) { handle(event) }
    }

    /// Whether nothing can happen any more unless a client begins it, and none will.
    var isAtRest: Bool {
        guard agenda.now >= endsAt || options.script != nil else { return false }
        return clients.areDone && nodes.allSatisfy { $0.isUp && $0.isIdle } && hasConverged
            && operation.asked == nil
    }

    /// Printed with the hash: equal at the end of two runs that drew equally often.
    package var finalDraws: UInt64 {
        networkStream.peek ^ diskStream.peek ^ crashStream.peek ^ clockStream.peek ^ hostStream.peek
            ^ clients.generator.peek ^ strikeStream.peek
    }

    package var simulatedTime: Duration { agenda.now.since(.origin) }

    func violate(_ checker: CheckerName, _ message: String) {
        violations.append(Violation(checker: checker, message: message))
        violationSink?(checker)
        tell("VIOLATION \(checker)")
        note(-1, .named("violation"), message)
    }

    /// A line of the trace that is no unit's event.
    func note(_ node: Int, _ place: Trace.Place, _ text: String) {
        trace.note(agenda.now, node: node, place, .text(text))
    }

    private func handle(_ event: WorldEvent) {
        switch event {
        case .arrives(let place, let unit, let event): arrives(place, unit, event)
        case .turn(let place): turn(place)
        case .deadline(let place, let instant): deadline(place, instant)
        case .writes(let part, let node, let life): writes(part, nodes[node], life)
        case .reports(let part, let node, let life): reports(part, nodes[node], life)
        case .flushes(let node, let life): flushes(nodes[node], life)
        case .reads(let place, let read): reads(place, read)
        case .answered(let exchange, let response, let node, let life):
            if nodes[node].incarnation == life, nodes[node].isUp {
                answered(exchange, response, nodes[node])
            }
        case .clientActs(let client): clientActs(client)
        case .clientLeaves(let exchange, let node, let life):
            if nodes[node].incarnation == life, nodes[node].isUp { clientLeaves(exchange, node) }
        case .fault(let fault): happens(fault)
        case .resumes(let place): resumes(place)
        case .diskHasRoom(let node, let life):
            if nodes[node].incarnation == life { setDiskFull(nodes[node], false) }
        case .stops(let node, let life):
            if nodes[node].incarnation == life, nodes[node].isUp { crash(nodes[node]) }
        case .restarts(let node): start(nodes[node])
        case .carries(let cargo, let link): carries(cargo, link)
        case .learnsLoss(let node, let life, let peer):
            network.underWay -= 1
            if nodes[node].incarnation == life, nodes[node].isUp {
                learnsLoss(nodes[node], of: peer)
            }
        case .transfers(let transfer): goesOn(transfer)
        case .mends(let partition): mends(partition)
        case .strikes(let node, let life, let kinds):
            if nodes[node].incarnation == life { strikes(nodes[node], among: kinds) }
        case .cuts(let links, let length, let other):
            cuts(links, for: length, restarts: other)
        case .operatorLooks: operatorLooks()
        case .heals: network.heal()
        case .goesOn: break
        case .looksAtSpace(let node, let life): looksAtSpace(nodes[node], life)
        case .keptBack(let event): handle(event)
        }
    }
}
