/// What clients ask for: drawn commands with unique values over few keys, so that requests
/// conflict.
///
/// A client knows some of what is there: the values that any client was last told are on one board,
/// so that conditions hold often enough, and are stale often enough.
internal import Base
package import Regions

/// One request of a script.
package struct ScriptStep: Sendable {
    package var commands: [RawCommand]

    package init(_ commands: RawCommand...) { self.commands = commands }
    package init(commands: [RawCommand]) { self.commands = commands }
}

struct Workload {
    let shape: Shape
    let keys: [Key]
    private(set) var board: [Key: Bytes] = [:]
    private var nextValue = 0

    init(shape: Shape) {
        self.shape = shape
        keys = Array(SimKeys.all.prefix(max(2, min(shape.keys, SimKeys.all.count))))
    }

    mutating func learn(_ key: Key, _ seen: Seen) {
        switch seen {
        case .absent: board[key] = nil
        case .value(let value, _): board[key] = value
        }
    }

    /// The commands of one request.
    mutating func draw(_ generator: inout SeededGenerator) -> [RawCommand] {
        let kind = drawKind(&generator)
        guard kind == .batch else { return [command(kind, nil, &generator)] }
        let count = 2 + Int(generator.next() % 4)
        // All of one key, so that one request's commands wait for each other.
        let only = generator.chance(1, in: 3) ? key(&generator) : nil
        return (0..<count).map { _ in
            var kind = drawKind(&generator)
            while [.batch, .scan, .count].contains(kind) {
                kind = generator.chance(1, in: 2) ? .put : .get
            }
            var drawn = command(kind, only, &generator)
            // A batch has no words for lists of tags.
            while drawn.hasListCondition { drawn = command(kind, only, &generator) }
            return drawn
        }
    }

    private func drawKind(_ generator: inout SeededGenerator) -> OperationKind {
        let total = shape.weights.reduce(0) { $0 + $1.weight }
        var rest = UInt64.random(in: 0..<total, using: &generator)
        for (kind, weight) in shape.weights {
            if rest < weight { return kind }
            rest -= weight
        }
        return .get
    }

    /// The lower keys are the hotter ones.
    private func key(_ generator: inout SeededGenerator) -> Key {
        let a = Int(generator.next() % UInt64(keys.count))
        let b = Int(generator.next() % UInt64(keys.count))
        return keys[min(a, b)]
    }

    private static let paddingMax: UInt64 = 2_000
    /// Key, value and trailer of the largest write that is drawn.
    static let largestWriteBytes = Int(paddingMax) + 100

    mutating func value(_ generator: inout SeededGenerator) -> Bytes {
        nextValue += 1
        var value = Bytes("v\(nextValue)".utf8)
        if shape.largeValueEvery > 0, generator.chance(1, in: shape.largeValueEvery) {
            let count = 1 + Int(generator.next() % Workload.paddingMax)
            value += Bytes(repeating: UInt8(ascii: " "), count: count)
        }
        return value
    }

    private func range(_ generator: inout SeededGenerator) -> KeyRange {
        switch generator.next() % 4 {
        case 0: return .all
        case 1: return KeyRange(prefix: Key(utf8: "b"))
        default:
            let a = key(&generator)
            let b = key(&generator)
            return KeyRange(start: min(a, b), end: a == b ? a.successor : max(a, b))
        }
    }

    private func timeToLive(_ generator: inout SeededGenerator) -> UInt64? {
        guard shape.timeToLiveOfTen > 0, generator.chance(shape.timeToLiveOfTen, in: 10) else {
            return nil
        }
        return 1 + generator.next() % 2
    }

    private func condition(_ key: Key, _ generator: inout SeededGenerator) -> RawCondition {
        switch generator.next() % 8 {
        case 0, 1: return .absent
        case 2: return .present
        case let choice:
            guard let value = board[key] else { return .absent }
            let tags = [Fingerprint(of: value)]
            return choice == 3
                ? .matchesNone(tags) : choice == 4 ? .presentMatchingNone(tags) : .matchesAny(tags)
        }
    }

    private mutating func command(
        _ kind: OperationKind, _ only: Key?, _ generator: inout SeededGenerator
    ) -> RawCommand {
        let key = only ?? key(&generator)
        switch kind {
        case .get, .batch: return .get(key)
        case .put, .conditionalPut:
            let condition = kind == .put ? .none : condition(key, &generator)
            return .put(
                RawPut(
                    key: key, value: value(&generator), timeToLive: timeToLive(&generator),
                    condition: condition, returnPrevious: generator.chance(1, in: 4)))
        case .delete, .conditionalDelete:
            let condition = kind == .delete ? .none : condition(key, &generator)
            return .delete(
                RawDelete(
                    key: key, condition: condition == .absent ? .present : condition,
                    returnPrevious: generator.chance(1, in: 4)))
        case .compareAndSwap:
            let replacement: RawCompareAndSwap.Replacement =
                generator.chance(1, in: 5)
                ? .delete : .put(value(&generator), timeToLive: timeToLive(&generator))
            return .compareAndSwap(
                RawCompareAndSwap(key: key, expected: board[key], replacement: replacement))
        case .deleteRange:
            return .deleteRange(range(&generator), dryRun: generator.chance(1, in: 5))
        case .scan:
            return .scan(
                RawScan(
                    range: range(&generator), reverse: generator.chance(1, in: 3),
                    limit: 1 + Int(generator.next() % 4), keysOnly: generator.chance(1, in: 4)))
        case .count: return .count(range(&generator))
        }
    }

    /// Looks at every key, and at every latch and range: what a bug left behind shows here.
    mutating func verification() -> [ScriptStep] {
        func value() -> Bytes {
            nextValue += 1
            return Bytes("v\(nextValue)".utf8)
        }
        var steps = keys.map { ScriptStep(.get($0)) }
        steps.append(ScriptStep(.scan(RawScan(range: .all, limit: 2))))
        for key in keys {
            let put = RawPut(key: key, value: value(), condition: .absent)
            let any = RawPut(key: key, value: value(), condition: .present)
            steps.append(ScriptStep(.put(put), .put(any), .get(key)))
        }
        steps.append(ScriptStep(.count(.all)))
        steps.append(ScriptStep(.deleteRange(.all, dryRun: false)))
        for key in keys {
            steps.append(ScriptStep(.put(RawPut(key: key, value: value()))))
        }
        steps.append(ScriptStep(.count(.all)))
        return steps
    }
}
