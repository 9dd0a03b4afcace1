/// Every path that this service has, with the methods that it takes.
///
/// The template, never the path itself, is what metrics and logs are labelled with.
internal import Base

package enum Route: Int, CaseIterable, Hashable, Sendable {
    case rawValue
    case rawEntry
    case rawScan
    case rawCount
    case rawBatch
    case rawDeleteRange
    case rawCompareAndSwap
    case limits
    case status
    case root
    case openAPIYAML
    case openAPIJSON
    case liveness
    case readiness
    case metrics
    case problem
    case stores
    case store
    case drain
    case regions
    case region
    case transferLeader
    case failpoints
    case failpoint
    /// Any path that is none of these.
    case unknown

    /// `0 ..< allCases.count`
    package var ordinal: Int { rawValue }

    package var template: String {
        switch self {
        case .rawValue: "/v1/raw/kv/{key}"
        case .rawEntry: "/v1/raw/entry"
        case .rawScan: "/v1/raw/scan"
        case .rawCount: "/v1/raw/count"
        case .rawBatch: "/v1/raw/batch"
        case .rawDeleteRange: "/v1/raw/delete-range"
        case .rawCompareAndSwap: "/v1/raw/cas"
        case .limits: "/v1/limits"
        case .status: "/v1/status"
        case .root: "/"
        case .openAPIYAML: "/openapi.yaml"
        case .openAPIJSON: "/openapi.json"
        case .liveness: "/livez"
        case .readiness: "/readyz"
        case .metrics: "/metrics"
        case .problem: "/problems/{code}"
        case .stores: "/v1/stores"
        case .store: "/v1/stores/{store_id}"
        case .drain: "/v1/stores/{store_id}/drain"
        case .regions: "/v1/regions"
        case .region: "/v1/regions/{region_id}"
        case .transferLeader: "/v1/regions/{region_id}/transfer-leader"
        case .failpoints: "/v1/debug/failpoints"
        case .failpoint: "/v1/debug/failpoints/{name}"
        case .unknown: "unknown"
        }
    }

    package var methods: [Method] {
        switch self {
        case .rawValue: [.get, .head, .put, .delete]
        case .rawEntry: [.get, .head, .put, .delete]
        case .rawBatch, .rawDeleteRange, .rawCompareAndSwap, .drain, .transferLeader: [.post]
        case .rawScan, .rawCount, .limits, .status, .root, .openAPIYAML, .openAPIJSON,
            .liveness, .readiness, .metrics, .problem, .regions, .region:
            [.get, .head]
        case .stores: [.get, .head, .post]
        case .store: [.delete]
        case .failpoints: [.get, .head, .delete]
        case .failpoint: [.get, .head, .put, .delete]
        case .unknown: []
        }
    }

    /// Served only by a node that was started for it.
    var isDebug: Bool { self == .failpoints || self == .failpoint }

    /// The value of Allow.
    var allow: String { methods.map(\.name).joined(separator: ", ") }

    var isRaw: Bool {
        switch self {
        case .rawValue, .rawEntry, .rawScan, .rawCount, .rawBatch, .rawDeleteRange,
            .rawCompareAndSwap:
            true
        default: false
        }
    }

    private static let valuePrefix = Bytes("/v1/raw/kv/".utf8)
    private static let problemPrefix = Bytes("/problems/".utf8)
    private static let storePrefix = Bytes("/v1/stores/".utf8)
    private static let drainSuffix = Bytes("/drain".utf8)
    private static let regionPrefix = Bytes("/v1/regions/".utf8)
    private static let transferSuffix = Bytes("/transfer-leader".utf8)
    private static let failpointPrefix = Bytes("/v1/debug/failpoints/".utf8)
    private static let fixed: [(path: Bytes, route: Route)] = allCases.compactMap { route in
        switch route {
        case .rawValue, .problem, .store, .drain, .region, .transferLeader, .failpoint, .unknown:
            nil
        default: (Bytes(route.template.utf8), route)
        }
    }

    /// The route of a path, and what stands for the `{…}` of its template, still encoded.
    // Hot path: once per request. The bytes lane is asked first.
    static func of(_ path: ArraySlice<UInt8>) -> (route: Route, tail: ArraySlice<UInt8>) {
        if path.starts(with: valuePrefix) {
            return (.rawValue, path.dropFirst(valuePrefix.count))
        }
        for candidate in fixed where candidate.path.elementsEqual(path) {
            return (candidate.route, [])
        }
        if path.starts(with: problemPrefix) {
            return (.problem, path.dropFirst(problemPrefix.count))
        }
        if path.starts(with: storePrefix) {
            let tail = path.dropFirst(storePrefix.count)
            return tail.hasSuffix(drainSuffix)
                ? (.drain, tail.dropLast(drainSuffix.count)) : (.store, tail)
        }
        if path.starts(with: regionPrefix) {
            let tail = path.dropFirst(regionPrefix.count)
            return tail.hasSuffix(transferSuffix)
                ? (.transferLeader, tail.dropLast(transferSuffix.count)) : (.region, tail)
        }
        if path.starts(with: failpointPrefix) {
            return (.failpoint, path.dropFirst(failpointPrefix.count))
        }
        return (.unknown, [])
    }

    /// Says what could have been meant by a path that leads nowhere.
    static func notFound(_ path: ArraySlice<UInt8>) -> Problem {
        let text = String(decoding: path.prefix(128), as: UTF8.self)
        let transactional = [
            "/v1/kv", "/v1/entry", "/v1/scan", "/v1/count", "/v1/batch", "/v1/delete-range",
        ]
        if let twin = transactional.first(where: { text == $0 || text.hasPrefix($0 + "/") }) {
            let raw = "/v1/raw" + twin.dropFirst("/v1".count)
            return Problem(
                .routeNotFound,
                "The transactional space (\(twin)) is not served by this version; "
                    + "the raw space is, at \(raw)."
            )
        }
        if text == "/v1/raw" || text == "/v1/raw/" || text == "/v1/raw/kv" {
            return Problem(
                .routeNotFound,
                "A key follows /v1/raw/kv/. If the key was . or .., the client removed it from the "
                    + "path: write %2E%2E, or use /v1/raw/entry?key=.")
        }
        if text == "/problems" || text == "/problems/" {
            let codes = ProblemCode.allCases.map(\.rawValue).joined(separator: ", ")
            return Problem(.routeNotFound, "A code follows /problems/, one of \(codes).")
        }
        let known = allCases.filter { $0 != .unknown }.map(\.template)
        let advice =
            NearestName.find(text, among: known).map { "Did you mean \($0)?" }
            ?? "GET / lists what there is."
        return Problem(.routeNotFound, "Nothing is at \(text). \(advice)")
    }
}

extension ArraySlice<UInt8> {
    fileprivate func hasSuffix(_ suffix: Bytes) -> Bool { self.suffix(suffix.count) == suffix[...] }
}
