/// Requests to operations: path, method, header fields, parameters and body, each read strictly.
///
/// Pure and total: any bytes give an operation or a `Problem` that says what, where, and what
/// would be right.
package import Base
internal import Failpoints
internal import Telemetry

package struct Router: Sendable {
    private let hasFailpoints: Bool

    /// - Parameter hasFailpoints: whether the node was started with `--enable-failpoints`.
    package init(hasFailpoints: Bool = false) { self.hasFailpoints = hasFailpoints }

    /// - Parameter generatedID: what this node calls the request if the client gave it no name.
    package func route(_ request: Request, generatedID: Bytes) -> Routed {
        let question = request.target.firstIndex(of: UInt8(ascii: "?"))
        let path = request.target[..<(question ?? request.target.endIndex)]
        let query = question.map { request.target[($0 + 1)...] }
        let (route, tail) = Route.of(path)
        let requestID = RequestID.of(request.headers) ?? generatedID
        var timeout = Limits.requestTimeoutDefault
        do throws(Problem) {
            guard route != .unknown else { throw Route.notFound(path) }
            guard hasFailpoints || !route.isDebug else {
                throw Problem(
                    .routeNotFound,
                    "This node serves no failpoints; it would with --enable-failpoints.")
            }
            guard route.methods.contains(request.method) else {
                throw Problem(
                    .methodNotAllowed, "\(route.template) takes \(route.allow).",
                    allow: route.allow)
            }
            if let name = request.headers.repeated {
                throw .mistake(
                    .invalidArgument, at: name.rawValue, "This header field is there twice.")
            }
            if let field = request.headers[.requestTimeout] { timeout = try Self.timeout(field) }
            if route.isRaw, request.headers[.idempotencyKey] != nil {
                throw .mistake(
                    .idempotencyUnsupported, at: HeaderName.idempotencyKey.rawValue,
                    "The raw space cannot remember requests: no transaction would keep the key. "
                        + "Leave it out; If-None-Match: * or If-Match make a retry safe.")
            }
            let operation = try operation(route, request, tail: tail, query: query)
            if case .raw(let raw) = operation, let asked = raw.timeout { timeout = asked }
            return Routed(
                route: route, requestID: requestID, timeout: timeout, result: .success(operation))
        } catch {
            return Routed(
                route: route, requestID: requestID, timeout: timeout, result: .failure(error))
        }
    }

    private func operation(
        _ route: Route, _ request: Request, tail: ArraySlice<UInt8>, query: ArraySlice<UInt8>?
    ) throws(Problem) -> Operation {
        switch route {
        case .rawValue, .rawEntry, .rawScan, .rawCount, .rawBatch, .rawDeleteRange,
            .rawCompareAndSwap:
            return .raw(try rawRequest(route, request, tail: tail, query: query))
        case .limits: return .limits(pretty: try pretty(query))
        case .status: return .status(pretty: try pretty(query))
        case .root: return .root(pretty: try pretty(query))
        case .openAPIYAML, .openAPIJSON, .liveness, .metrics, .problem:
            _ = try Fields(query: query, allowed: [])
            return try plainOperation(route, request, tail: tail)
        case .readiness:
            let fields = try Fields(query: query, allowed: FieldNames(.verbose))
            return .readiness(verbose: try fields.flag(.verbose) ?? false)
        case .stores, .store, .drain, .regions, .region, .transferLeader:
            return try stores(route, request, tail: tail, query: query)
        case .failpoints, .failpoint:
            return try failpoints(route, request, tail: tail, query: query)
        case .unknown: throw Problem(.routeNotFound, "Nothing is here.")
        }
    }

    private func plainOperation(
        _ route: Route, _ request: Request, tail: ArraySlice<UInt8>
    ) throws(Problem) -> Operation {
        switch route {
        case .openAPIYAML: return .openAPI(.yaml)
        case .openAPIJSON: return .openAPI(.json)
        case .liveness: return .liveness
        case .metrics:
            let accepted = request.headers.fields.filter { $0.name == .accept }.map(\.value)
            return .metrics(ExpositionFormat(accept: accepted))
        default:
            let name = Self.text(tail)
            guard let code = ProblemCode(rawValue: name) else {
                let nearest = NearestName.find(name, among: ProblemCode.allCases.map(\.rawValue))
                throw Problem(
                    .routeNotFound,
                    "No problem has the code \(name.prefix(64))."
                        + (nearest.map { " Did you mean \($0)?" } ?? " GET /problems lists them."))
            }
            return .problem(code)
        }
    }

    /// Percent-decoded if it can be; what cannot is no code of ours either way.
    static func text(_ tail: ArraySlice<UInt8>) -> String {
        do {
            return String(
                decoding: try PercentCoding.decode(tail, plusIsSpace: false), as: UTF8.self)
        } catch {
            return String(decoding: tail, as: UTF8.self)
        }
    }

    func pretty(_ query: ArraySlice<UInt8>?) throws(Problem) -> Bool {
        try Fields(query: query, allowed: FieldNames(.pretty)).flag(.pretty) ?? false
    }

    /// Request-Timeout: seconds, a decimal fraction allowed.
    static func timeout(_ text: Bytes) throws(Problem) -> Duration {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        let isWhole = parts.count == 1
        if parts.count <= 2, let seconds = UInt64(decimal: parts[0]),
            seconds <= Limits.requestTimeoutMax.wholeNanoseconds / 1_000_000_000,
            isWhole || (1...9).contains(parts[1].count),
            isWhole || parts[1].allSatisfy({ $0 >= 0x30 && $0 <= 0x39 })
        {
            var nanoseconds: UInt64 = 0
            for place in 0..<9 {
                let digit = isWhole ? 0x30 : parts[1].dropFirst(place).first ?? 0x30
                nanoseconds = nanoseconds * 10 + UInt64(digit - 0x30)
            }
            let timeout = Duration.seconds(seconds) + .nanoseconds(Int64(nanoseconds))
            if timeout > .zero, timeout <= Limits.requestTimeoutMax { return timeout }
        }
        throw .mistake(
            .invalidArgument, at: HeaderName.requestTimeout.rawValue,
            "Must be seconds greater than 0 and at most "
                + "\(Limits.requestTimeoutMax.wholeNanoseconds / 1_000_000_000), such as 2.5.")
    }
}

