/// Linearizability of one register: is there an order of its operations, each at a moment between
/// its call and its answer, in which every answer is right?
///
/// The search of Wing and Gong (1993) with the memory of Lowe (2017): a set of operations already
/// placed, with the value that they leave, is tried once. Operations of one request keep their
/// order. One with an unknown outcome may be left out, or be placed up to the moment at which it is
/// known to be over: also behind reads of its own request, which have seen that it was not there
/// yet (a failing disk can bring it to light at the next start), but not behind a later write.
internal import Base

struct RegisterSearch {
    enum Verdict {
        case linearizable
        /// The longest order that was found, and the operations none of which can come next.
        case impossible(prefix: [Int], stuck: [Int])
        /// Too much to search.
        case undecided
    }

    private struct Configuration: Hashable {
        var low: Int
        var window: [UInt64]
        var value: Int
        var mustBeSeen: Bool
    }

    private let operations: [RegisterOperation]
    // Hot path: plain numbers, which are compared without a call into another module.
    private let invoked: [UInt64]
    private let returned: [UInt64]
    private let isOptional: [Bool]
    /// The last one before it in its request that has a known outcome.
    private let predecessors: [Int?]
    /// Those behind it in its request that may change something.
    private let laterWrites: [[Int]]
    private let values: [StoredValue]
    /// The greatest wall time from the start of each value's write to the end of an operation.
    private let wallMax: (Instant, Instant) -> WallTime
    private let stepLimit: Int
    private var placed: [Bool]
    private var low = 0
    private var visited: Set<Configuration> = []
    /// Optional writes of values that no answer can be explained by.
    private var isUseless: [Bool]
    private var optionals: [Int]

    init(
        _ operations: [RegisterOperation], values: [StoredValue], stepLimit: Int = 400_000,
        wallMax: @escaping (Instant, Instant) -> WallTime
    ) {
        self.operations = operations
        invoked = operations.map(\.invoked.nanoseconds)
        returned = operations.map(\.returned.nanoseconds)
        isOptional = operations.map(\.isOptional)
        self.values = values
        self.stepLimit = stepLimit
        self.wallMax = wallMax
        placed = Array(repeating: false, count: operations.count)
        var laterWrites: [[Int]] = Array(repeating: [], count: operations.count)
        predecessors = operations.indices.map { index in
            var nearest: Int?
            var before = operations[index].predecessor
            while let earlier = before {
                if nearest == nil, !operations[earlier].isOptional { nearest = earlier }
                if operations[index].changes { laterWrites[earlier].append(index) }
                before = operations[earlier].predecessor
            }
            return nearest
        }
        self.laterWrites = laterWrites
        isUseless = RegisterSearch.useless(operations)
        optionals = operations.indices.filter { operations[$0].isOptional }
        optionals.removeAll { isUseless[$0] }
    }

    private static func useless(_ operations: [RegisterOperation]) -> [Bool] {
        var seen: Set<Int> = []
        var anyWillDo = false
        for sight in operations.flatMap(\.sights) {
            switch sight {
            case .anything, .absent: break
            case .present, .noneOf: anyWillDo = true
            case .value(let value): seen.insert(value)
            case .oneOf(let values): seen.formUnion(values)
            }
        }
        return operations.map { operation in
            guard operation.isOptional, !anyWillDo, case .set(let value) = operation.effect else {
                return false
            }
            return !seen.contains(value)
        }
    }

    private struct Frame {
        var value: Int
        /// The last operation placed is optional: unless the next one looks, it might as well be
        /// left out.
        var mustBeSeen = false
        var candidates: [Int]
        var next = 0
        var placedIndex: Int?
        var low: Int
    }

    mutating func run() -> Verdict {
        let mandatory = operations.filter { !$0.isOptional }.count
        var placedMandatory = 0
        var steps = 0
        var best: [Int] = []
        var order: [Int] = []
        var stack = [Frame(value: -1, candidates: candidates(-1, false), placedIndex: nil, low: 0)]
        if mandatory == 0 { return .linearizable }
        while var frame = stack.popLast() {
            guard frame.next < frame.candidates.count else {
                if let index = frame.placedIndex {
                    placed[index] = false
                    if !isOptional[index] { placedMandatory -= 1 }
                    low = frame.low
                    order.removeLast()
                }
                continue
            }
            let index = frame.candidates[frame.next]
            frame.next += 1
            let value = frame.value
            stack.append(frame)
            let after = result(operations[index], value)
            let lowBefore = low
            placed[index] = true
            while low < placed.count, placed[low] { low += 1 }
            steps += 1
            guard steps < stepLimit else { return .undecided }
            let mustBeSeen = operations[index].isOptional
            guard visited.insert(configuration(after, mustBeSeen)).inserted else {
                placed[index] = false
                low = lowBefore
                continue
            }
            if !isOptional[index] { placedMandatory += 1 }
            order.append(index)
            if order.count > best.count { best = order }
            if placedMandatory == mandatory { return .linearizable }
            stack.append(
                Frame(
                    value: after, mustBeSeen: mustBeSeen,
                    candidates: candidates(after, mustBeSeen), placedIndex: index,
                    low: lowBefore))
        }
        return stuck(best)
    }

