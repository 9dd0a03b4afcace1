/// `consistency`, `max_staleness_seconds`, `replica`, `min_version` and `timeout_ms`: what a
/// request says of who answers it, how fresh, and until when.
internal import Base
internal import Regions

extension Fields {
    /// Of reads only.
    static let ruleNames = FieldNames(.consistency, .stalenessMax, .replica, .versionMin)

    /// nil if none of them is there.
    func readRule() throws(Problem) -> ReadRule? {
        guard !names.isDisjoint(with: Self.ruleNames) else { return nil }
        let isStale = try choice(.consistency, among: ["linearizable", "stale"]) == 1
        let seconds = try integer(.stalenessMax, in: 1...Limits.stalenessSecondsMax)
        guard isStale || seconds == nil else {
            throw mistake(.invalidArgument, .stalenessMax, "Goes with consistency=stale only.")
        }
        let version = try integer(.versionMin, in: 0...UInt64.max)
        // A stale read takes what is nearest.
        let replica = try choice(.replica, among: ["leader", "follower", "any"])
            .flatMap { ReadRule.Replica(rawValue: UInt8($0)) }
        let bound = UInt32(clamping: (seconds ?? Limits.stalenessSecondsDefault) * 1_000)
        return ReadRule(
            replica: replica ?? (isStale ? .any : .leader),
            ageMillisecondsMax: isStale ? bound : nil, minVersion: version ?? 0)
    }

    func timeout() throws(Problem) -> Duration? {
        let longest = Limits.requestTimeoutMax.wholeNanoseconds / 1_000_000
        return try integer(.timeout, in: 1...longest).map { .milliseconds(Int64($0)) }
    }

    /// The place of the value in the list; nil if the field is absent.
    private func choice(
        _ name: FieldName, among values: [String]
    ) throws(Problem) -> Int? {
        let given = try text(name) { text in values.firstIndex { $0.utf8.elementsEqual(text) } }
        guard let given else { return nil }
        guard let place = given else {
            throw mistake(
                .invalidArgument, name, "Must be one of \(values.joined(separator: ", ")).")
        }
        return place
    }
}

extension Route {
    /// Whether it reads only; of a batch its operations say.
    private func mayRead(_ method: Method) -> Bool {
        switch self {
        case .rawScan, .rawCount, .rawBatch: true
        case .rawValue, .rawEntry: method == .get || method == .head
        default: false
        }
    }

    func checkTakesRule(_ fields: Fields, _ method: Method) throws(Problem) {
        guard !mayRead(method),
            let name = fields.names.intersection(Fields.ruleNames).names.first
        else { return }
        throw fields.mistake(
            .unknownParameter, name,
            "Goes with reads only; what writes is for the leader alone to do.")
    }
}

extension RawRequest {
    /// A write has one place, and the reads beside it see it there.
    func checkTakesRule(_ fields: Fields) throws(Problem) {
        guard commands.contains(where: \.isWrite),
            let name = fields.names.intersection(Fields.ruleNames).names.first
        else { return }
        throw fields.mistake(
            .invalidArgument, name,
            "Goes with reads only; this batch writes, which the leader alone can do.")
    }
}