/// What a client calls its request: Martlet-Request-Id, or the trace id of a W3C traceparent.
package enum RequestID {
    private static let countMax = 64

    /// nil if there is none, or none that may be repeated in headers and logs.
    package static func of(_ headers: RequestHeaders) -> Bytes? {
        for field in headers.fields {
            switch field.name {
            case .requestID where isWellFormed(field.value): return field.value
            case .traceparent:
                if let trace = traceID(field.value), headers[.requestID].map(isWellFormed) != true {
                    return trace
                }
            default: break
            }
        }
        return nil
    }

    private static func isWellFormed(_ id: Bytes) -> Bool {
        (1...countMax).contains(id.count)
            && id.allSatisfy {
                switch $0 {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
                    UInt8(ascii: "."), UInt8(ascii: ":"):
                    true
                default: false
                }
            }
    }

    /// `00-<32 digits>-<16 digits>-<2 digits>`; a later version may go on after that.
    private static func traceID(_ value: Bytes) -> Bytes? {
        func isLowerHex(_ range: Range<Int>) -> Bool {
            value[range].allSatisfy { $0 < 0x41 || $0 > 0x46 }
                && value[range].allSatisfy { PercentCoding.hexDigit($0) != nil }
        }
        guard value.count >= 55, value[2] == 0x2D, value[35] == 0x2D, value[52] == 0x2D,
            value.count == 55 || value[55] == 0x2D, isLowerHex(0..<2), isLowerHex(3..<35),
            isLowerHex(36..<52), isLowerHex(53..<55), value[0] != 0x66 || value[1] != 0x66,
            value[3..<35].contains(where: { $0 != 0x30 })
        else { return nil }
        return Bytes(value[3..<35])
    }
}
