/// The client side of a node on one core: routes requests, asks shards, answers.
///
/// A request goes: route → commands → envelopes to the shard that owns them → outcomes → response.
/// The gateway owns what a client is promised: order within a batch, the deadline, the request id,
/// one answer for each request, and an answer that says what is known. It never waits: what is not
/// there yet is in `pending`.
///
/// It leaves out bytes on the wire (`HTTP`), what the routes and answers look like (`API`), and
/// storage (`Shard`).
internal import API
package import Base
internal import Coordination
internal import Regions
internal import Telemetry

package struct Gateway: ~Copyable {
    let address: UnitAddress
    /// The one region's leader; a map of regions takes its place when there are several.
    let shard: UnitAddress
    let facts: NodeFacts
    let router = Router()

    var pending = Slab<PendingExchange>()
    /// No request of `pending` has an earlier deadline. It may be too early: then a look finds
    /// nothing due.
    var earliestDeadline = Instant.distantFuture
    var names: RequestNames
    var largeValues = LargeValues()
    var disk = DiskGuard()
    var isStopping = false
    package internal(set) var counters = GatewayCounters()

    /// - Parameter generator: gives this gateway's request ids their unique part.
    package init(
        address: UnitAddress, shard: UnitAddress, facts: NodeFacts,
        generator: inout SeededGenerator
    ) {
        self.address = address
        self.shard = shard
        self.facts = facts
        names = RequestNames(generator: &generator)
    }

    /// When the gateway wants `deadlineReached`; nil if nothing waits for a time.
    package var nextDeadline: Instant? {
        pending.isEmpty ? nil : earliestDeadline
    }

    /// Whether every request has its answer.
    package var isIdle: Bool { pending.isEmpty }

    package mutating func step(
        _ event: consuming Event, at now: Now, into effects: inout Effects
    ) {
        switch consume event {
        case .request(let exchange, let request):
            begin(request, exchange, at: now, into: &effects)
        case .received(let envelope):
            guard case .reply(let reply) = envelope.body else {
                invariant(false, "a gateway is sent replies only")
                return
            }
            received(reply, at: now, into: &effects)
        case .cancelled(let exchange): cancel(exchange, into: &effects)
        case .deadlineReached: expireDue(at: now, into: &effects)
        case .diskSpace(let space): disk.observe(space)
        case .scraped(let token, let scrape): scraped(token, scrape, at: now, into: &effects)
        case .stopping: isStopping = true
        case .turnEnded: break
        case .persisted, .persistFailed, .readFinished:
            invariant(false, "a gateway gets nothing from the disk")
        }
    }

    // MARK: From a request to its answer

    private mutating func begin(
        _ request: Request, _ exchange: ExchangeID, at now: Now, into effects: inout Effects
    ) {
        counters.requestSize.observe(UInt64(request.body?.count ?? 0))
        let routed = router.route(request, generatedID: names.next())
        let context = ExchangeContext(
            exchange: exchange, method: request.method, route: routed.route,
            requestID: routed.requestID, startedAt: now.instant)
        switch routed.result {
        case .failure(let problem):
            let response = Response(problem, requestID: routed.requestID)
            answer(context, response, at: now, into: &effects)
        case .success(.raw(let raw)):
            ask(raw, context, deadline: deadline(routed.timeout, at: now), into: &effects)
        case .success(.metrics(let format)):
            let deadline = deadline(routed.timeout, at: now)
            let handle = pending.insert(
                PendingExchange(context: context, work: .scrape(format), deadline: deadline))
            noteDeadline(deadline)
            effects.append(.scrape(handle.number))
        case .success(let operation):
            answer(
                context, serviceResponse(operation, context, at: now), at: now, into: &effects)
        }
    }

    private mutating func ask(
        _ request: RawRequest, _ context: ExchangeContext, deadline: Instant,
        into effects: inout Effects
    ) {
        var batch = BatchCoordinator(commands: request.commands)
        guard let run = batch.nextRun() else {
            invariant(false, "a request has at least one command")
            return
        }
        let handle = pending.insert(
            PendingExchange(context: context, work: .raw(request, batch), deadline: deadline))
        noteDeadline(deadline)
        send(run, of: handle, into: &effects)
    }

    private func send(
        _ run: [RawCommand], of handle: PendingExchange.Handle, into effects: inout Effects
    ) {
        let request = RegionRequest(number: handle.number, commands: run)
        effects.append(.send(Envelope(from: address, to: shard, body: .request(request))))
    }

    // Hot path: taken out and, if the batch goes on, put back under a new name, so that nothing is
    // copied.
    private mutating func received(
        _ reply: RegionReply, at now: Now, into effects: inout Effects
    ) {
        let handle = PendingExchange.Handle(number: reply.number)
        // nil: the request has been answered already.
        guard let exchange = pending.remove(handle),
            case .raw(let request, var batch) = exchange.work
        else { return }
        batch.received(reply.outcomes)
        if exchange.isExpired { batch.abandon(.deadlineExceeded) }
        if let run = batch.nextRun() {
            let next = pending.insert(
                PendingExchange(
                    context: exchange.context, work: .raw(request, batch),
                    deadline: exchange.deadline))
            noteDeadline(exchange.deadline)
            send(run, of: next, into: &effects)
            return
        }
        guard !exchange.isCancelled else { return }
        var outcomes = batch.outcomes
        if LargeValues.concern(outcomes) { largeValues.share(&outcomes, for: request.commands) }
        let response = API.respond(
            to: request, with: outcomes, requestID: exchange.context.requestID)
        answer(exchange.context, response, at: now, into: &effects)
    }

    mutating func answer(
        _ context: ExchangeContext, _ response: Response, at now: Now,
        into effects: inout Effects
    ) {
        let duration = now.instant.nanoseconds - context.startedAt.nanoseconds
        counters.count(context, response, nanoseconds: duration)
        let record = AccessRecord(
            method: context.method, route: context.route, status: response.status,
            code: response.problem, requestID: context.requestID, nanoseconds: duration,
            responseBytes: response.body.count)
        effects.append(.respond(context.exchange, response, record))
    }

    // MARK: Deadlines and clients that leave

    private static let timeoutDefault = Limits.requestTimeoutDefault.wholeNanoseconds

    // Hot path: nearly every request has the default, and `Duration` counts in 128 bits.
    private func deadline(_ timeout: Duration, at now: Now) -> Instant {
        timeout == Limits.requestTimeoutDefault
            ? Instant(nanoseconds: now.instant.nanoseconds + Self.timeoutDefault)
            : now.instant + timeout
    }

    private mutating func noteDeadline(_ deadline: Instant) {
        // Alone in `pending`: what was noted before is over.
        earliestDeadline =
            pending.count == 1 ? deadline : min(earliestDeadline, deadline)
    }

    /// Tells the shard to give up what is due, which then replies at once with what it knows.
    private mutating func expireDue(at now: Now, into effects: inout Effects) {
        earliestDeadline = .distantFuture
        for handle in pending.handles {
            guard let exchange = pending[handle], !exchange.isExpired else { continue }
            guard exchange.deadline <= now.instant else {
                earliestDeadline = min(earliestDeadline, exchange.deadline)
                continue
            }
            expire(handle, exchange, at: now, into: &effects)
        }
    }

    private mutating func expire(
        _ handle: PendingExchange.Handle, _ exchange: PendingExchange, at now: Now,
        into effects: inout Effects
    ) {
        switch exchange.work {
        case .raw:
            pending[handle]?.isExpired = true
            let body = Envelope.Body.expire(handle.number)
            effects.append(.send(Envelope(from: address, to: shard, body: body)))
        case .scrape:
            pending.remove(handle)
            let problem = Problem(Refusal.deadlineExceeded)
            let response = Response(problem, requestID: exchange.context.requestID)
            answer(exchange.context, response, at: now, into: &effects)
        }
    }

    private mutating func cancel(_ exchange: ExchangeID, into effects: inout Effects) {
        let found = pending.handles.first { pending[$0]?.context.exchange == exchange }
        guard let handle = found else { return }
        counters.cancelled += 1
        pending[handle]?.isCancelled = true
        guard pending[handle]?.isExpired == false, case .raw? = pending[handle]?.work else {
            return
        }
        pending[handle]?.isExpired = true
        let body = Envelope.Body.expire(handle.number)
        effects.append(.send(Envelope(from: address, to: shard, body: body)))
    }
}

/// What every answer needs of its request.
struct ExchangeContext: Sendable {
    var exchange: ExchangeID
    var method: Method
    var route: Route
    var requestID: Bytes
    var startedAt: Instant
}

struct PendingExchange: Sendable {
    typealias Handle = Slab<PendingExchange>.Handle

    enum Work: Sendable {
        case raw(RawRequest, BatchCoordinator)
        case scrape(ExpositionFormat)
    }

    var context: ExchangeContext
    var work: Work
    var deadline: Instant
    /// The shard has been told to give up; its reply ends the request.
    var isExpired = false
    /// Nobody waits for the answer.
    var isCancelled = false

    init(context: ExchangeContext, work: Work, deadline: Instant) {
        self.context = context
        self.work = work
        self.deadline = deadline
    }
}
