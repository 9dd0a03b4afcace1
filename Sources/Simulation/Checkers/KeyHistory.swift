/// A world's history cut by key, as operations on one register.
///
/// Sound, and weaker than the whole: a range delete counts as a delete of every key of its range,
/// at a moment of its own for each key within the one interval; a page counts as a read of every
/// key that it covers; a count is not looked at here (`CountChecker` and `StoreLinearizability` do
/// that).
internal import Base
internal import Regions

/// What a register operation wants to see and leaves behind.
struct RegisterOperation {
    enum Sight {
        /// Nothing is looked at.
        case anything
        case absent
        case present
        /// This very value.
        case value(Int)
        /// One of these values, or, negated, none of them.
        case oneOf([Int])
        case noneOf([Int])
    }

    enum Effect {
        case none
        case set(Int)
        case clear
    }

    var call: Int
    var invoked: Instant
    /// The latest instant at which it can have taken effect.
    var returned: Instant
    var sights: [Sight]
    var effect: Effect
    /// With an unknown outcome it may as well not have happened.
    var isOptional: Bool
    /// The operation before it in its request, on the same key: an index into the key's operations.
    var predecessor: Int?
    /// Where its effect came among all (`EffectOrder`).
    var place: UInt64
    /// What the node's wall clock showed while it ran.
    var wall: ClosedRange<WallTime>
}

/// A value that some command of the history may have stored; every command stores another one.
struct StoredValue {
    var key: Key
    var bytes: Bytes
    var invoked: Instant
    /// When it expires, as far as is known: exactly if a read told, else by the clock while it was
    /// written.
    var expiry: ClosedRange<WallTime>?
}

struct KeyHistories {
    let history: History
    private(set) var values: [StoredValue] = []
    private var valueIndex: [Bytes: Int] = [:]
    private var tagIndex: [Fingerprint: Int] = [:]
    fileprivate(set) var operations: [Key: [RegisterOperation]] = [:]
    /// Values that were seen and that nobody wrote to that key.
    private(set) var strangers: [String] = []
    private let wall: (Call) -> ClosedRange<WallTime>
    private let order: EffectOrder
    private var lastOfRequest: [Key: (request: Int, index: Int)] = [:]
    /// By call: where a write of the key stands among its operations.
    private var writes: [Key: [Int: Int]] = [:]

    init(
        _ history: History, order: EffectOrder, wall: @escaping (Call) -> ClosedRange<WallTime>
    ) {
        self.history = history
        self.order = order
        self.wall = wall
        for call in history.calls { addValue(of: call) }
        for call in history.calls { noteExpiry(in: call) }
        for call in history.calls { add(call) }
        for key in SimKeys.sorted { sort(key) }
    }

    // MARK: Values

    private mutating func addValue(of call: Call) {
        guard let (key, bytes, ttl) = call.command.storedValue else { return }
        let index = values.count
        let range = wall(call)
        let expiry = ttl.map {
            range.lowerBound.adding(seconds: $0)...range.upperBound.adding(seconds: $0)
        }
        values.append(
            StoredValue(key: key, bytes: bytes, invoked: call.invokedAt, expiry: expiry))
        valueIndex[bytes] = index
        tagIndex[Fingerprint(of: bytes)] = index
    }

    private mutating func noteExpiry(in call: Call) {
        for (_, seen) in call.seenValues {
            guard case .value(let bytes, let expiresAt) = seen, let index = valueIndex[bytes],
                let expiresAt, values[index].expiry != nil
            else { continue }
            values[index].expiry = expiresAt...expiresAt
        }
    }

    private mutating func index(of bytes: Bytes, _ key: Key, _ call: Call) -> Int? {
        if let index = valueIndex[bytes], values[index].key == key { return index }
        strangers.append(
            "call \(call.id) \(call.command.shown) saw \(bytes.shownValue) (\(bytes.count) bytes) "
                + "under \(key.shown), which nobody wrote there")
        return nil
    }

    // MARK: Operations

    private mutating func add(_ call: Call) {
        if case .refused = call.answer { return }
        if !call.isAcknowledged, !call.command.isWrite { return }
        switch call.command {
        case .get(let key):
            guard case .read(let seen) = call.answer else { return }
            append(call, key, [sight(seen, key, call)], .none)
        case .put(let put):
            let index = valueIndex[put.value] ?? 0
            addConditional(call, put.key, put.condition, .set(index))
        case .delete(let delete): addConditional(call, delete.key, delete.condition, .clear)
        case .compareAndSwap(let swap): addSwap(call, swap)
        case .deleteRange(let range, dryRun: false):
            for key in SimKeys.sorted where range.contains(key) { append(call, key, [], .clear) }
        case .scan(let scan): addPage(call, scan)
        case .count, .deleteRange: break
        }
    }

    private mutating func addConditional(
        _ call: Call, _ key: Key, _ condition: RawCondition, _ effect: RegisterOperation.Effect
    ) {
        let held = sights(of: condition)
        switch call.answer {
        case .written(let previous), .deleted(let previous):
            let seen = previous.map { [sight($0, key, call)] } ?? []
            append(call, key, held + seen, effect)
        case .conditionFailed(let actual):
            let seen: RegisterOperation.Sight =
                actual.map { .oneOf([tagIndex[$0] ?? -1]) } ?? .absent
            append(call, key, [failed(condition), seen], .none)
        default: append(call, key, held, effect)
        }
    }

    /// What a condition that held has seen.
    private func sights(of condition: RawCondition) -> [RegisterOperation.Sight] {
        switch condition {
        case .none: [.anything]
        case .absent: [.absent]
        case .present: [.present]
        case .matchesAny(let tags): [.oneOf(tags.compactMap { tagIndex[$0] })]
        case .matchesNone(let tags): [.noneOf(tags.compactMap { tagIndex[$0] })]
        case .presentMatchingNone(let tags):
            [.present, .noneOf(tags.compactMap { tagIndex[$0] })]
        }
    }

