/// A node's two clocks: a monotonic one that drifts and starts anew with each life, and a wall
/// clock that drifts, jumps and was never right.
///
/// It remembers every jump, so that a checker can tell what a node's wall clock can have shown
/// during an interval of true time.
package import Base

package struct SimClock: Sendable {
    private struct Segment: Sendable {
        var from: Instant
        var wall: WallTime
    }

    /// Parts per million by which both clocks run fast.
    private let drift: Int64
    private var segments: [Segment]
    private var boot: (at: Instant, shows: Instant)

    package init(wall: WallTime, driftPartsPerMillion drift: Int64) {
        self.drift = drift
        segments = [Segment(from: .origin, wall: wall)]
        boot = (.origin, .origin)
    }

    package func now(at instant: Instant) -> Now {
        Now(instant: boot.shows + passed(from: boot.at, to: instant), wall: wall(at: instant))
    }

    func wall(at instant: Instant) -> WallTime {
        let segment = segments.last { $0.from <= instant } ?? segments[0]
        let milliseconds = passed(from: segment.from, to: instant).wholeNanoseconds / 1_000_000
        return WallTime(milliseconds: segment.wall.milliseconds + milliseconds)
    }

    /// The true instant at which the monotonic clock will show at least `deadline`.
    func trueInstant(of deadline: Instant, after now: Instant) -> Instant {
        let shown = self.now(at: now).instant
        guard deadline > shown else { return now }
        let wait = deadline.nanoseconds - shown.nanoseconds
        // A slow clock needs longer; twice its drift, which is below a tenth, covers it.
        let more = wait / 1_000 + wait / 1_000_000 * UInt64(2 * drift.magnitude) + 1
        let longer = Int64(clamping: wait).addingReportingOverflow(Int64(clamping: more))
        return longer.overflow ? .distantFuture : now + .nanoseconds(longer.partialValue)
    }

    mutating func jump(byMilliseconds jump: Int64, at instant: Instant) {
        let before = Int64(wall(at: instant).milliseconds)
        segments.append(
            Segment(from: instant, wall: WallTime(milliseconds: UInt64(max(before + jump, 1)))))
    }

    mutating func restart(at instant: Instant, showing origin: Instant) {
        boot = (instant, origin)
    }

    /// The least and the greatest that the wall clock showed from `start` to `end`.
    func wallRange(from start: Instant, to end: Instant) -> ClosedRange<WallTime> {
        var low = min(wall(at: start), wall(at: end))
        var high = max(wall(at: start), wall(at: end))
        for (index, segment) in segments.enumerated()
        where index > 0 && segment.from > start && segment.from <= end {
            let before = Instant(nanoseconds: segment.from.nanoseconds - 1)
            low = min(low, segment.wall)
            high = max(high, segment.wall, wall(at: before))
        }
        return low...high
    }

    private func passed(from start: Instant, to end: Instant) -> Duration {
        let nanoseconds = Int64(end.nanoseconds - start.nanoseconds)
        // To the nanosecond: by whole milliseconds a slow clock would go back at each of them.
        let (whole, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000)
        return .nanoseconds(nanoseconds + whole * drift + rest * drift / 1_000_000)
    }
}
