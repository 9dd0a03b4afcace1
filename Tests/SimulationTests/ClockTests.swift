// The clocks of simulated nodes: they drift and never go back.
import Base
import Simulation
import Testing

@Suite struct ClockTests {
    /// A clock that is slow by 8 % once went back by 80 µs at each whole millisecond.
    @Test(arguments: [-80_000, -1, 0, 1, 80_000]) func aMonotonicClockNeverGoesBack(drift: Int64) {
        let clock = SimClock(wall: WallTime(milliseconds: 1), driftPartsPerMillion: drift)
        var last = Instant.origin
        for step in UInt64(0)...4_000 {
            let shown = clock.now(at: Instant(nanoseconds: step * 997)).instant
            #expect(shown >= last, "at \(step * 997) ns")
            last = shown
        }
        let second = clock.now(at: Instant(nanoseconds: 1_000_000_000)).instant
        #expect(Int64(second.nanoseconds) == 1_000_000_000 + drift * 1_000)
    }
}