    private mutating func stuck(_ best: [Int]) -> Verdict {
        placed = Array(repeating: false, count: operations.count)
        for index in best { placed[index] = true }
        let earliest = operations.indices.filter { !placed[$0] && !operations[$0].isOptional }
            .map { operations[$0].returned }.min()
        let stuck = operations.indices.filter {
            !placed[$0] && !operations[$0].isOptional
                && operations[$0].invoked <= earliest ?? .distantFuture
        }
        return .impossible(prefix: best, stuck: stuck)
    }

    private func configuration(_ value: Int, _ mustBeSeen: Bool) -> Configuration {
        var window: [UInt64] = []
        var word: UInt64 = 0
        var bit = 0
        var last = placed.count - 1
        while last >= low, !placed[last] { last -= 1 }
        for index in stride(from: low, through: last, by: 1) {
            if placed[index] { word |= 1 << UInt64(bit) }
            bit += 1
            if bit == 64 {
                window.append(word)
                word = 0
                bit = 0
            }
        }
        window.append(word)
        return Configuration(low: low, window: window, value: value, mustBeSeen: mustBeSeen)
    }

    /// Operations that may come next and whose answer would be right, the likeliest in front.
    private func candidates(_ value: Int, _ mustBeSeen: Bool) -> [Int] {
        var found: [Int] = []
        // Nothing may come before an operation that had ended before it began; operations are in
        // the order in which they began.
        var earliestReturn = UInt64.max
        var index = low
        while index < invoked.count, invoked[index] <= earliestReturn {
            if !placed[index] {
                if mayComeNext(index), admits(operations[index], value) { found.append(index) }
                if !isOptional[index], returned[index] < earliestReturn {
                    earliestReturn = returned[index]
                }
            }
            index += 1
        }
        let bound = earliestReturn
        found.removeAll { index in
            invoked[index] > bound || mustBeSeen && operations[index].isBlind
        }
        // A read that is right now can stand here at once: it changes nothing for the others.
        if let read = found.first(where: { operations[$0].isRead && endsNothing($0) }) {
            return [read]
        }
        return found.sorted { a, b in
            let (x, y) = (operations[a], operations[b])
            if x.isRead != y.isRead { return x.isRead }
            return (x.place, x.returned.nanoseconds, a) < (y.place, y.returned.nanoseconds, b)
        }
    }

    /// Whether no optional operation would have to be left out because this one is placed now.
    private func endsNothing(_ index: Int) -> Bool {
        optionals.allSatisfy {
            placed[$0]
                || returned[$0] >= invoked[index]
        }
    }

    private func mayComeNext(_ index: Int) -> Bool {
        if isUseless[index] { return false }
        if let before = predecessors[index], !placed[before] { return false }
        guard isOptional[index] else { return true }
        // It is over: something that began after its end stands already, or a write that follows it
        // in its request.
        if laterWrites[index].contains(where: { placed[$0] }) { return false }
        var later = operations.count - 1
        while later > index, invoked[later] > returned[index] {
            if placed[later] { return false }
            later -= 1
        }
        return true
    }

    private func result(_ operation: RegisterOperation, _ value: Int) -> Int {
        switch operation.effect {
        case .none: value
        case .set(let new): new
        case .clear: -1
        }
    }

    private func admits(_ operation: RegisterOperation, _ value: Int) -> Bool {
        for sight in operation.sights {
            let isRight =
                switch sight {
                case .anything: true
                case .absent: mayBeAbsent(operation, value)
                case .present: mayBePresent(operation, value)
                case .value(let wanted): value == wanted && mayBePresent(operation, value)
                case .oneOf(let wanted):
                    wanted.contains(value) && mayBePresent(operation, value)
                case .noneOf(let refused):
                    !refused.contains(value) || mayBeAbsent(operation, value)
                }
            if !isRight { return false }
        }
        return true
    }

    private func mayBePresent(_ operation: RegisterOperation, _ value: Int) -> Bool {
        guard value >= 0 else { return false }
        guard let expiry = values[value].expiry else { return true }
        return operation.wall.lowerBound < expiry.upperBound
    }

    /// Once the clock has passed its expiry a value may be gone for good, even if the clock is set
    /// back.
    private func mayBeAbsent(_ operation: RegisterOperation, _ value: Int) -> Bool {
        guard value >= 0 else { return true }
        guard let expiry = values[value].expiry else { return false }
        let until = max(
            operation.wall.upperBound, wallMax(values[value].invoked, operation.invoked))
        return until >= expiry.lowerBound
    }
}

extension RegisterOperation {
    fileprivate var changes: Bool {
        if case .none = effect { false } else { true }
    }

    fileprivate var isRead: Bool { !changes && !isOptional }

    /// Nothing that was there matters to it.
    fileprivate var isBlind: Bool {
        sights.allSatisfy { if case .anything = $0 { true } else { false } }
    }
}
