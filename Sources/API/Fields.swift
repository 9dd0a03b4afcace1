/// What a request names: the parameters of a query string, or the members of a JSON object, read
/// strictly.
///
/// One reader for both, because both have the same names and rules: unknown and repeated names are
/// refused with the nearest right one, values must have the exact type, and of `X` and `X_base64`
/// only one may be there. Every refusal names the parameter, or the place in the body as a JSON
/// pointer (RFC 6901).
internal import Base

/// Where fields stand, for error messages.
package enum Place: Hashable, Sendable {
    case query
    case body
    /// An element of `ops`.
    case operation(Int)

    func pointer(to name: String) -> String {
        switch self {
        case .query: name
        case .body: "/" + Self.escaped(name)
        case .operation(let index): "/ops/\(index)/" + Self.escaped(name)
        }
    }

    private static func escaped(_ name: String) -> String {
        name.contains { $0 == "~" || $0 == "/" }
            ? name.map { $0 == "~" ? "~0" : $0 == "/" ? "~1" : String($0) }.joined() : name
    }

    var noun: String { self == .query ? "parameter" : "field" }
}

extension Problem {
    /// One mistake at one place.
    static func mistake(_ code: ProblemCode, at pointer: String, _ detail: String) -> Problem {
        Problem(
            code, "\(pointer): \(detail)", errors: [FieldError(pointer: pointer, detail: detail)])
    }
}

struct Fields {
    private enum Value {
        case parameter(Bytes)
        case member(JSONValue)
    }

    private(set) var place: Place
    private(set) var names = FieldNames()
    private var values: [(name: FieldName, value: Value)] = []

    init(_ place: Place) { self.place = place }

    // MARK: Reading them in

    /// A query string without its `?`. Names and values are decoded by the form rules, to bytes.
    init(query: ArraySlice<UInt8>?, allowed: FieldNames) throws(Problem) {
        self.init(.query)
        guard let query, !query.isEmpty else { return }
        for pair in query.split(separator: UInt8(ascii: "&")) {
            let equals = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            let name = try Self.decoded(pair[..<equals], of: "a parameter's name")
            let known = name.withUnsafeBytes { FieldName($0) }
            guard let known, allowed.contains(known) else {
                throw Self.unknown(name, at: .query, allowed: allowed)
            }
            let value = try Self.decoded(pair[min(equals + 1, pair.endIndex)...], of: known.text)
            try add(known, .parameter(value))
        }
    }

    private static func decoded(
        _ text: ArraySlice<UInt8>, of name: String
    ) throws(Problem) -> Bytes {
        do {
            return try PercentCoding.decode(text, plusIsSpace: true)
        } catch {
            throw .mistake(
                .invalidArgument, at: name,
                "\(error); write a percent sign itself as %25.")
        }
    }

    /// The members of a JSON object, in place of what was read before: the storage is reused.
    mutating func read(
        _ object: JSONValue, at place: Place, allowed: FieldNames
    ) throws(Problem) {
        self.place = place
        names = FieldNames()
        values.removeAll(keepingCapacity: true)
        guard object.kind == .object else {
            let pointer = if case .operation(let index) = place { "/ops/\(index)" } else { "" }
            throw Problem(
                .invalidArgument,
                "\(pointer.isEmpty ? "The body" : pointer) must be a JSON object.",
                errors: [FieldError(pointer: pointer, detail: "must be a JSON object")])
        }
        try object.forEachMember { (text, value) throws(Problem) in
            guard let name = FieldName(text), allowed.contains(name) else {
                throw Self.unknown(Bytes(text), at: place, allowed: allowed)
            }
            try add(name, .member(value))
        }
    }

    private typealias FieldError = Problem.FieldError

    private mutating func add(_ name: FieldName, _ value: Value) throws(Problem) {
        guard !names.contains(name) else {
            throw mistake(.invalidArgument, name, "This \(place.noun) is there twice.")
        }
        names.insert(name)
        values.append((name, value))
    }

