/// One event loop and everything that lives on it: the front with its connections, a gateway, a
/// shard.
///
/// The core is the host of habits.md §1: it hands events to the units and executes their effects.
/// Nothing here decides. Within the core nothing is locked; other cores and the disk reach it
/// through one inbox, an array behind a mutex that is swapped whole, with a wake-up only when it
/// stops being empty (a wake-up costs tens of microseconds, performance.md §8). What arrives in one
/// turn of the loop is persisted as one batch and written to each connection once, when the turn
/// ends.
///
/// A unit's effect can bring about another event at once (an answer frees a connection's next
/// request), so events wait in a queue and one loop takes them: no unit is ever entered while it is
/// being stepped.
internal import API
internal import Base
internal import DequeModule
internal import Failpoints
internal import HTTP
internal import Injection
internal import Logging
internal import NIOCore
internal import NIOPosix
internal import Node
internal import Raft
internal import Regions
internal import Storage
internal import Synchronization
internal import Telemetry

/// An event and the unit of a core that it is for.
struct Delivery: Sendable {
    var unit: UnitAddress.Unit
    var event: Event

    init(to unit: UnitAddress.Unit, _ event: Event) {
        self.unit = unit
        self.event = event
    }
}

/// `@unchecked Sendable`: every stored property but `inbox` is touched only on `loop`, which
/// `assertInEventLoop` guards at each entry; `inbox` is a mutex.
final class Core: Serving, @unchecked Sendable {
    let index: Int
    let loop: any EventLoop
    let front: Front
    private var units: Units
    private let services: Services
    private let inbox = Mutex(Inbox())

    private var queue: Deque<Delivery> = []
    private var isRunning = false
    private var turnIsOpen = false
    private var turnWall = Clocks.wall()
    private var logged: [StoreWorkers.LogItem] = []
    private var applied: [StoreWorkers.DataItem] = []
    /// Handed over, in `applied` or with the worker, and not reported yet.
    private var appliesUnderWay = 0
    /// Of the reads that are with reader threads.
    private var stopFlags: [ReadToken: StopFlag] = [:]
    private var outgoing: [[Envelope]]
    /// For other stores.
    private var leaving: [Envelope] = []
    /// The streams of other stores that come here.
    private var peerStreams: Set<ExchangeID> = []
    private var deadline: (at: Instant, task: Scheduled<Void>)?
    /// Fulfilled once, when requests are first taken.
    let serving: EventLoopPromise<Void>
    private var isServing = false

    private struct Inbox: Sendable {
        var events: [Delivery] = []
    }

    /// The units and the buffers that their effects travel in. Apart from the rest of the core, so
    /// that a run of many events borrows them once: what effects call back into touches only
    /// `queue`.
    private struct Units: ~Copyable {
        var gateway: Gateway
        var shard: Shard
        var effects: Effects = []

        mutating func step(
            _ delivery: consuming Delivery, at now: Now, _ execute: (consuming Effect) -> Void
        ) {
            switch delivery.unit {
            case .gateway: gateway.step(delivery.event, at: now, into: &effects)
            case .shard: shard.step(delivery.event, at: now, into: &effects)
            }
            while let effect = effects.popFirst() { execute(effect) }
        }
    }

    /// What the core uses of the node around it.
    struct Services: Sendable {
        var append: @Sendable ([StoreWorkers.LogItem]) -> Void
        var apply: @Sendable ([StoreWorkers.DataItem]) -> Void
        /// A replica has found its log damaged.
        var damaged: @Sendable (StorageError) -> Void
        /// Applies it now, or returns nil.
        var applyAtOnce: @Sendable (LogApply) -> Event?
        /// A write found no room on the disk.
        var refusedForSpace: @Sendable () -> Void
        var readers: ReaderPool
        var coreCount: Int
        var failpoints: FailpointRegistry
        var access: AccessLog
        var post: @Sendable (_ core: Int, _ events: [Delivery]) -> Void
        var scrape: @Sendable (_ core: Int, _ token: ScrapeToken) -> Void
        var peers: PeerHub
        var stores: StoreDirectory
        var sendFromLog: @Sendable (GroupID, RaftMessage) -> Void
        var openView: @Sendable () -> any EngineView
    }

