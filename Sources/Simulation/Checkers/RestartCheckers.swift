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
struct AtomicityChecker {
    let history: History
    let stored: [Key: Bytes]
    let crashedAt: Instant

    func violation() -> Violation? {
        for call in history.calls.reversed() {
            guard call.endedAt == crashedAt, case .unknown? = call.answer,
                case .deleteRange(let range, dryRun: false) = call.command
            else { continue }
            let keys = SimKeys.sorted.filter { range.contains($0) && wasThere($0, before: call) }
            let left = keys.filter { stored[$0] != nil }
            guard !left.isEmpty, left.count < keys.count else { continue }
            return Violation(
                checker: .atomicity,
                message: "call \(call.id) \(call.command.shown) was cut off by a crash and "
                    + "deleted \(keys.count - left.count) of \(keys.count) keys; "
                    + "left: \(left.map(\.shown).joined(separator: " "))")
        }
        return nil
    }

    /// Whether nothing but this delete can have changed the key since it was certainly there.
    private func wasThere(_ key: Key, before delete: Call) -> Bool {
        let writes = history.calls.filter { $0.id != delete.id && $0.mayHaveWritten(key) }
        guard writes.allSatisfy({ $0.effectBefore < delete.invokedAt }) else { return false }
        return writes.contains { write in
            guard let stored = write.command.storedValue, stored.timeToLive == nil,
                write.isAcknowledged
            else { return false }
            return writes.allSatisfy {
                $0.id == write.id || $0.effectBefore < write.invokedAt
            }
        }
    }
}

extension Call {
    fileprivate func mayHaveWritten(_ key: Key) -> Bool {
        guard mayHaveWritten else { return false }
        if case .deleteRange(let range, _) = command { return range.contains(key) }
        return command.writtenKey == key
    }
}
