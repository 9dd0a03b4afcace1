/// What a gateway keeps of a request until it is answered.
internal import API
internal import Base
internal import Coordination
internal import Failpoints
internal import Regions
internal import Telemetry

/// What every answer needs of its request.
struct ExchangeContext: Sendable {
    var exchange: ExchangeID
    var method: Method
    var route: Route
    var requestID: Bytes
    var startedAt: Instant
}

/// A request for keys that is with the shard.
struct RawExchange: Sendable {
    typealias Handle = Slab<RawExchange>.Handle

    var context: ExchangeContext
    var request: RawRequest
    var batch: BatchCoordinator
    var deadline: Instant
    /// The commands that are under way, and who has them; nil while nobody does.
    var run: [RawCommand] = []
    var target: UnitAddress?
    /// Since when it has looked for a leader; nil if it has not.
    var leaderlessSince: Instant?
    /// Of its reads; rises with what they have seen, so that none sees an older state than the one
    /// before it, whoever answers it.
    var rule: ReadRule?
    /// How often a read was sent to another store than it would be by itself.
    var detours = 0
    /// The commands that go out in the next turn; nil while some are under way.
    var deferredRun: [RawCommand]?
    /// Every command has its outcome, and the answer is written in a later turn.
    var answer: [RawOutcome]?
    /// Bytes of it that nobody else has.
    var answerBytes = 0
    /// The shard has been told to give up; its reply ends the request.
    var isExpired = false
    /// Whose data gave the outcomes that came last; nil if none did.
    var served: Served?
    /// Nobody waits for the answer.
    var isCancelled = false

    init(
        context: ExchangeContext, request: RawRequest, batch: BatchCoordinator, deadline: Instant
    ) {
        self.context = context
        self.request = request
        rule = request.rule
        self.batch = batch
        self.deadline = deadline
    }

    mutating func note(_ stamp: ReplicaStamp, of store: StoreID) {
        var stamp = stamp
        stamp.version = max(stamp.version, served?.stamp.version ?? 0)
        if let seen = rule?.minVersion { rule?.minVersion = max(seen, stamp.version) }
        served = Served(stamp, store: store)
    }

    mutating func sent(_ run: [RawCommand], to target: UnitAddress) {
        self.run = run
        self.target = target
    }
}

/// A request for what the host has to gather: metrics, while all units are asked for theirs, or how
/// its failpoints stand.
struct ScrapeExchange: Sendable {
    typealias Handle = Slab<ScrapeExchange>.Handle

    enum Question: Sendable {
        case metrics(ExpositionFormat)
        case failpoints(FailpointCommand, pretty: Bool)
        /// `changes`: it asks for a change, which goes on whether anybody waits or not.
        case stores(pretty: Bool, changes: Bool)

        /// What is known when its time is over.
        var expired: Problem {
            guard case .stores(_, changes: true) = self else {
                return Problem(Refusal.deadlineExceeded)
            }
            return Problem(
                .outcomeUnknown,
                "The request's time was over before the change was. It may or may not happen: "
                    + "GET /v1/stores tells.")
        }
    }

    var context: ExchangeContext
    var question: Question
    var deadline: Instant
}
