/// One request's commands, over all its keys: what each sees and writes belongs to a state of the
/// store, and none belongs to an older one than a command before it. All entries of a page belong
/// to one state.
///
/// Linearizability of each key says nothing of this: the commands of a request are under way at the
/// same time. The states are numbered by the order in which batches reached the disk
/// (`EffectOrder`). Absence is not looked at: what expires leaves no mark in that order.
internal import Base
internal import Regions

struct StateOrderChecker {
    let history: History
    let order: EffectOrder

    func violations() -> [Violation] {
        var found: [Violation] = []
        var request = -1
        var state: UInt64 = 0
        for call in history.calls {
            if call.request != request {
                request = call.request
                state = 0
            }
            if call.isAcknowledged, let value = call.command.storedValue?.value, call.hasWritten {
                state = max(state, order.firstState(of: value) ?? 0)
                continue
            }
            let seen = call.seenTogether
            let first = seen.compactMap { order.firstState(of: $0.value) }.max() ?? 0
            state = max(state, first)
            for (key, value) in seen {
                guard let end = order.stateAfter(value, under: key), end <= state else { continue }
                found.append(
                    Violation(
                        checker: .order,
                        message: "call \(call.id) \(call.command.shown) of request \(request) saw "
                            + "\(value.shownValue) under \(key.shown), which was replaced before "
                            + "something came that it saw as well, or a command before it"))
                break
            }
        }
        return found
    }
}

extension Call {
    /// Whether the value that its command carries was stored.
    fileprivate var hasWritten: Bool {
        switch answer {
        case .written, .swapped: true
        default: false
        }
    }

    /// The values that a read found, all in one state of the store.
    fileprivate var seenTogether: [(key: Key, value: Bytes)] {
        guard !command.isWrite else { return [] }
        return seenValues.compactMap { key, seen in
            if case .value(let value, _) = seen { (key, value) } else { nil }
        }
    }
}
