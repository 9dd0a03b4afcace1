/// Expiry: fixed once, when the write is ordered, by the node's wall clock at that moment; the same
/// in every answer; and no answer shows a value after it, by the clock at the moment of reading.
internal import Base
internal import Regions

struct ExpiryChecker {
    let history: History
    let wall: (Call) -> ClosedRange<WallTime>

    func violations() -> [Violation] {
        var writers: [Bytes: Call] = [:]
        for call in history.calls {
            if let stored = call.command.storedValue { writers[stored.value] = call }
        }
        var told: [Bytes: WallTime] = [:]
        var messages: [String] = []
        for call in history.calls {
            for (_, seen) in call.seenValues {
                guard case .value(let value, let expiresAt) = seen, let writer = writers[value]
                else { continue }
                if let problem = problem(call, expiresAt, writer) {
                    messages.append("call \(call.id) \(call.command.shown): \(problem)")
                }
                if let expiresAt, let before = told.updateValue(expiresAt, forKey: value),
                    before != expiresAt
                {
                    messages.append(
                        "\(value.shownValue) expires at \(before.milliseconds) in one answer "
                            + "and at \(expiresAt.milliseconds) in call \(call.id)")
                }
            }
        }
        return messages.map { Violation(checker: .expiry, message: $0) }
    }

    private func problem(_ call: Call, _ expiresAt: WallTime?, _ writer: Call) -> String? {
        let value = writer.command.storedValue?.value.shownValue ?? ""
        guard let ttl = writer.command.storedValue?.timeToLive else {
            return expiresAt.map { "\(value) has no expiry and shows \($0.milliseconds)" }
        }
        guard let expiresAt else { return "\(value) has an expiry and shows none" }
        let ordered = wall(writer)
        let possible =
            ordered.lowerBound.adding(seconds: ttl)...ordered.upperBound.adding(seconds: ttl)
        guard possible.contains(expiresAt) else {
            return "\(value) shows expiry \(expiresAt.milliseconds), and it was ordered between "
                + "\(ordered.lowerBound.milliseconds) and \(ordered.upperBound.milliseconds) "
                + "for \(ttl) s"
        }
        let reading = wall(call)
        guard reading.lowerBound < expiresAt else {
            return "\(value) is shown from \(reading.lowerBound.milliseconds) on, "
                + "after its expiry at \(expiresAt.milliseconds)"
        }
        return nil
    }
}