    private static func unknown(_ name: Bytes, at place: Place, allowed: FieldNames) -> Problem {
        let text = String(decoding: name.prefix(64), as: UTF8.self)
        let known = allowed.names.map(\.text)
        let advice =
            if let nearest = NearestName.find(text, among: known) {
                "Did you mean \(nearest)?"
            } else if known.isEmpty {
                "No \(place.noun) is taken here."
            } else {
                "Known here: \(known.joined(separator: ", "))."
            }
        return .mistake(
            place == .query ? .unknownParameter : .unknownField, at: place.pointer(to: text),
            "Unknown \(place.noun). \(advice)")
    }

    // MARK: Looking at them

    func mistake(_ code: ProblemCode, _ name: FieldName, _ detail: String) -> Problem {
        .mistake(code, at: place.pointer(to: name.text), detail)
    }

    private func value(_ name: FieldName) -> Value? {
        guard names.contains(name) else { return nil }
        return values.first { $0.name == name }?.value
    }

    /// Refuses names that are legal in this kind of object but not with what else it says.
    func allowOnly(_ allowed: FieldNames, with what: String) throws(Problem) {
        guard let stray = names.subtracting(allowed).names.first else { return }
        throw mistake(.unknownField, stray, "Does not go with \(what).")
    }

    /// `true` or `false`; nil if absent.
    func flag(_ name: FieldName) throws(Problem) -> Bool? {
        switch value(name) {
        case nil: return nil
        case .member(let json):
            guard let boolean = json.boolean else {
                throw mistake(.invalidArgument, name, "Must be true or false.")
            }
            return boolean
        case .parameter(let text):
            if text.elementsEqual("true".utf8) { return true }
            if text.elementsEqual("false".utf8) { return false }
            throw mistake(
                .invalidArgument, name,
                "Must be true or false, as in \(name.text)=true.")
        }
    }

    func integer(_ name: FieldName, in range: ClosedRange<UInt64>) throws(Problem) -> UInt64? {
        let number: UInt64?
        switch value(name) {
        case nil: return nil
        case .member(let json): number = json.unsigned
        case .parameter(let text): number = UInt64(decimal: text)
        }
        guard let number, range.contains(number) else {
            throw mistake(
                .invalidArgument, name,
                "Must be a whole number from \(range.lowerBound) to \(range.upperBound).")
        }
        return number
    }

    /// Calls `body` with a text value's bytes; nil if it is absent.
    func text<Result>(
        _ name: FieldName, _ body: (UnsafeRawBufferPointer) -> Result
    ) throws(Problem) -> Result? {
        switch value(name) {
        case nil: return nil
        case .parameter(let text): return text.withUnsafeBytes { body($0) }
        case .member(let json):
            guard let text = json.text else {
                let isNull = name == .previousValue && json.kind == .null
                throw mistake(
                    .invalidArgument, name,
                    "Must be a string."
                        + (isNull ? " If nothing must be there: \"previous_absent\":true." : ""))
            }
            return body(text)
        }
    }

    /// The bytes of `name` or of its base64 twin; nil if neither is there.
    func bytes(_ name: FieldName) throws(Problem) -> Bytes? {
        let plain: Bytes? =
            if case .parameter(let text)? = value(name) {
                text
            } else {
                try text(name) { Bytes($0) }
            }
        guard let twin = name.twin, names.contains(twin) else { return plain }
        guard plain == nil else {
            throw mistake(
                .invalidArgument, twin, "Give \(name.text) or \(twin.text), not both.")
        }
        let result = try text(twin) { text -> Result<Bytes, DecodeError> in
            do throws(DecodeError) {
                return .success(try Base64.decode(text))
            } catch {
                return .failure(error)
            }
        }
        switch result {
        case nil: return nil
        case .success(let bytes): return bytes
        case .failure(let error):
            throw mistake(
                .invalidBase64, twin,
                "Not base64: \(error). Standard and URL-safe letters are taken, padded or not.")
        }
    }

    /// The name of the pair that was given, for messages.
    func given(_ name: FieldName) -> FieldName {
        if let twin = name.twin, names.contains(twin) { twin } else { name }
    }
}
