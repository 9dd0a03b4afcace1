/// What a gateway answers by itself: everything that is about the node and not about keys.
internal import API
package import Base
internal import Failpoints
package import Regions
internal import Storage
internal import Telemetry

extension Gateway {
    func serviceResponse(
        _ operation: Operation, _ context: ExchangeContext, at now: Now
    ) -> Response {
        let requestID = context.requestID
        switch operation {
        case .limits(let pretty): return .limits(pretty: pretty, requestID: requestID)
        case .status(let pretty):
            return .status(report(at: now), pretty: pretty, requestID: requestID)
        case .root(let pretty):
            return .root(version: facts.version, pretty: pretty, requestID: requestID)
        case .openAPI(let form): return .openAPI(form, requestID: requestID)
        case .liveness: return .liveness(requestID: requestID)
        case .readiness(let verbose):
            return .readiness(checks, verbose: verbose, requestID: requestID)
        case .problem(let code): return .explanation(of: code, requestID: requestID)
        case .raw, .metrics, .failpoints, .stores:
            invariant(false, "\(context.route) is not answered by the gateway alone")
            return Response(Problem(.internal, "No answer."), requestID: requestID)
        }
    }

    /// Ready means: takes requests and can store what they bring. An election elsewhere unreadies
    /// nobody, else one dead node would take all the others out of service for a second.
    private var checks: [HealthCheck] {
        let space = disk.map { disk in
            disk.lacksFiles
                ? "\(disk.freeFiles ?? 0) inodes are free"
                : "\(disk.freeBytes) of \(disk.capacityBytes) bytes are free"
        }
        let need = disk.flatMap { disk in
            disk.isFull
                ? "; writes need \(disk.lacksFiles ? disk.neededFiles : disk.neededBytes)" : nil
        }
        let progress =
            switch (hasCaughtUp, leader) {
            case (true, _): "yes"
            case (false, .unknown): "no store is known to lead since this one started"
            case (false, _): "what was committed before this store started is still coming"
            }
        let failure = storeFailure.map { "a write failed, the node ends: \($0)" }
        return [
            HealthCheck(
                name: "accepting_requests", isPassing: !isStopping,
                detail: isStopping ? "the node is draining and will stop" : "yes"),
            HealthCheck(
                name: "not_drained", isPassing: !isDrained,
                detail: isDrained
                    ? "this store was drained and leads no more; a restart ends that" : "yes"),
            HealthCheck(name: "caught_up", isPassing: hasCaughtUp, detail: progress),
            HealthCheck(name: "member", isPassing: removal == nil, detail: removal ?? "yes"),
            HealthCheck(
                name: "store_writable",
                isPassing: storeFailure == nil && disk?.isFull != true,
                detail: failure ?? (space ?? "free space is not known yet") + (need ?? "")),
        ]
    }

    private func report(at now: Now) -> NodeReport {
        NodeReport(
            version: facts.version, revision: facts.revision, nodeID: facts.nodeID,
            store: facts.store,
            startedAt: facts.startedAt.wall,
            uptime: now.instant.since(facts.startedAt.instant), engine: facts.engine,
            memoryBoundBytes: facts.memoryBoundBytes,
            diskFreeBytes: disk?.freeBytes ?? 0,
            diskCapacityBytes: disk?.capacityBytes ?? 0, checks: checks)
    }

    mutating func scraped(
        _ token: ScrapeToken, _ scrape: Scrape, at now: Now, into effects: inout Effects
    ) {
        guard let exchange = removeScrape(ScrapeExchange.Handle(number: token)),
            case .metrics(let format) = exchange.question
        else { return }
        let response = Response.metrics(
            scrape.exposition(format), format, requestID: exchange.context.requestID)
        answer(exchange.context, response, at: now, into: &effects)
    }

    mutating func failpoints(
        _ token: ScrapeToken, _ states: [FailpointState], at now: Now, into effects: inout Effects
    ) {
        guard let exchange = removeScrape(ScrapeExchange.Handle(number: token)),
            case .failpoints(let command, let pretty) = exchange.question
        else { return }
        let response = Response.failpoints(
            states, of: command, pretty: pretty, requestID: exchange.context.requestID)
        answer(exchange.context, response, at: now, into: &effects)
    }

    mutating func stores(
        _ token: ScrapeToken, _ result: Result<ClusterReport, Problem>, at now: Now,
        into effects: inout Effects
    ) {
        guard let exchange = removeScrape(ScrapeExchange.Handle(number: token)),
            case .stores(let pretty, _) = exchange.question
        else { return }
        let requestID = exchange.context.requestID
        let response: Response =
            switch result {
            case .success(let report): .cluster(report, pretty: pretty, requestID: requestID)
            case .failure(let problem): Response(problem, requestID: requestID)
            }
        answer(exchange.context, response, at: now, into: &effects)
    }
}

/// What never changes while the node runs.
package struct NodeFacts: Sendable {
    package var version: String
    package var revision: String
    package var nodeID: String
    package var store: StoreID
    package var engine: String
    /// Memory that the engine stays below; nil if nothing bounds it.
    package var memoryBoundBytes: UInt64?
    package var startedAt: Now
    /// Whether `/v1/debug/failpoints` is served.
    package var hasFailpoints: Bool

    package init(
        version: String, revision: String, nodeID: String, store: StoreID, engine: String,
        memoryBoundBytes: UInt64?, startedAt: Now, hasFailpoints: Bool = false
    ) {
        self.version = version
        self.revision = revision
        self.nodeID = nodeID
        self.store = store
        self.engine = engine
        self.memoryBoundBytes = memoryBoundBytes
        self.startedAt = startedAt
        self.hasFailpoints = hasFailpoints
    }
}
