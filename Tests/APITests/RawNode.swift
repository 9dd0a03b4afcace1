// The least node that can answer raw requests: the router, the rules and the memory engine, one
// request after the other. What the shard adds (latches, durability) does not show in single
// answers.
import API
import Base
import Regions
import Storage

struct RawNode {
    let engine = MemoryEngine()
    var wall = WallTime(milliseconds: 1_800_000_000_000)

    func answer(_ request: Request) throws -> Response {
        let routed = Router().route(request, generatedID: Bytes("generated".utf8))
        let id = routed.requestID
        switch routed.result {
        case .failure(let problem): return Response(problem, requestID: id)
        case .success(.raw(let raw)):
            return respond(to: raw, with: try raw.commands.map(run), requestID: id)
        case .success(.limits(let pretty)): return .limits(pretty: pretty, requestID: id)
        case .success(.root(let pretty)):
            return .root(version: "0.1.0", pretty: pretty, requestID: id)
        case .success(.status(let pretty)): return .status(report, pretty: pretty, requestID: id)
        case .success(.openAPI(let form)): return .openAPI(form, requestID: id)
        case .success(.liveness): return .liveness(requestID: id)
        case .success(.readiness(let verbose)):
            return .readiness(report.checks, verbose: verbose, requestID: id)
        case .success(.metrics(let format)):
            return .metrics(Bytes("# EOF\n".utf8), format, requestID: id)
        case .success(.problem(let code)): return .explanation(of: code, requestID: id)
        case .success(.stores(let command, let pretty)):
            return .cluster(cluster(command), pretty: pretty, requestID: id)
        case .success(.failpoints):
            return Response(Problem(.internal, "This router serves none."), requestID: id)
        }
    }

    private func cluster(_ command: StoreCommand) -> ClusterReport {
        let region = RegionReport(
            region: 1, leader: StoreID(1), term: 2, commit: 7, applied: 7,
            replicas: [RegionReport.Replica(store: StoreID(1), role: .leader)])
        switch command {
        case .regions(nil): return .regions([region])
        case .regions, .transfer: return .region(region)
        case .list, .join, .remove, .drain:
            let own = StoreReport(store: StoreID(1), address: "http://a:1", role: .leader)
            return .stores(
                StoresReport(
                    cluster: "c0", clusterName: "tidy-heron", store: StoreID(1), stores: [own]))
        }
    }

    private var report: NodeReport {
        NodeReport(
            version: "0.1.0", revision: "abc1234", nodeID: "n1", store: StoreID(1),
            startedAt: wall, uptime: .milliseconds(1500), engine: "memory",
            memoryBoundBytes: 1 << 30, diskFreeBytes: 1 << 40, diskCapacityBytes: 1 << 41,
            checks: [HealthCheck(name: "store_writable", isPassing: true, detail: "1 TiB free")])
    }

    private func run(_ command: RawCommand) throws -> RawOutcome {
        switch command {
        case .get(let key): return try read(.get(key))
        case .scan(let scan): return try read(.scan(scan))
        case .count(let range): return try read(.count(range))
        case .deleteRange(let range, let isDryRun):
            guard case .counted(let count) = try read(.count(range)) else { return .missing }
            if !isDryRun {
                var batch = WriteBatch()
                batch.deleteRange(.raw, RawSpace.range(range))
                try engine.write(batch, sync: true)
            }
            return .rangeDeleted(count: count, dryRun: isDryRun)
        case .put(let put): return try write(command, put.key)
        case .delete(let delete): return try write(command, delete.key)
        case .compareAndSwap(let swap): return try write(command, swap.key)
        }
    }

    private func read(_ read: RawRead) throws -> RawOutcome {
        try read.run(on: engine, at: wall, tier: .disk) ?? .missing
    }

    private func write(_ command: RawCommand, _ key: Key) throws -> RawOutcome {
        var current: RawValue?
        if case .found(let value) = try read(.get(key)) { current = value }
        var batch = WriteBatch()
        let outcome = RawRules.decide(command, current: current, at: wall, into: &batch)
        try engine.write(batch, sync: true)
        return outcome
    }
}
