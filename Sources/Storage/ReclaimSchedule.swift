/// When a full store tries to get space back, and where: a flush, and a compaction of what was
/// deleted or of everything. A value, with the time as an argument.
///
/// Now and then it is everything, because what was overwritten or has expired is noted nowhere; in
/// between what was deleted while space was scarce. Each attempt costs reading and writing, so one
/// that ended is followed by a rest, and one that failed by a longer one each time.
package import Base

package struct ReclaimSchedule: Sendable {
    /// How long after everything was compacted it may be again; a long compaction waits longer.
    private static let restAfterAll = Duration.seconds(30)
    /// The same after a part of it, or a failure.
    private static let restMin = Duration.seconds(1)
    private static let restAfterFailureMax = Duration.seconds(64)
    /// So that compacting takes no more than a part of the time.
    private static let restPerTime = (all: 10, part: 2)

    private static let nothing = KeyRange(start: .least, end: .least)

    /// Something was refused since space was last got back.
    private var hasRefused = false
    /// The span of what was deleted since then.
    private var deleted = nothing
    private var isUnderWay = false
    private var failures = 0
    private var mayStartAt = Instant.origin
    private var mayTakeAllAt = Instant.origin

    package init() {}

    package mutating func noteRefusal() { hasRefused = true }

    package mutating func noteDeletes(of batch: WriteBatch) {
        guard deleted != .all else { return }
        for operation in batch.operations where operation.family == .raw {
            switch operation.kind {
            case .put: continue
            case .delete:
                let key = Key(Bytes(batch.arena[operation.key]))
                deleted.extend(to: KeyRange(start: key, end: key.successor))
            case .deleteRange: deleted.extend(to: batch.range(of: operation))
            }
        }
    }

    /// What to compact now, after a flush, and nil if there is no reason for either. After a
    /// refusal the range may be empty: what was in memory counted as taken, and is smaller once it
    /// is a table. One attempt at a time: it ends with `succeeded` or `failed`.
    package mutating func start(at now: Instant, isFull: Bool) -> KeyRange? {
        guard !isUnderWay, isFull || hasRefused, mayStartAt <= now else { return nil }
        let takesAll = mayTakeAllAt <= now
        guard takesAll || !deleted.isEmpty || hasRefused else { return nil }
        defer {
            isUnderWay = true
            hasRefused = false
            deleted = Self.nothing
        }
        return takesAll ? .all : deleted
    }

    package mutating func succeeded(_ range: KeyRange, at now: Instant, after duration: Duration) {
        isUnderWay = false
        failures = 0
        mayStartAt = now + max(Self.restMin, duration * Self.restPerTime.part)
        if range == .all {
            mayTakeAllAt = now + max(Self.restAfterAll, duration * Self.restPerTime.all)
        }
    }

    /// What was to be compacted is still there.
    package mutating func failed(_ range: KeyRange, at now: Instant) {
        isUnderWay = false
        hasRefused = true
        if range != .all || mayTakeAllAt > now { deleted.extend(to: range) }
        let rest = Self.restMin * (1 << min(failures, 6))
        mayStartAt = now + min(rest, Self.restAfterFailureMax)
        failures += 1
    }
}

extension KeyRange {
    /// The least range that holds both.
    fileprivate mutating func extend(to other: KeyRange) {
        guard !other.isEmpty else { return }
        guard !isEmpty else {
            self = other
            return
        }
        start = min(start, other.start)
        end = end.flatMap { end in other.end.map { max(end, $0) } }
    }
}
