/// The order in which writes reached the disk, as the world saw it: where to look first for an
/// order
/// that explains a history.
///
/// Only a hint. A search that follows it goes straight through a right history; whether a history
/// is
/// right never depends on it.
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

    private var count: UInt64 = 0
    private var stored: [Bytes: UInt64] = [:]
    private var deleted: [Deletion: [(at: Instant, order: UInt64)]] = [:]

    mutating func note(_ batch: WriteBatch, at instant: Instant) {
        for operation in batch.operations {
            count += 1
            let key = Key(Bytes(batch.arena[operation.key]))
            let value = Bytes(batch.arena[operation.value])
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