    /// What one that did not hold has seen, beside the tag in its answer.
    private func failed(_ condition: RawCondition) -> RegisterOperation.Sight {
        switch condition {
        case .none, .presentMatchingNone: .anything
        case .absent: .present
        case .present: .absent
        case .matchesAny(let tags): .noneOf(tags.compactMap { tagIndex[$0] })
        case .matchesNone(let tags): .oneOf(tags.compactMap { tagIndex[$0] })
        }
    }

    private mutating func addSwap(_ call: Call, _ swap: RawCompareAndSwap) {
        let expected: RegisterOperation.Sight =
            swap.expected.map { bytes in valueIndex[bytes].map { .value($0) } ?? .oneOf([]) }
            ?? .absent
        let effect: RegisterOperation.Effect =
            if case .put(let value, _) = swap.replacement {
                .set(valueIndex[value] ?? 0)
            } else {
                .clear
            }
        guard case .notSwapped(let seen) = call.answer else {
            append(call, swap.key, [expected], effect)
            return
        }
        let differs: RegisterOperation.Sight =
            swap.expected.map { .noneOf([valueIndex[$0] ?? -1]) } ?? .present
        append(call, swap.key, [differs, sight(seen, swap.key, call)], .none)
    }

    /// A page is a read of each key from where it began to its last entry, or to the end of the
    /// range.
    private mutating func addPage(_ call: Call, _ scan: RawScan) {
        guard case .page(let entries, let cursor)? = call.answer else { return }
        var covered = scan.range
        if cursor != nil, let last = entries.last?.key {
            if scan.reverse {
                covered.start = max(covered.start, last)
            } else {
                covered.end = last.successor
            }
        }
        var seen: [Key: RegisterOperation.Sight] = [:]
        for entry in entries {
            seen[entry.key] =
                entry.value.map { sight(.value($0, expiresAt: nil), entry.key, call) } ?? .present
        }
        for key in SimKeys.sorted where covered.contains(key) {
            append(call, key, [seen[key] ?? .absent], .none)
        }
    }

    private mutating func sight(
        _ seen: Seen, _ key: Key, _ call: Call
    ) -> RegisterOperation.Sight {
        switch seen {
        case .absent: .absent
        case .value(let bytes, _): .value(index(of: bytes, key, call) ?? -1)
        }
    }

    private mutating func append(
        _ call: Call, _ key: Key, _ sights: [RegisterOperation.Sight],
        _ effect: RegisterOperation.Effect
    ) {
        let index = operations[key]?.count ?? 0
        let last = lastOfRequest[key]
        let seen = call.ask?.seenCall.flatMap { writes[key]?[$0] }
        if call.command.isWrite { writes[key, default: [:]][call.id] = index }
        let operation = RegisterOperation(
            call: call.id, invoked: earliest(call, behind: seen, key), returned: call.effectBefore,
            sights: sights,
            effect: effect, isOptional: !call.isAcknowledged,
            predecessor: last?.request == call.request ? last?.index : seen,
            place: order.place(of: call), wall: wall(call))
        operations[key, default: []].append(operation)
        lastOfRequest[key] = (call.request, index)
    }
}

// MARK: Stale reads

extension KeyHistories {
    /// What a stale read has seen was there at some moment from then on. Its replica's clock may
    /// run slower than true time, by less than a quarter in any world.
    private func earliest(_ call: Call, behind write: Int?, _ key: Key) -> Instant {
        guard let age = call.stamp?.ageMilliseconds, call.ask?.staleMilliseconds != nil else {
            return call.invokedAt
        }
        let back = age * 1_250_000
        let from = Instant(
            nanoseconds: call.invokedAt.nanoseconds - min(back, call.invokedAt.nanoseconds))
        guard let write, let before = operations[key]?[write] else { return from }
        return max(from, before.invoked)
    }

    /// In the order in which they began, stale reads where they look back to.
    fileprivate mutating func sort(_ key: Key) {
        guard let all = operations[key] else { return }
        let order = all.indices.sorted { (all[$0].invoked, $0) < (all[$1].invoked, $1) }
        guard order != Array(all.indices) else { return }
        var places = Array(repeating: 0, count: all.count)
        for (place, index) in order.enumerated() { places[index] = place }
        operations[key] = order.map { index in
            var operation = all[index]
            operation.predecessor = operation.predecessor.map { places[$0] }
            return operation
        }
    }
}

extension RawCommand {
    /// What it stores if it does.
    var storedValue: (key: Key, value: Bytes, timeToLive: UInt64?)? {
        switch self {
        case .put(let put): return (put.key, put.value, put.timeToLive)
        case .compareAndSwap(let swap):
            guard case .put(let value, let ttl) = swap.replacement else { return nil }
            return (swap.key, value, ttl)
        default: return nil
        }
    }
}

extension Call {
    /// Every value that its answer showed.
    var seenValues: [(key: Key, seen: Seen)] {
        switch (command, answer) {
        case (.get(let key), .read(let seen)): [(key, seen)]
        case (.put(let put), .written(let seen?)): [(put.key, seen)]
        case (.delete(let delete), .deleted(let seen?)): [(delete.key, seen)]
        case (.compareAndSwap(let swap), .notSwapped(let seen)): [(swap.key, seen)]
        case (_, .page(let entries, _)):
            entries.compactMap { entry in
                entry.value.map { (entry.key, .value($0, expiresAt: entry.expiresAt)) }
            }
        default: []
        }
    }
}
