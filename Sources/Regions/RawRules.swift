/// The rules of raw writes: from a command and the value that is there to writes and an outcome.
///
/// Pure: what they decide is the same on every engine, and what they collect is applied blindly
/// later. The expiry of a value is fixed here, once, from the time at which the write is ordered,
/// so that every replica and every replay stores the same bytes. Reading the current value and
/// keeping others from changing it meanwhile is the shard's work.
package import Base
package import Storage

extension RawCommand {
    /// Whether the rule has to know the value that is there.
    package var needsCurrentValue: Bool {
        switch self {
        case .put(let put): put.condition != .none || put.returnPrevious
        case .delete(let delete): delete.condition != .none || delete.returnPrevious
        case .compareAndSwap: true
        case .get, .scan, .count, .deleteRange: false
        }
    }

    /// Whether the write gives space back, so that it may go ahead on a full disk.
    package var freesSpace: Bool {
        switch self {
        case .delete, .deleteRange: true
        case .compareAndSwap(let swap): swap.replacement == .delete
        case .get, .put, .scan, .count: false
        }
    }

    /// About what a write adds to a batch; of a range delete its bounds, for what it names is known
    /// only when it is measured.
    package var storedBytes: Int {
        switch self {
        case .put(let put): put.key.bytes.count + put.value.count
        case .delete(let delete): delete.key.bytes.count
        case .compareAndSwap(let swap):
            if case .put(let value, _) = swap.replacement {
                swap.key.bytes.count + value.count
            } else {
                swap.key.bytes.count
            }
        case .deleteRange(let range, _):
            range.start.bytes.count + (range.end?.bytes.count ?? 0)
        case .get, .scan, .count: 0
        }
    }

    /// The one key that a write changes.
    package var writtenKey: Key? {
        switch self {
        case .put(let put): put.key
        case .delete(let delete): delete.key
        case .compareAndSwap(let swap): swap.key
        case .get, .scan, .count, .deleteRange: nil
        }
    }
}

extension RawCondition {
    package func holds(for current: RawValue?) -> Bool {
        switch self {
        case .none: true
        case .absent: current == nil
        case .present: current != nil
        case .matchesAny(let tags):
            current.map { tags.contains(Fingerprint(of: $0.value)) } ?? false
        case .matchesNone(let tags):
            current.map { !tags.contains(Fingerprint(of: $0.value)) } ?? true
        case .presentMatchingNone(let tags):
            current.map { !tags.contains(Fingerprint(of: $0.value)) } ?? false
        }
    }
}

package enum RawRules {
    /// Decides one write. `current` is what a read at `wall` finds; it is looked at only if
    /// `needsCurrentValue`. An outcome that is a failed condition adds nothing to `batch`.
    package static func decide(
        _ command: RawCommand, current: RawValue?, at wall: WallTime, into batch: inout WriteBatch
    ) -> RawOutcome {
        switch command {
        case .put(let put):
            guard put.condition.holds(for: current) else { return failed(current) }
            store(put.key, put.value, put.timeToLive, at: wall, into: &batch)
            return .written(previous: put.returnPrevious ? current : nil)
        case .delete(let delete):
            guard delete.condition.holds(for: current) else { return failed(current) }
            batch.delete(.raw, RawSpace.key(delete.key))
            return .deleted(previous: delete.returnPrevious ? current : nil)
        case .compareAndSwap(let swap):
            guard swap.expected == current?.value else { return .notSwapped(previous: current) }
            switch swap.replacement {
            case .put(let value, let timeToLive):
                store(swap.key, value, timeToLive, at: wall, into: &batch)
            case .delete:
                batch.delete(.raw, RawSpace.key(swap.key))
            }
            return .swapped(previous: current)
        case .get, .scan, .count, .deleteRange:
            invariant(false, "\(command) is not a write of one key")
            return .missing
        }
    }

    private static func failed(_ current: RawValue?) -> RawOutcome {
        .conditionFailed(actual: current.map { Fingerprint(of: $0.value) })
    }

    private static func store(
        _ key: Key, _ value: Bytes, _ timeToLive: UInt64?, at wall: WallTime,
        into batch: inout WriteBatch
    ) {
        let expiresAt = timeToLive.map { wall.adding(seconds: $0) }
        batch.put(.raw, RawSpace.key(key), RawRecord.encode(value, expiresAt: expiresAt))
    }
}
