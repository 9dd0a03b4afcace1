/// Time as an argument.
///
/// Nothing below the hosts reads a clock: an event carries the `Now` at which it happened.
/// `Instant` is monotonic and decides deadlines and leases; `WallTime` is what people and expiry
/// dates mean and decides nothing about safety.

/// A point on a node's monotonic clock, in nanoseconds since an origin that only this process
/// knows.
package struct Instant: Hashable, Comparable, Sendable {
    package var nanoseconds: UInt64

    @inlinable package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    package static let origin = Instant(nanoseconds: 0)
    package static let distantFuture = Instant(nanoseconds: .max)

    @inlinable package static func < (a: Instant, b: Instant) -> Bool {
        a.nanoseconds < b.nanoseconds
    }

    /// Saturates at `distantFuture`, so that a hostile time-out cannot trap.
    package static func + (instant: Instant, duration: Duration) -> Instant {
        let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(duration.wholeNanoseconds)
        return overflow ? .distantFuture : Instant(nanoseconds: sum)
    }

    /// Time passed since `earlier`; zero if `earlier` is not earlier.
    package func since(_ earlier: Instant) -> Duration {
        nanoseconds > earlier.nanoseconds
            ? .nanoseconds(Int64(clamping: nanoseconds - earlier.nanoseconds)) : .zero
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z, by a clock that may jump.
package struct WallTime: Hashable, Comparable, Sendable {
    package var milliseconds: UInt64

    @inlinable package init(milliseconds: UInt64) { self.milliseconds = milliseconds }

    @inlinable package static func < (a: WallTime, b: WallTime) -> Bool {
        a.milliseconds < b.milliseconds
    }

    package func adding(seconds: UInt64) -> WallTime {
        let (product, overflowed) = seconds.multipliedReportingOverflow(by: 1000)
        let (sum, overflowedToo) = milliseconds.addingReportingOverflow(product)
        return WallTime(milliseconds: overflowed || overflowedToo ? .max : sum)
    }
}

/// What the host's clocks showed when an event happened.
package struct Now: Hashable, Sendable {
    package var instant: Instant
    package var wall: WallTime

    @inlinable package init(instant: Instant, wall: WallTime) {
        self.instant = instant
        self.wall = wall
    }
}

extension Duration {
    /// Nanoseconds, negative durations counting as zero, saturating.
    package var wholeNanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (product, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, overflowToo) = product.addingReportingOverflow(
            UInt64(attoseconds / 1_000_000_000))
        return overflow || overflowToo ? .max : sum
    }
}
