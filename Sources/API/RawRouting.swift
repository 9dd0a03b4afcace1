/// The routes of the raw space: what each takes, and the commands that come of it.
internal import Base
internal import Regions
private import Telemetry

extension Router {
    func rawRequest(
        _ route: Route, _ request: Request, tail: ArraySlice<UInt8>, query: ArraySlice<UInt8>?
    ) throws(Problem) -> RawRequest {
        let preconditions = try Self.preconditions(route, request)
        try Self.refuseCodings(request)
        let fields = try Fields(query: query, allowed: Self.parameters(route, request.method))
        try route.checkTakesRule(fields, request.method)
        var raw =
            switch route {
            case .rawValue: try value(request, fields, tail, preconditions)
            case .rawEntry: try entry(request, fields, preconditions)
            case .rawScan: try scan(request, fields)
            case .rawCount: try count(fields)
            default: try post(route, request)
            }
        raw.answer.isPretty = try fields.flag(.pretty) ?? false
        let encoding = try fields.text(.encoding) { $0.elementsEqual("base64".utf8) }
        guard encoding != false else {
            throw fields.mistake(
                .invalidArgument, .encoding, "Must be base64; leave it out to get text as text.")
        }
        raw.answer.forcesBase64 = encoding ?? false
        try raw.checkTakesRule(fields)
        raw.rule = try fields.readRule()
        raw.timeout = try fields.timeout()
        guard raw.timeout == nil || request.headers[.requestTimeout] == nil else {
            throw fields.mistake(
                .invalidArgument, .timeout, "Give timeout_ms or Request-Timeout, not both.")
        }
        return raw
    }

    /// What is conditional: the bytes lane, and the writes of an entry. Elsewhere a condition would
    /// be passed over silently, so it is refused.
    private static func preconditions(
        _ route: Route, _ request: Request
    ) throws(Problem) -> Preconditions {
        let preconditions = try Preconditions(request.headers)
        let isRead = request.method == .get || request.method == .head
        guard !preconditions.isEmpty, route != .rawValue, route != .rawEntry || isRead else {
            return preconditions
        }
        throw .mistake(
            .invalidArgument,
            at: (preconditions.ifMatch != nil ? HeaderName.ifMatch : .ifNoneMatch).rawValue,
            "Does not go with \(request.method.name) \(route.template); "
                + (isRead
                    ? "\(Route.rawValue.template) takes it."
                    : "put if_etag or if_absent into an operation, or previous_value into a cas."))
    }

    /// A coding that the front has not undone would be stored without being named, and a part would
    /// replace the whole (RFC 9110 §14.5).
    private static func refuseCodings(_ request: Request) throws(Problem) {
        guard ContentCoding.of(request.headers) == .identity else {
            let takesGzip = ContentCoding.takesGzip(request.method, request.target)
            var problem = Problem.mistake(
                .unsupportedMediaType, at: HeaderName.contentEncoding.rawValue,
                takesGzip
                    ? "Must be gzip, once, or left out."
                    : "This body is taken as it is; send it without a content coding.")
            problem.acceptEncoding = takesGzip ? "gzip, identity" : "identity"
            throw problem
        }
        guard request.headers[.contentRange] == nil else {
            throw .mistake(
                .invalidArgument, at: HeaderName.contentRange.rawValue,
                "A value is written whole, never a part of it.")
        }
    }

    private static func parameters(_ route: Route, _ method: Method) -> FieldNames {
        // Those of reads are known everywhere, so that a write can say why it does not take them.
        ownParameters(route, method).union(Fields.ruleNames).union(FieldNames(.timeout))
    }

