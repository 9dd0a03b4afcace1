/// The order in which writes were applied, which is that of the log.
///
/// For linearizability it is only a hint, where to look first for an order that explains a history:
/// whether one is right never depends on it. `StateOrderChecker` takes it for the truth.
internal import Base
internal import Regions
internal import Storage

struct EffectOrder {
    /// Comes after everything that has a place.
    static let unknown = UInt64.max

    private struct Deletion: Hashable {
        var start: Key
        /// nil for the delete of one key.
        var end: Key?
        var isRange: Bool
    }

    init() {}

    /// As if every acknowledged write of one value had been applied when it was answered.
    init(inOrderOf calls: [Call]) {
        let writes = calls.filter { $0.isAcknowledged && $0.command.isWrite }
        let ended = writes.sorted { ($0.effectBefore, $0.id) < ($1.effectBefore, $1.id) }
        for call in ended {
            guard let (key, value, _) = call.command.storedValue else { continue }
            var batch = WriteBatch()
            batch.put(.raw, RawSpace.key(key), RawRecord.encode(value, expiresAt: nil))
            note(batch, at: call.effectBefore)
        }
    }

    private var count: UInt64 = 0
    private var stored: [Bytes: UInt64] = [:]
    private var deleted: [Deletion: [(at: Instant, order: UInt64)]] = [:]

    /// For each key, when something replaced what was there, for certain.
    private var replacements: [Key: [UInt64]] = [:]

    /// Readers see it from now on.
    mutating func note(_ batch: WriteBatch, at instant: Instant) {
        for operation in batch.operations {
            count += 1
            let key = Key(Bytes(batch.arena[operation.key]))
            let value = Bytes(batch.arena[operation.value])
            noteReplacement(operation.kind, key, value)
            switch operation.kind {
            case .put:
                do {
                    let valueCount = try value.withUnsafeBytes {
                        try RawRecord.decode($0).valueCount
                    }
                    stored[Bytes(value.prefix(valueCount))] = count
                } catch {
                    continue
                }
            case .delete:
                deleted[Deletion(start: key, isRange: false), default: []].append((instant, count))
            case .deleteRange:
                let end = value.isEmpty ? nil : Key(value)
                deleted[Deletion(start: key, end: end, isRange: true), default: []]
                    .append((instant, count))
            }
        }
    }

    private mutating func noteReplacement(
        _ kind: WriteBatch.Kind, _ key: Key, _ value: Bytes
    ) {
        guard kind == .deleteRange else {
            replacements[key, default: []].append(count)
            return
        }
        let range = KeyRange(start: key, end: value.isEmpty ? nil : Key(value))
        for user in SimKeys.sorted where range.contains(RawSpace.key(user)) {
            replacements[RawSpace.key(user), default: []].append(count)
        }
    }

    /// The number of the first state of the store that holds a value; nil if it never reached it.
    func firstState(of value: Bytes) -> UInt64? { stored[value] }

    /// The number of the first state that certainly holds it no more; nil if there is none.
    func stateAfter(_ value: Bytes, under key: Key) -> UInt64? {
        guard let first = stored[value], let all = replacements[RawSpace.key(key)] else {
            return nil
        }
        // The first one beyond `first`: they are in rising order.
        var low = 0
        var high = all.count
        while low < high {
            let middle = (low + high) / 2
            if all[middle] > first { high = middle } else { low = middle + 1 }
        }
        return low < all.count ? all[low] : nil
    }

    /// The place of a call's effect; `unknown` if it has none or had none.
    func place(of call: Call) -> UInt64 {
        if let value = call.command.storedValue?.value { return stored[value] ?? Self.unknown }
        let deletion: Deletion
        switch call.command {
        case .deleteRange(let range, _):
            let whole = RawSpace.range(range)
            deletion = Deletion(start: whole.start, end: whole.end, isRange: true)
        default:
            guard let key = call.command.writtenKey else { return Self.unknown }
            deletion = Deletion(start: RawSpace.key(key), isRange: false)
        }
        let places = deleted[deletion] ?? []
        return places.first { $0.at >= call.invokedAt }?.order ?? Self.unknown
    }
}
