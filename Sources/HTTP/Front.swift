/// The HTTP side of one event loop: its connections, and the way of every answer back to one of
/// them.
///
/// Used on its loop only. Connections sit in slots with generations, so that an answer that comes
/// after its connection has gone finds nobody instead of somebody else.
package import API
package import Base
internal import Failpoints
internal import Injection
package import Logging
package import NIOCore

package final class Front {
    package let loop: any EventLoop
    let state: FrontState
    let logger: Logger
    /// Set once by the core, before the first connection.
    package weak var serving: (any Serving)?
    package private(set) var isDraining = false

    private struct Slot {
        var generation: UInt32 = 0
        var connection: Connection?
    }

    private var slots: [Slot] = []
    private var freeSlots: [UInt32] = []
    private var dirty: [Connection] = []
    private var paused: [Connection] = []
    private var flushIsScheduled = false
    private var isTicking = false
    private var whenEmpty: (() -> Void)?

    /// - Parameter names: for the requests that it answers by itself.
    package init(
        loop: any EventLoop, settings: FrontSettings, names: RequestNames, logger: Logger
    ) {
        self.loop = loop
        self.logger = logger
        state = FrontState(settings: settings, names: names, logger: logger)
    }

    package var counters: FrontCounters { state.counters }

    // MARK: Connections

    /// Takes a channel that was accepted for this loop, before it is active. False: it has to be
    /// closed.
    package func accept(_ channel: any Channel) -> Bool {
        guard state.failpoints.reached(.acceptConnection) != .closed, !isDraining,
            state.counters.connectionsOpen < state.settings.connections
        else {
            state.counters.connectionsRefused += 1
            return false
        }
        if !isTicking { startTicking() }
        let slot: UInt32
        if let reused = freeSlots.popLast() {
            slot = reused
        } else {
            slot = UInt32(slots.count)
            slots.append(Slot())
        }
        slots[Int(slot)].generation &+= 1
        let connection = Connection(
            front: self, slot: slot, generation: slots[Int(slot)].generation)
        slots[Int(slot)].connection = connection
        state.counters.connectionsOpen += 1
        state.counters.connectionsAccepted += 1
        do {
            try channel.pipeline.syncOperations.addHandler(connection)
            return true
        } catch {
            // The channel closed meanwhile.
            remove(connection, reason: .failed, cancelling: [])
            return false
        }
    }

    func remove(_ connection: Connection, reason: CloseReason, cancelling streams: [Int32]) {
        let slot = Int(connection.slot)
        guard slots[slot].connection === connection else { return }
        slots[slot].connection = nil
        freeSlots.append(connection.slot)
        state.counters.connectionsOpen -= 1
        state.counters.connectionsClosed[reason] += 1
        if reason == .flood { logger.notice("connection cut off: its budget is used up") }
        for stream in streams { cancel(connection.exchange(stream)) }
        resumePaused()
        if isDraining, isEmpty { becomeEmpty() }
    }

    // MARK: Requests and answers

    func serve(_ request: Request, _ exchange: ExchangeID) {
        serving?.serve(request, exchange)
    }

    func open(_ exchange: ExchangeID, from source: StreamSource) {
        serving?.open(exchange, from: source)
    }

    func receive(_ bytes: Bytes, _ exchange: ExchangeID) { serving?.receive(bytes, exchange) }

    func cancel(_ exchange: ExchangeID) {
        serving?.cancel(exchange)
    }

    /// Answers a request: within `Serving.serve`, or later. Dropped if the connection or stream is
    /// gone.
    package func respond(_ exchange: ExchangeID, _ response: Response) {
        let slot = Int(exchange.slot)
        guard slot < slots.count, slots[slot].generation == exchange.generation else { return }
        if state.failpoints.reached(.httpAnswer) == .closed {
            slots[slot].connection?.close(.failed)
        } else {
            slots[slot].connection?.respond(exchange.stream, response)
        }
        if !paused.isEmpty { resumePaused() }
    }

    /// Ends a stream of another store.
    package func refuse(_ exchange: ExchangeID, _ problem: Problem) {
        respond(exchange, state.refuse(problem))
    }

    /// More of the answer to a stream of another store; the first of it takes the stream.
    /// - Parameter limit: of the bytes that wait unsent; a stream that is gone takes everything.
    /// - Returns: false if it is passed, and then nothing is taken.
    @discardableResult
    package func answer(_ exchange: ExchangeID, _ bytes: Bytes, limit: Int = .max) -> Bool {
        connection(of: exchange)?.answer(exchange.stream, bytes, limit: limit) ?? true
    }

    /// Ends such an answer behind all that was put into it.
    package func finish(_ exchange: ExchangeID) {
        connection(of: exchange)?.finish(exchange.stream)
    }

    /// So many bytes of such a stream have been dealt with.
    package func consume(_ exchange: ExchangeID, _ count: Int) {
        connection(of: exchange)?.consume(exchange.stream, count)
    }

    private func connection(of exchange: ExchangeID) -> Connection? {
        let slot = Int(exchange.slot)
        guard slot < slots.count, slots[slot].generation == exchange.generation else { return nil }
        return slots[slot].connection
    }

    /// The work for a request that was cancelled has ended without an answer: its stream's place is
    /// free again.
    package func release(_ exchange: ExchangeID) {
        let slot = Int(exchange.slot)
        guard slot < slots.count, slots[slot].generation == exchange.generation else { return }
        slots[slot].connection?.release(exchange.stream)
        if !paused.isEmpty { resumePaused() }
    }

    /// Sends what was answered since the last time: one write per connection. Comes by itself at
    /// the end of the turn; a host that knows that its turn is over may call it sooner.
    package func flush() {
        while let connection = dirty.popLast() {
            if connection.isDirty { connection.flush() }
        }
    }

    func enqueueFlush(_ connection: Connection) {
        dirty.append(connection)
        guard !flushIsScheduled else { return }
        flushIsScheduled = true
        loop.assumeIsolated().execute {
            self.flushIsScheduled = false
            self.flush()
        }
    }

    /// A connection that does not read because too many bytes of requests are in memory.
    func pause(_ connection: Connection) { paused.append(connection) }

    private func resumePaused() {
        guard state.requestBytesFit, !paused.isEmpty else { return }
        let waiting = paused
        paused = []
        for connection in waiting {
            connection.isQueued = false
            connection.resumeReading()
        }
    }

    // MARK: Time

    /// One scan per second while there are connections: a timer for each request would cost more
    /// than the request.
    private func startTicking() {
        isTicking = true
        state.refreshDate()
        scheduleTick()
    }

    private func scheduleTick() {
        loop.assumeIsolated().scheduleTask(in: .seconds(1)) { [weak self] in self?.passSecond() }
    }

    private func passSecond() {
        state.advanceTick()
        for index in slots.indices { slots[index].connection?.advance() }
        resumePaused()
        flush()
        if state.counters.connectionsOpen == 0 { isTicking = false } else { scheduleTick() }
    }

    // MARK: The end

    /// Takes no more connections and ends those that are open as soon as their requests are
    /// answered.
    package func drain(whenEmpty: @escaping () -> Void) {
        self.whenEmpty = whenEmpty
        isDraining = true
        for index in slots.indices { slots[index].connection?.drain() }
        flush()
        if isEmpty { becomeEmpty() }
    }

    /// Other stores are needed to the last: what is in flight may wait for them.
    private var isEmpty: Bool {
        state.counters.connectionsOpen == state.counters.connectionsOfPeers
    }

    private func becomeEmpty() {
        let call = whenEmpty
        whenEmpty = nil
        call?()
    }
}
