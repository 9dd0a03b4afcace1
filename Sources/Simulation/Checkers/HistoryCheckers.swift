/// All that can be said of a history by itself, when all is over.
///
/// What a restart must find, what a node may hold and who must be answered is looked at while a
/// world runs (`World+Checks`).
package import Base
internal import Regions

package struct HistoryCheckers {
    let history: History
    let order: EffectOrder
    /// What the node's wall clock showed while a call can have had its effect.
    let wall: (Call) -> ClosedRange<WallTime>
    /// The greatest wall time between two instants.
    let wallMax: (Instant, Instant) -> WallTime

    init(
        history: History, order: EffectOrder,
        wall: @escaping (Call) -> ClosedRange<WallTime>,
        wallMax: @escaping (Instant, Instant) -> WallTime
    ) {
        self.history = history
        self.order = order
        self.wall = wall
        self.wallMax = wallMax
    }

    /// For a history of a node whose wall clock shows true time, in the order in which its calls
    /// began.
    package init(calls: [Call]) {
        func wall(_ instant: Instant) -> WallTime {
            WallTime(milliseconds: instant.nanoseconds / 1_000_000)
        }
        self.init(
            history: History(calls: calls), order: EffectOrder(inOrderOf: calls),
            wall: { wall($0.invokedAt)...wall($0.endedAt ?? $0.invokedAt) },
            wallMax: { wall(max($0, $1)) })
    }

    /// - Returns: `undecided` counts keys whose operations were too many to search.
    package func violations() -> (violations: [Violation], undecided: Int) {
        let keys = KeyHistories(history, order: order, wall: wall)
        let presence = Presence(history)
        var found = keys.strangers.map { Violation(checker: .atomicity, message: $0) }
        found += StaleReads(history: history).violations()
        found += StateOrderChecker(history: history, order: order).violations()
        found += ExpiryChecker(history: history, wall: wall).violations()
        found += ScanChecker(history: history, presence: presence).violations()
        found += CountChecker(history: history, presence: presence).violations()
        var undecided = 0
        for key in SimKeys.sorted {
            guard let operations = keys.operations[key] else { continue }
            var search = RegisterSearch(operations, values: keys.values, wallMax: wallMax)
            switch search.run() {
            case .linearizable: break
            case .undecided: undecided += 1
            case .impossible(let prefix, let stuck):
                found.append(explain(key, operations, prefix, stuck))
            }
        }
        return (found, undecided)
    }

    private func explain(
        _ key: Key, _ operations: [RegisterOperation], _ prefix: [Int], _ stuck: [Int]
    ) -> Violation {
        func line(_ index: Int) -> String {
            let call = history.calls[operations[index].call]
            let ended = call.endedAt.map { String($0.nanoseconds / 1_000) } ?? "…"
            return "    call \(call.id) client \(call.client) "
                + "\(call.invokedAt.nanoseconds / 1_000)–\(ended) µs: \(call.command.shown) → "
                + (call.answer?.shown ?? "no answer")
        }
        let last = prefix.suffix(6).map(line).joined(separator: "\n")
        let next = stuck.prefix(6).map(line).joined(separator: "\n")
        return Violation(
            checker: .linearizability,
            message: "no order of the operations of \(key.shown) explains their answers; "
                + "\(prefix.count) of \(operations.count) can be placed, at the end\n"
                + "\(last)\n  and none of these can come next:\n\(next)")
    }

    /// What a node that starts after a crash must have in its store, and must not.
    package static func afterCrash(
        calls: [Call], stored: [Key: Bytes], crashedAt: Instant
    ) -> [Violation] {
        let history = History(calls: calls)
        let durability = DurabilityChecker(
            history: history, stored: stored, mayHaveExpired: { _ in false })
        let atomicity = AtomicityChecker(history: history, stored: stored, crashedAt: crashedAt)
        return [durability.violation(), atomicity.violation()].compactMap { $0 }
    }
}
