/// What a crash must leave: looked at in the store itself, when a node starts, before any request.
internal import Base
internal import Regions

/// Every acknowledged write is there unless a later one replaced it, and nothing is there that was
/// refused.
struct DurabilityChecker {
    let history: History
    /// What the store holds.
    let stored: [Key: Bytes]
    /// Whether a value may be gone because it has expired.
    let mayHaveExpired: (Call) -> Bool

    func violation() -> Violation? {
        for key in SimKeys.sorted {
            let writes = history.calls.filter { $0.mayHaveWritten(key) }
            let message =
                stored[key].map { present(key, $0, writes) } ?? absent(key, writes)
            if let message {
                return Violation(
                    checker: .durability, message: "after a restart, \(key.shown): \(message)")
            }
        }
        return nil
    }

    private func present(_ key: Key, _ value: Bytes, _ writes: [Call]) -> String? {
        guard let writer = writes.first(where: { $0.command.storedValue?.value == value }) else {
            return "\(value.shownValue) is there, which nobody wrote or which was refused"
        }
        guard let lost = later(than: writer.effectBefore, writes) else { return nil }
        return "\(value.shownValue) of call \(writer.id) is there, and call \(lost.id) "
            + "\(lost.command.shown) is lost, which was acknowledged after it"
    }

    private func absent(_ key: Key, _ writes: [Call]) -> String? {
        let deletes = writes.filter { $0.command.storedValue == nil }
        let last = deletes.map(\.effectBefore).max() ?? .origin
        let setters = writes.filter { $0.command.storedValue != nil && !mayHaveExpired($0) }
        guard let lost = later(than: last, setters) else { return nil }
        // A write that may have expired can hide this one.
        let hides = writes.contains { mayHaveExpired($0) && $0.effectBefore >= lost.invokedAt }
        guard !hides else { return nil }
        return "nothing is there, and call \(lost.id) \(lost.command.shown) was acknowledged"
    }

    private func later(than instant: Instant, _ writes: [Call]) -> Call? {
        writes.last { $0.isAcknowledged && $0.invokedAt > instant }
    }
}

/// A range delete that a crash cut off happened as a whole or not at all.
///
/// A value that is still there and was written before the delete was asked for says that it did not
/// happen. A key that is not there, and that nothing but this delete can have removed, says that it
/// did.
struct AtomicityChecker {
    let history: History
    let stored: [Key: Bytes]
    let crashedAt: Instant

    func violation() -> Violation? {
        for call in history.calls.reversed() {
            guard call.endedAt == crashedAt, case .unknown? = call.answer,
                case .deleteRange(let range, dryRun: false) = call.command
            else { continue }
            let keys = SimKeys.sorted.filter { range.contains($0) }
            let left = keys.filter { isLeft($0, by: call) }
            guard !left.isEmpty else { continue }
            let gone = keys.filter { isGone($0, by: call) }
            guard !gone.isEmpty else { continue }
            return Violation(
                checker: .atomicity,
                message: "call \(call.id) \(call.command.shown) was cut off by a crash and "
                    + "deleted \(gone.map(\.shown).joined(separator: " ")) "
                    + "and not \(left.map(\.shown).joined(separator: " "))")
        }
        return nil
    }

    private func isLeft(_ key: Key, by delete: Call) -> Bool {
        guard let value = stored[key] else { return false }
        return history.calls.contains {
            $0.command.storedValue?.value == value && $0.effectBefore < delete.invokedAt
        }
    }

    private func isGone(_ key: Key, by delete: Call) -> Bool {
        guard stored[key] == nil else { return false }
        let writes = history.calls.filter { $0.id != delete.id && $0.mayHaveWritten(key) }
        // A delete, or the end of a time to live, can have removed it as well.
        let last =
            writes.filter { $0.command.storedValue?.timeToLive != nil || !$0.stores }
            .map(\.effectBefore).max() ?? .origin
        return writes.contains {
            $0.stores && $0.command.storedValue?.timeToLive == nil && $0.isAcknowledged
                && $0.invokedAt > last
        }
    }
}

extension Call {
    fileprivate var stores: Bool { command.storedValue != nil }

    fileprivate func mayHaveWritten(_ key: Key) -> Bool {
        guard mayHaveWritten else { return false }
        if case .deleteRange(let range, _) = command { return range.contains(key) }
        return command.writtenKey == key
    }
}
