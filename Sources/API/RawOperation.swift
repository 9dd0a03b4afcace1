/// The objects of the raw space's JSON bodies: one operation each, alone or as an element of `ops`.
internal import Base
internal import Regions

enum RawOperation: String, CaseIterable {
    case get
    case put
    case delete
    case compareAndSwap = "cas"
    case scan
    case deleteRange = "delete_range"

    static let putNames = FieldNames(
        .key, .keyBase64, .value, .valueBase64, .timeToLive, .ifEntityTag, .ifAbsent,
        .returnPrevious)
    static let deleteNames = FieldNames(.key, .keyBase64, .ifEntityTag, .returnPrevious)
    static let compareAndSwapNames = FieldNames(
        .key, .keyBase64, .previousValue, .previousValueBase64, .previousAbsent, .value,
        .valueBase64, .delete, .timeToLive)
    static let deleteRangeNames = Fields.boundNames.union(FieldNames(.all, .dryRun))

    /// What goes with `op`.
    private var names: FieldNames {
        switch self {
        case .get: FieldNames(.key, .keyBase64)
        case .put: Self.putNames
        case .delete: Self.deleteNames
        case .compareAndSwap: Self.compareAndSwapNames
        case .scan: Fields.scanNames
        case .deleteRange: Self.deleteRangeNames
        }
    }

    private static let allNames: FieldNames = allCases.reduce(FieldNames(.operation)) {
        $0.union($1.names)
    }

    // MARK: A batch

    /// `{"ops":[…]}`: executed in order, each on its own. A mistake in any refuses the whole
    /// request, so that nothing of it was done.
    static func batch(_ body: JSONValue, _ fields: Fields) throws(Problem) -> RawRequest {
        var operations: JSONValue?
        try body.forEachMember { (_, value) throws(Problem) in operations = value }
        guard let operations, operations.kind == .array else {
            throw fields.mistake(
                .invalidArgument, .operations, "Required: an array of operations.")
        }
        var commands: [RawCommand] = []
        var items: [RawItem] = []
        commands.reserveCapacity(operations.count)
        items.reserveCapacity(operations.count)
        var element = Fields(.body)
        try operations.forEachElement { (value) throws(Problem) in
            guard commands.count < Limits.operationsPerBatch else {
                throw tooMany(operations.count)
            }
            try element.read(value, at: .operation(commands.count), allowed: allNames)
            let (command, item) = try single(element)
            commands.append(command)
            items.append(item)
        }
        guard !commands.isEmpty else {
            throw fields.mistake(.invalidArgument, .operations, "Needs at least one operation.")
        }
        return RawRequest(commands: commands, answer: RawAnswer(.batch(items)))
    }

    private static func tooMany(_ count: Int) -> Problem {
        var problem = Problem.mistake(
            .requestTooLarge, at: "/ops",
            "A batch has at most \(Limits.operationsPerBatch) operations; this one has \(count).")
        problem.limit = Limits.operationsPerBatch
        problem.actual = count
        return problem
    }

    private static func single(_ fields: Fields) throws(Problem) -> (RawCommand, RawItem) {
        let named = try fields.text(.operation) { text in
            allCases.first { $0.rawValue.utf8.elementsEqual(text) }
        }
        guard let operation = named ?? nil else {
            let known = allCases.map(\.rawValue)
            let given = try fields.text(.operation) {
                String(decoding: $0.prefix(64), as: UTF8.self)
            }
            let nearest = given.flatMap { NearestName.find($0, among: known) }
            throw fields.mistake(
                .invalidArgument, .operation,
                "Must be one of \(known.joined(separator: ", "))."
                    + (nearest.map { " Did you mean \($0)?" } ?? ""))
        }
        try fields.allowOnly(
            operation.names.union(FieldNames(.operation)), with: "op \(operation.rawValue)")
        switch operation {
        case .get:
            let key = try fields.key()
            return (.get(key), .entry(key))
        case .put:
            let put = try put(fields)
            return (.put(put), .written(put))
        case .delete:
            let delete = RawDelete(
                key: try fields.key(), condition: try fields.condition(),
                returnPrevious: try fields.flag(.returnPrevious) ?? false)
            return (.delete(delete), .deleted(delete.key))
        case .compareAndSwap:
            let swap = try compareAndSwap(fields)
            return (.compareAndSwap(swap), .swapped(swap))
        case .scan:
            let (scan, cursor) = try fields.scan()
            return (.scan(scan), .page(cursor))
        case .deleteRange: return (try deleteRange(fields), .rangeDeleted)
        }
    }

    // MARK: The objects

    static func put(_ fields: Fields) throws(Problem) -> RawPut {
        RawPut(
            key: try fields.key(), value: try fields.value(),
            timeToLive: try fields.timeToLive(), condition: try fields.condition(),
            returnPrevious: try fields.flag(.returnPrevious) ?? false)
    }

    static func deleteRange(_ fields: Fields) throws(Problem) -> RawCommand {
        .deleteRange(
            try fields.boundsOfDeletion(), dryRun: try fields.flag(.dryRun) ?? false)
    }

    static func compareAndSwap(_ fields: Fields) throws(Problem) -> RawCompareAndSwap {
        let key = try fields.key()
        let previous = try fields.optionalValue(.previousValue)
        let mustBeAbsent = try fields.flag(.previousAbsent) ?? false
        guard (previous != nil) != mustBeAbsent else {
            throw fields.mistake(
                .invalidArgument, .previousValue,
                "Give what must be there: previous_value (or previous_value_base64), "
                    + "or \"previous_absent\":true, and not both.")
        }
        let timeToLive = try fields.timeToLive()
        let value = try fields.optionalValue(.value)
        let isDeletion = try fields.flag(.delete) ?? false
        guard (value != nil) != isDeletion else {
            throw fields.mistake(
                .invalidArgument, .value,
                "Give what to put in its place: value (or value_base64), or \"delete\":true, "
                    + "and not both.")
        }
        guard let value else {
            guard timeToLive == nil else {
                throw fields.mistake(
                    .invalidArgument, .timeToLive, "Does not go with \"delete\":true.")
            }
            return RawCompareAndSwap(key: key, expected: previous, replacement: .delete)
        }
        return RawCompareAndSwap(
            key: key, expected: previous, replacement: .put(value, timeToLive: timeToLive))
    }
}