    init(
        index: Int, loop: any EventLoop, front: Front, gateway: consuming Gateway,
        shard: consuming Shard, services: Services
    ) {
        self.index = index
        self.loop = loop
        self.front = front
        units = Units(gateway: gateway, shard: shard)
        self.services = services
        outgoing = Array(repeating: [], count: services.coreCount)
        serving = loop.makePromise()
    }

    // MARK: Serving

    /// Lets the units see the time for the first time.
    func start() { loop.execute { self.handle(.shard, .deadlineReached) } }

    func serve(_ request: Request, _ exchange: ExchangeID) {
        if let problem = services.failpoints.refusal(of: request) {
            return handle(.gateway, .refused(exchange, request, problem))
        }
        handle(.gateway, .request(exchange, request))
    }

    func open(_ exchange: ExchangeID, from source: StreamSource) {
        peerStreams.insert(exchange)
        services.peers.opened(core: index, exchange, from: source)
    }

    func receive(_ bytes: Bytes, _ exchange: ExchangeID) {
        services.peers.received(bytes, core: index, exchange)
    }

    func cancel(_ exchange: ExchangeID) {
        guard peerStreams.isEmpty || peerStreams.remove(exchange) == nil else {
            return services.peers.closed(core: index, exchange)
        }
        services.failpoints.reached(.gatewayCancel)
        handle(.gateway, .cancelled(exchange))
    }

    // MARK: From other threads

    /// Hands events to this core's units, in order, from any thread.
    func post(_ events: [Delivery]) {
        let mustWake = inbox.withLock { inbox in
            defer { inbox.events.append(contentsOf: events) }
            return inbox.events.isEmpty
        }
        if mustWake { loop.execute { self.takeInbox() } }
    }

    private func takeInbox() {
        loop.assertInEventLoop()
        services.failpoints.reached(.coreInbox)
        let events = inbox.withLock { inbox in
            let events = inbox.events
            inbox.events = []
            return events
        }
        for delivery in events {
            switch delivery.event {
            case .readFinished(let token, _): stopFlags[token] = nil
            case .applied: appliesUnderWay -= 1
            default: break
            }
        }
        queue.append(contentsOf: events)
        run()
    }

    // MARK: The loop

    private func handle(_ unit: UnitAddress.Unit, _ event: Event) {
        loop.assertInEventLoop()
        queue.append(Delivery(to: unit, event))
        run()
    }

    private func run() {
        guard !isRunning else { return }
        isRunning = true
        openTurn()
        takeQueue()
        isRunning = false
    }

    /// One reading of the wall clock serves the whole turn. The other clock is read again for a
    /// gateway, so that a request that is answered at once has taken its time all the same.
    private func takeQueue() {
        var now = Now(instant: Clocks.monotonic(), wall: turnWall)
        while let next = queue.popFirst() {
            units.step(next, at: now) { execute($0) }
            if queue.first?.unit == .gateway { now.instant = Clocks.monotonic() }
        }
    }

