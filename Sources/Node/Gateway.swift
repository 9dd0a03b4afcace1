/// The client side of a node on one core: routes requests, asks shards, answers.
///
/// A request goes: route → commands → envelopes to the shard that owns them → outcomes → response.
/// The gateway owns what a client is promised: order within a batch, the deadline, the request id,
/// one answer for each request, and an answer that says what is known. It never waits: what is not
/// there yet is in `exchanges`.
///
/// It leaves out bytes on the wire (`HTTP`), what the routes and answers look like (`API`), and
/// storage (`Shard`).
internal import API
package import Base
internal import Coordination
internal import DequeModule
internal import Failpoints
internal import Regions
internal import Storage
internal import Telemetry

package struct Gateway: ~Copyable {
    let address: UnitAddress
    /// The one region's replica; a map of regions takes its place when there are several.
    let shard: UnitAddress
    /// Where its commands are taken.
    var leader = LeaderPlace.here
    /// What waits for a leader, oldest first, and when it is tried again without a word of one.
    var parked: Deque<RawExchange.Handle> = []
    var retryAt = Instant.distantFuture
    let facts: NodeFacts
    let router: Router

    var exchanges = Slab<RawExchange>()
    var scrapes = Slab<ScrapeExchange>()
    /// What is in hand, by what the connection calls it: for one whose client leaves.
    var places: [ExchangeID: Place] = [:]
    /// No request in hand has an earlier deadline. It may be too early: then a look finds nothing
    /// due.
    var earliestDeadline = Instant.distantFuture
    var names: RequestNames
    var largeValues = LargeValues()
    var disk: DiskSpace?
    /// Set for good when the store has failed.
    var storeFailure: StorageError?
    /// Why this store is no member any more; nil while nobody has said so.
    var removal: String?
    var isStopping = false
    /// Until it is started again.
    var isDrained = false
    /// Whether this store has what was committed when it started.
    var hasCaughtUp = false
    package internal(set) var counters = GatewayCounters()

    /// What batches have cost in this turn, and those that go on in the next one.
    var turnWeight = 0
    let turnWeightLimit: Int
    var deferred: Deque<RawExchange.Handle> = []
    /// When the last of them was put off: the next turn is due from then on.
    var deferredAt = Instant.origin
    /// Bytes of what was answered in this turn, and the large answers that wait for the next one.
    var answerBytes = 0
    var unanswered: Deque<RawExchange.Handle> = []
    /// Of their values, less what answers share.
    var unansweredBytes = 0

    enum Place: Sendable {
        case raw(RawExchange.Handle)
        case scrape(ScrapeExchange.Handle)
    }

    /// - Parameters:
    ///   - turnWeightLimit: a simulation sets it smaller than production does.
    ///   - generator: gives this gateway's request ids their unique part.
    package init(
        address: UnitAddress, shard: UnitAddress, facts: NodeFacts,
        turnWeightLimit: Int = Limits.batchWeightPerTurn, generator: inout SeededGenerator
    ) {
        self.turnWeightLimit = turnWeightLimit
        self.address = address
        self.shard = shard
        self.facts = facts
        router = Router(hasFailpoints: facts.hasFailpoints)
        names = RequestNames(generator: &generator)
    }

    /// When the gateway wants `deadlineReached`; nil if nothing waits for a time.
    package var nextDeadline: Instant? {
        if isIdle { return nil }
        let earliestDeadline = min(earliestDeadline, parked.isEmpty ? .distantFuture : retryAt)
        return deferred.isEmpty && unanswered.isEmpty
            ? earliestDeadline : min(earliestDeadline, deferredAt)
    }

    /// Whether every request has its answer.
    package var isIdle: Bool { inHand == 0 }

    var inHand: Int { exchanges.count + scrapes.count }

    package mutating func step(
        _ event: consuming Event, at now: Now, into effects: inout Effects
    ) {
        switch consume event {
        case .request(let exchange, let request):
            begin(request, exchange, at: now, into: &effects)
        case .received(let envelope):
            switch envelope.body {
            case .reply(let reply):
                if envelope.from.store != nil { count(reply) }
                received(reply, from: envelope.from.store, at: now, into: &effects)
            case .leader(let place): follow(place, at: now, into: &effects)
            case .caughtUp: hasCaughtUp = true
            case .drained: isDrained = true
            default: invariant(false, "a gateway is sent replies, and who leads")
            }
        case .refused(let exchange, let request, let problem):
            refuse(request, exchange, problem, at: now, into: &effects)
        case .cancelled(let exchange): cancel(exchange, at: now, into: &effects)
        case .deadlineReached:
            expireDue(at: now, into: &effects)
            if retryAt <= now.instant { sendParked(at: now, into: &effects) }
            sendDeferred(into: &effects)
            answerDeferred(at: now, into: &effects)
        case .diskSpace(let disk): self.disk = disk.space
        case .storeFailed(let error): storeFailure = error
        case .scraped(let token, let scrape): scraped(token, scrape, at: now, into: &effects)
        case .failpoints(let token, let states):
            failpoints(token, states, at: now, into: &effects)
        case .stores(let token, let result): stores(token, result, at: now, into: &effects)
        case .removed(let reason): removal = reason
        case .stopping: isStopping = true
        case .turnEnded:
            turnWeight = 0
            answerBytes = 0
        case .peerLost(let store): lost(store, at: now, into: &effects)
        case .logged, .applied, .flushed, .readFinished, .snapshotEnded, .change:
            invariant(false, "a gateway gets nothing that is a replica's")
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
            let token = askHost(.metrics(format), context, deadline: deadline)
            effects.append(.scrape(token))
        case .success(.failpoints(let command, let pretty)):
            let deadline = deadline(routed.timeout, at: now)
            let token = askHost(
                .failpoints(command, pretty: pretty), context, deadline: deadline)
            effects.append(.commandFailpoints(token, command))
        case .success(.stores(let command, let pretty)):
            let deadline = deadline(routed.timeout, at: now)
            let token = askHost(
                .stores(pretty: pretty, changes: command.changes), context, deadline: deadline)
            effects.append(.commandStores(token, command))
        case .success(let operation):
            answer(
                context, serviceResponse(operation, context, at: now), at: now, into: &effects)
        }
    }

    private mutating func askHost(
        _ question: ScrapeExchange.Question, _ context: ExchangeContext, deadline: Instant
    ) -> ScrapeToken {
        let handle = scrapes.insert(
            ScrapeExchange(context: context, question: question, deadline: deadline))
        places[context.exchange] = .scrape(handle)
        noteDeadline(deadline)
        return handle.number
    }

    private mutating func refuse(
        _ request: Request, _ exchange: ExchangeID, _ problem: Problem, at now: Now,
        into effects: inout Effects
    ) {
        let routed = router.route(request, generatedID: names.next())
        let context = ExchangeContext(
            exchange: exchange, method: request.method, route: routed.route,
            requestID: routed.requestID, startedAt: now.instant)
        let response = Response(problem, requestID: routed.requestID)
        answer(context, response, at: now, into: &effects)
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
        let handle = exchanges.insert(
            RawExchange(context: context, request: request, batch: batch, deadline: deadline))
        places[context.exchange] = .raw(handle)
        noteDeadline(deadline)
        send(run, by: request.rule, of: handle, until: deadline, into: &effects)
    }

    mutating func send(
        _ run: [RawCommand], by rule: ReadRule?, of handle: RawExchange.Handle,
        until deadline: Instant, into effects: inout Effects
    ) {
        let rule = run[0].isWrite ? nil : rule
        let target = owner(of: run, rule)
        exchanges[handle]?.sent(run, to: target)
        if run.count > 1 { turnWeight += BatchCoordinator.weight(of: run) }
        let request = RegionRequest(
            number: handle.number, deadline: deadline, commands: run, rule: rule)
        effects.append(.send(Envelope(from: address, to: target, body: .request(request))))
    }

    /// Writes are ordered in one place. A read needs none: what was acknowledged before it began is
    /// in the store that all cores read from, so it stays on the core that has its connection.
    /// With a rule the replica has to say what it has, so the shard that has it is asked.
    private func owner(of run: [RawCommand], _ rule: ReadRule?) -> UnitAddress {
        if let rule, rule.replica != .leader { return shard }
        if case .store(let store) = leader {
            return UnitAddress(core: 0, unit: .shard, store: store)
        }
        return run[0].isWrite || rule != nil ? shard : UnitAddress(core: address.core, unit: .shard)
    }

    // Hot path: taken out and, if the batch goes on, put back under a new name, so that nothing is
    // copied.
    mutating func received(
        _ reply: RegionReply, from store: StoreID?, endsRequest: Bool = false, at now: Now,
        into effects: inout Effects
    ) {
        let handle = RawExchange.Handle(number: reply.number)
        if case .refused(let refusal)? = reply.outcomes.first,
            movesOn(refusal, reply, handle, from: store, at: now, into: &effects)
        {
            return
        }
        // nil: the request has been answered already, or is with another store by now.
        guard exchanges[handle]?.target?.store == store, var exchange = exchanges.remove(handle)
        else { return }
        if let stamp = reply.stamp { exchange.note(stamp, of: store ?? facts.store) }
        turnWeight += exchange.batch.received(reply.outcomes)
        if exchange.isExpired { exchange.batch.abandon(.deadlineExceeded) }
        if endsRequest { exchange.batch.abandon(.noLeader) }
        if let run = exchange.batch.nextRun() {
            goOn(exchange, with: run, at: now, into: &effects)
        } else {
            finish(exchange, at: now, into: &effects)
        }
    }

    /// Every command has its outcome.
    // Hot path: nearly every answer is small, and none of those is put off.
    mutating func finish(
        _ exchange: consuming RawExchange, at now: Now, into effects: inout Effects
    ) {
        places[exchange.context.exchange] = nil
        unansweredBytes -= exchange.answerBytes
        guard !exchange.isCancelled else {
            effects.append(.released(exchange.context.exchange))
            return
        }
        var outcomes = exchange.answer ?? exchange.batch.outcomes
        let byteCount = outcomes.reduce(0) { $0 + $1.byteCount }
        if byteCount >= LargeValues.countMin, exchange.answer == nil {
            let shared = largeValues.share(&outcomes, for: exchange.request.commands)
            // Behind those that wait, whatever room this turn has.
            if !unanswered.isEmpty || answerBytes >= Limits.answerBytesPerTurn {
                exchange.answer = outcomes
                exchange.answerBytes = byteCount - shared
                if putOff(&exchange, at: now) { return }
                outcomes = exchange.answer ?? outcomes
            }
        }
        answerBytes += byteCount
        let response = API.respond(
            to: exchange.request, with: outcomes, served: exchange.served,
            requestID: exchange.context.requestID)
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

    mutating func noteDeadline(_ deadline: Instant) {
        // Alone in hand: what was noted before is over.
        earliestDeadline =
            inHand == 1 ? deadline : min(earliestDeadline, deadline)
    }

    /// Tells the shard to give up what is due, which then replies at once with what it knows.
    private mutating func expireDue(at now: Now, into effects: inout Effects) {
        // A turn for deferred work asks often, and looking costs all that is in hand.
        guard earliestDeadline <= now.instant else { return }
        earliestDeadline = .distantFuture
        for handle in exchanges.handles {
            guard let exchange = exchanges[handle], !exchange.isExpired else { continue }
            if exchange.deadline <= now.instant {
                giveUp(handle, at: now, into: &effects)
            } else {
                earliestDeadline = min(earliestDeadline, exchange.deadline)
            }
        }
        for handle in scrapes.handles {
            guard let exchange = scrapes[handle] else { continue }
            if exchange.deadline <= now.instant {
                removeScrape(handle)
                let problem = exchange.question.expired
                let response = Response(problem, requestID: exchange.context.requestID)
                answer(exchange.context, response, at: now, into: &effects)
            } else {
                earliestDeadline = min(earliestDeadline, exchange.deadline)
            }
        }
    }

    /// The shard's reply will end the exchange; one that waits for its turn ends here.
    private mutating func giveUp(
        _ handle: RawExchange.Handle, at now: Now, into effects: inout Effects
    ) {
        let isWaiting = exchanges[handle]?.deferredRun != nil || exchanges[handle]?.target == nil
        if isWaiting, var exchange = exchanges.remove(handle) {
            exchange.batch.abandon(.deadlineExceeded)
            finish(exchange, at: now, into: &effects)
            return
        }
        guard let target = exchanges[handle]?.target else { return }
        exchanges[handle]?.isExpired = true
        let body = Envelope.Body.expire(handle.number)
        effects.append(.send(Envelope(from: address, to: target, body: body)))
        // The answer of another store may never come.
        if target.store != nil {
            counters.forwarded[.expired, default: 0] += 1
            answerUnknown(handle, reads: .deadlineExceeded, at: now, into: &effects)
        }
    }

    private mutating func cancel(
        _ exchange: ExchangeID, at now: Now, into effects: inout Effects
    ) {
        // nil: the answer has left already.
        guard let place = places[exchange] else { return }
        counters.cancelled += 1
        switch place {
        case .raw(let handle):
            exchanges[handle]?.isCancelled = true
            if exchanges[handle]?.isExpired == false { giveUp(handle, at: now, into: &effects) }
        case .scrape(let handle):
            removeScrape(handle)
            effects.append(.released(exchange))
        }
    }

    @discardableResult
    mutating func removeScrape(_ handle: ScrapeExchange.Handle) -> ScrapeExchange? {
        guard let scrape = scrapes.remove(handle) else { return nil }
        places[scrape.context.exchange] = nil
        return scrape
    }
}
