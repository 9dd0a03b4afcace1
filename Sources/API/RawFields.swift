/// Fields to the parts of raw commands: keys, values, ranges, conditions.
internal import Base
internal import Regions

extension Problem {
    static func keyTooLarge(_ count: Int, at pointer: String) -> Problem {
        var problem = mistake(
            .keyTooLarge, at: pointer,
            "A key has at most \(Limits.keyBytes) bytes; this one has \(count).")
        problem.limit = Limits.keyBytes
        problem.actual = count
        return problem
    }

    static func valueTooLarge(_ count: Int, at pointer: String) -> Problem {
        var problem = mistake(
            .valueTooLarge, at: pointer,
            "A value has at most \(Limits.valueBytes) bytes; this one has \(count).")
        problem.limit = Limits.valueBytes
        problem.actual = count
        return problem
    }

    static let keyEmptyAdvice =
        "The empty key is not legal: a key has 1 to \(Limits.keyBytes) bytes."
}

extension Fields {
    /// A key that must be there.
    func key() throws(Problem) -> Key {
        guard let bytes = try bytes(.key) else {
            throw mistake(.invalidArgument, .key, "Required: key, or key_base64.")
        }
        guard !bytes.isEmpty else {
            throw mistake(.keyEmpty, given(.key), Problem.keyEmptyAdvice)
        }
        guard bytes.count <= Limits.keyBytes else {
            throw .keyTooLarge(bytes.count, at: place.pointer(to: given(.key).text))
        }
        return Key(bytes)
    }

    func optionalValue(_ name: FieldName) throws(Problem) -> Bytes? {
        guard let bytes = try bytes(name) else { return nil }
        guard bytes.count <= Limits.valueBytes else {
            throw .valueTooLarge(bytes.count, at: place.pointer(to: given(name).text))
        }
        return bytes
    }

    /// A value that must be there; the empty one is legal.
    func value() throws(Problem) -> Bytes {
        guard let value = try optionalValue(.value) else {
            throw mistake(.invalidArgument, .value, "Required: value, or value_base64.")
        }
        return value
    }

    func timeToLive() throws(Problem) -> UInt64? {
        try integer(.timeToLive, in: 1...Limits.timeToLiveSecondsMax)
    }

    // MARK: Ranges

    static let boundNames = FieldNames(
        .prefix, .prefixBase64, .start, .startBase64, .end, .endBase64)

    struct Bounds: Hashable, Sendable {
        var range: KeyRange
        /// Bytes of the prefix, in which a delimiter is not looked for.
        var prefixCount = 0
    }

    /// `prefix`, or `start` and `end` (half-open; "" and absent mean unbounded); nil if none is
    /// there.
    func bounds() throws(Problem) -> Bounds? {
        guard !names.isDisjoint(with: Self.boundNames) else { return nil }
        if let prefix = try bound(.prefix) {
            let others = FieldNames(.start, .startBase64, .end, .endBase64)
            if let other = names.intersection(others).names.first {
                throw mistake(
                    .invalidRange, other,
                    "Give a prefix, or start and end, not both.")
            }
            return Bounds(range: KeyRange(prefix: prefix), prefixCount: prefix.bytes.count)
        }
        let start = try bound(.start) ?? .least
        var end = try bound(.end)
        if end?.bytes.isEmpty == true { end = nil }
        if let end, end < start {
            throw mistake(.invalidRange, given(.end), "The end lies before the start.")
        }
        return Bounds(range: KeyRange(start: start, end: end))
    }

    private func bound(_ name: FieldName) throws(Problem) -> Key? {
        guard let bytes = try bytes(name) else { return nil }
        guard bytes.count <= Limits.keyBytes else {
            throw .keyTooLarge(bytes.count, at: place.pointer(to: given(name).text))
        }
        return Key(bytes)
    }

    /// The range of a deletion, which must be said: a forgotten bound must not delete everything.
    func boundsOfDeletion() throws(Problem) -> KeyRange {
        let all = try flag(.all) ?? false
        let range = try bounds()?.range
        if all {
            guard range == nil else {
                throw mistake(
                    .invalidRange, .all, "Give a bound, or all, not both.")
            }
            return .all
        }
        guard let range, range != .all else {
            throw mistake(
                .invalidRange, .all,
                "Give a prefix, start or end that is not empty; or \"all\":true for every key."
            )
        }
        return range
    }

    // MARK: Conditions in a body or a query

    /// `if_etag` and `if_absent`.
    func condition() throws(Problem) -> RawCondition {
        let isAbsent = try flag(.ifAbsent) ?? false
        let tag = try text(.ifEntityTag) { EntityTagList(Bytes($0)[...]) }
        guard let tag else { return isAbsent ? .absent : .none }
        guard !isAbsent else {
            throw mistake(
                .invalidArgument, .ifAbsent, "Give if_etag or if_absent, not both.")
        }
        switch tag {
        case .any: return .present
        case .tags(let tags) where tags.count == 1 && tags[0].fingerprint != nil:
            return .matchesAny(tags.compactMap(\.strongFingerprint))
        default:
            throw mistake(
                .invalidArgument, .ifEntityTag,
                "Must be an etag as this service gives it, 32 hexadecimal digits, or *.")
        }
    }
}
