/// The clocks of production: the only place that reads them for the node.
internal import Base
private import Glibc

enum Clocks {
    /// CLOCK_BOOTTIME: goes on while the machine sleeps, never jumps, so that a lease that outlived
    /// a suspended machine is over when it wakes.
    static func monotonic() -> Instant { Instant(nanoseconds: read(CLOCK_BOOTTIME)) }

    static func wall() -> WallTime { WallTime(milliseconds: read(CLOCK_REALTIME) / 1_000_000) }

    static func now() -> Now { Now(instant: monotonic(), wall: wall()) }

    private static func read(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        let result = clock_gettime(clock, &time)
        invariant(result == 0, "Linux has clock \(clock)")
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