    private func execute(_ effect: consuming Effect) {
        switch consume effect {
        case .send(let envelope) where envelope.to.store != nil: leaving.append(envelope)
        case .sendFromLog(let group, let message): services.sendFromLog(group, message)
        case .changed(let id, let result): services.stores.changed(id, result)
        case .commandStores(let token, let command):
            services.stores.perform(command, core: index, token)
        case .sendSnapshot(let group, let replica, let term, let beat, let index):
            let wanted = SnapshotWanted(
                group: group, to: replica, term: term, beat: beat, atLeast: index)
            // As the data is now, before anything else happens to it.
            let view = services.openView()
            loop.execute { self.services.peers.sendSnapshot(wanted, view) }
        case .stopSnapshots:
            loop.execute { self.services.peers.stopSnapshots() }
        case .discardSnapshot(_, let position): services.peers.settings.depot.discard(position)
        case .send(let envelope):
            if let reply = services.failpoints.reply(to: envelope) {
                queue.append(Delivery(to: .gateway, .received(reply)))
            } else if envelope.to.core == index {
                queue.append(Delivery(to: envelope.to.unit, .received(envelope)))
            } else {
                outgoing[envelope.to.core].append(envelope)
            }
        case .respond(let exchange, let response, let access):
            front.respond(exchange, response)
            services.access.write(access)
        case .released(let exchange):
            front.release(exchange)
        case .append(let append): logged.append(.append(core: index, append))
        case .compact(let group, let base): logged.append(.compact(group, base))
        case .apply(let apply):
            services.failpoints.reached(.dataQueue)
            if appliesUnderWay == 0, let done = services.applyAtOnce(apply) {
                queue.append(Delivery(to: .shard, done))
            } else {
                appliesUnderWay += 1
                applied.append(.apply(core: index, apply))
            }
        case .damaged(let error): services.damaged(error)
        case .refusedForSpace: services.refusedForSpace()
        case .read(let token, let read, let view, let wall):
            let stop = StopFlag()
            stopFlags[token] = stop
            services.failpoints.reached(.readQueue)
            services.readers.run(read, view, at: wall, until: stop) { [self] result in
                post([Delivery(to: .shard, .readFinished(token, result))])
            }
        case .stopRead(let token):
            services.failpoints.reached(.readStop)
            stopFlags[token]?.set()
        case .scrape(let token):
            services.scrape(index, token)
        case .commandFailpoints(let token, let command):
            let states = services.failpoints.perform(command)
            queue.append(Delivery(to: .gateway, .failpoints(token, states)))
        }
    }

    /// Of the replica here, between two steps; nil where there is none.
    var groupStatus: GroupStatus? {
        loop.assertInEventLoop()
        return units.shard.groupStatus
    }

    // MARK: Turns

    /// Everything that the loop has ready runs before this turn's end: NIO takes tasks after I/O
    /// events.
    private func openTurn() {
        guard !turnIsOpen else { return }
        turnIsOpen = true
        turnWall = Clocks.wall()
        loop.execute { self.endTurn() }
    }

    private func endTurn() {
        turnIsOpen = false
        isRunning = true
        queue.append(Delivery(to: .shard, .turnEnded))
        queue.append(Delivery(to: .gateway, .turnEnded))
        takeQueue()
        isRunning = false
        submit()
        for core in outgoing.indices where !outgoing[core].isEmpty {
            services.failpoints.reached(.corePost)
            services.post(core, outgoing[core].map { Delivery(to: $0.to.unit, .received($0)) })
            outgoing[core].removeAll(keepingCapacity: true)
        }
        if !leaving.isEmpty {
            services.peers.send(leaving)
            leaving.removeAll(keepingCapacity: true)
        }
        front.flush()
        scheduleDeadline()
    }

    private func submit() {
        if !applied.isEmpty {
            services.apply(applied)
            applied.removeAll(keepingCapacity: true)
        }
        if !logged.isEmpty {
            services.failpoints.reached(.logQueue)
            services.append(logged)
            logged.removeAll(keepingCapacity: true)
        }
        if !isServing, units.shard.takesRequests {
            isServing = true
            serving.succeed()
        }
    }

    /// NIO runs tasks until none is due, and only then looks at its sockets: one that is due at
    /// once, turn after turn, would shut them out. So even a time that has come is a little ahead.
    private static let restMin: TimeAmount = .microseconds(20)

    private func scheduleDeadline() {
        let deadlines = [units.gateway.nextDeadline, units.shard.nextDeadline]
        guard let next = deadlines.compactMap({ $0 }).min() else { return }
        if let deadline, deadline.at <= next { return }
        deadline?.task.cancel()
        let rest = next.since(Clocks.monotonic()).wholeNanoseconds
        let delay = max(.nanoseconds(Int64(clamping: rest)), Self.restMin)
        let task = loop.scheduleTask(in: delay) {
            self.deadline = nil
            self.services.failpoints.reached(.coreDeadline)
            self.handle(.gateway, .deadlineReached)
            self.handle(.shard, .deadlineReached)
        }
        deadline = (next, task)
    }

    /// What this core's units and connections count.
    func measure() -> Scrape {
        loop.assertInEventLoop()
        var scrape = Scrape()
        units.gateway.measure(into: &scrape)
        units.shard.measure(into: &scrape)
        front.measure(into: &scrape)
        if index == 0 { services.peers.measure(into: &scrape) }
        return scrape
    }
}