    private static func ownParameters(_ route: Route, _ method: Method) -> FieldNames {
        let shown = FieldNames(.pretty, .encoding)
        switch (route, method) {
        case (.rawValue, .put):
            return shown.union(FieldNames(.timeToLive, .returnPrevious))
        case (.rawValue, .delete): return shown.union(FieldNames(.returnPrevious))
        case (.rawValue, _): return []
        case (.rawEntry, .put): return shown
        case (.rawEntry, .delete):
            return shown.union(FieldNames(.key, .keyBase64, .ifEntityTag, .returnPrevious))
        case (.rawEntry, _): return shown.union(FieldNames(.key, .keyBase64))
        case (.rawScan, _): return shown.union(Fields.scanNames)
        case (.rawCount, _): return Fields.boundNames.union(FieldNames(.pretty))
        case (.rawDeleteRange, _): return FieldNames(.pretty)
        default: return shown
        }
    }

    // MARK: The bytes lane

    private func value(
        _ request: Request, _ fields: Fields, _ tail: ArraySlice<UInt8>,
        _ preconditions: Preconditions
    ) throws(Problem) -> RawRequest {
        let key = try Self.pathKey(tail)
        switch request.method {
        case .put:
            guard let body = request.body else {
                throw Problem(
                    .bodyRequired,
                    "The body is the value; send one, with Content-Length: 0 for the empty value "
                        + "(curl: -d '' or -T FILE).")
            }
            guard body.count <= Limits.valueBytes else {
                throw .valueTooLarge(body.count, at: "body")
            }
            let put = RawPut(
                key: key, value: body, timeToLive: try fields.timeToLive(),
                condition: preconditions.writeCondition(),
                returnPrevious: try fields.flag(.returnPrevious) ?? false)
            return Self.single(put)
        case .delete:
            return Self.single(
                RawDelete(
                    key: key, condition: preconditions.writeCondition(),
                    returnPrevious: try fields.flag(.returnPrevious) ?? false))
        default:
            return RawRequest(commands: [.get(key)], answer: RawAnswer(.value(preconditions)))
        }
    }

    /// Everything after the prefix, percent-decoded once; nothing is normalised.
    static func pathKey(_ tail: ArraySlice<UInt8>) throws(Problem) -> Key {
        let bytes: Bytes
        do {
            bytes = try PercentCoding.decode(tail, plusIsSpace: false)
        } catch {
            throw .mistake(
                .invalidArgument, at: FieldName.key.text,
                "\(error) of the key; write a percent sign itself as %25.")
        }
        guard !bytes.isEmpty else {
            throw .mistake(.keyEmpty, at: FieldName.key.text, Problem.keyEmptyAdvice)
        }
        guard bytes.count <= Limits.keyBytes else {
            throw .keyTooLarge(bytes.count, at: FieldName.key.text)
        }
        return Key(bytes)
    }

    private static func single(_ put: RawPut) -> RawRequest {
        RawRequest(commands: [.put(put)], answer: RawAnswer(.json(.written(put))))
    }

    private static func single(_ delete: RawDelete) -> RawRequest {
        RawRequest(commands: [.delete(delete)], answer: RawAnswer(.json(.deleted(delete.key))))
    }

    // MARK: The JSON lane

    private func entry(
        _ request: Request, _ fields: Fields, _ preconditions: Preconditions
    ) throws(Problem) -> RawRequest {
        switch request.method {
        case .put:
            return try Self.readBody(request, allowed: RawOperation.putNames) {
                (body, fields) throws(Problem) in
                var put = try RawOperation.put(fields)
                put.condition = try Self.condition(put.condition, preconditions, fields)
                return Self.single(put)
            }
        case .delete:
            return Self.single(
                RawDelete(
                    key: try fields.key(),
                    condition: try Self.condition(fields.condition(), preconditions, fields),
                    returnPrevious: try fields.flag(.returnPrevious) ?? false))
        default:
            let key = try fields.key()
            return RawRequest(commands: [.get(key)], answer: RawAnswer(.json(.entry(key))))
        }
    }

    /// A condition stands in the header or in the fields, not in both.
    private static func condition(
        _ named: RawCondition, _ preconditions: Preconditions, _ fields: Fields
    ) throws(Problem) -> RawCondition {
        if preconditions.isEmpty { return named }
        guard named == .none else {
            throw fields.mistake(
                .invalidArgument, named == .absent ? .ifAbsent : .ifEntityTag,
                "Give if_etag or if_absent, or the header field, not both.")
        }
        return preconditions.writeCondition()
    }

