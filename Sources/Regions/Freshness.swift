/// How old a replica's data is at most, by the replica's own clock.
///
/// What it is told is a fact for good: everything that anyone had acknowledged at a moment of its
/// clock is at some index or before it. Once that index is applied, the data is no older than that
/// moment. The leader says so by its lease, for marks that the replica made and the leader gave
/// back (`LeaderView`): so no message is too late to be true, no two clocks are compared, and all
/// that is assumed is that monotonic clocks run at nearly one rate, as the lease assumes it.
package import Base
package import Raft

package struct Freshness: Sendable {
    private struct Fact: Sendable {
        var index: LogIndex
        var asOf: Instant
    }

    /// Facts whose index is not applied: they rise in both.
    private var coming: [Fact] = []
    /// nil: nothing is known since the start.
    private var asOf: Instant?

    /// More of them would only say it more finely: without the newest one the data seems older.
    private static let comingMax = 32

    package init() {}

    package mutating func learn(_ index: LogIndex, asOf moment: Instant, applied: LogIndex) {
        if let asOf, moment <= asOf { return }
        guard index > applied else {
            asOf = moment
            coming.removeAll { $0.asOf <= moment }
            return
        }
        if let last = coming.last {
            guard moment > last.asOf else { return }
            if index <= last.index {
                coming[coming.count - 1].asOf = moment
                return
            }
        }
        if coming.count < Self.comingMax { coming.append(Fact(index: index, asOf: moment)) }
    }

    package mutating func applied(through index: LogIndex) {
        while let first = coming.first, first.index <= index {
            asOf = max(asOf ?? .origin, first.asOf)
            coming.removeFirst()
        }
    }

    /// nil if nothing is known.
    package func age(at now: Instant) -> Duration? { asOf.map { now.since($0) } }
}