    private func scan(_ request: Request, _ fields: Fields) throws(Problem) -> RawRequest {
        let (scan, cursor) = try fields.scan()
        let isLines = Self.prefersLines(request.headers)
        return RawRequest(
            commands: [.scan(scan)],
            answer: RawAnswer(isLines ? .ndjson(.page(cursor)) : .json(.page(cursor))))
    }

    /// Only by name: a wildcard means the path's own media type. Accept selects extras here and
    /// nothing ends in 406, because generated clients send fields that do not name what they want.
    private static func prefersLines(_ headers: RequestHeaders) -> Bool {
        let accepted = headers.fields.filter { $0.name == .accept }.map(\.value)
        let ranges = MediaRange.all(in: accepted)
        let lines = ranges.lastIndex { $0.type.elementsEqual(ContentType.ndjson.rawValue.utf8) }
        guard let lines, ranges[lines].quality > 0 else { return false }
        return !ranges.indices.contains { index in
            ranges[index].type.elementsEqual(ContentType.json.rawValue.utf8)
                && (ranges[index].quality, lines) > (ranges[lines].quality, index)
        }
    }

    private func count(_ fields: Fields) throws(Problem) -> RawRequest {
        RawRequest(
            commands: [.count(try fields.bounds()?.range ?? .all)],
            answer: RawAnswer(.json(.count)))
    }

    private func post(_ route: Route, _ request: Request) throws(Problem) -> RawRequest {
        switch route {
        case .rawBatch:
            return try Self.readBody(request, allowed: FieldNames(.operations)) {
                (body, fields) throws(Problem) in
                try RawOperation.batch(body, fields)
            }
        case .rawDeleteRange:
            return try Self.readBody(request, allowed: RawOperation.deleteRangeNames) {
                (body, fields) throws(Problem) in
                RawRequest(
                    commands: [try RawOperation.deleteRange(fields)],
                    answer: RawAnswer(.json(.rangeDeleted)))
            }
        default:
            return try Self.readBody(request, allowed: RawOperation.compareAndSwapNames) {
                (body, fields) throws(Problem) in
                let swap = try RawOperation.compareAndSwap(fields)
                return RawRequest(
                    commands: [.compareAndSwap(swap)], answer: RawAnswer(.json(.swapped(swap))))
            }
        }
    }

    /// Checks that a JSON body is there, and reads the object at its top.
    static func readBody<Result>(
        _ request: Request, allowed: FieldNames,
        _ decode: (JSONValue, Fields) throws(Problem) -> Result
    ) throws(Problem) -> Result {
        guard let body = request.body else {
            throw Problem(.bodyRequired, "A JSON object is expected as the body.")
        }
        let mediaType = request.headers[.contentType]?.prefix { $0 != UInt8(ascii: ";") }
        let isJSON = mediaType.map {
            $0.trimmingSpace.elementsEqual("application/json".utf8) { $0 == $1 || $0 | 0x20 == $1 }
        }
        guard isJSON == true else {
            throw .mistake(
                .unsupportedMediaType, at: HeaderName.contentType.rawValue,
                "Must be application/json (curl: --json DATA, "
                    + "or -H 'Content-Type: application/json').")
        }
        return try JSONValue.read(body) { (top) throws(Problem) in
            var fields = Fields(.body)
            try fields.read(top, at: .body, allowed: allowed)
            return try decode(top, fields)
        }
    }
}

extension RawItem {
    static func written(_ put: RawPut) -> RawItem {
        .written(put.key, Fingerprint(of: put.value), isCreation: put.condition == .absent)
    }

    static func swapped(_ swap: RawCompareAndSwap) -> RawItem {
        if case .put(let value, timeToLive: _) = swap.replacement {
            .swapped(swap.key, Fingerprint(of: value))
        } else {
            .swapped(swap.key, nil)
        }
    }
}
