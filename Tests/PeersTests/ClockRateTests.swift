// Two clocks compared by what they say from time to time.
import Base
import Peers
import Testing

@Suite struct ClockRateTests {
    /// How a clock is judged that runs at `percent` of ours, read twice a second for ten minutes.
    static func judged(percent: UInt64, jump: UInt64 = 0) -> PeerFault? {
        var rate = ClockRate()
        for step in 0..<1_200 as Range<UInt64> {
            let own = Instant(nanoseconds: 1_000_000_000_000 + step * 500_000_000)
            let theirs = Instant(
                nanoseconds: 7_000_000_000 + step * 5_000_000 * percent + (step > 600 ? jump : 0))
            if let fault = rate.observe(theirs, at: own) { return fault }
        }
        return nil
    }

    @Test(arguments: [100, 99, 101, 90, 110] as [UInt64]) func aLeaseAllowsForIt(percent: UInt64) {
        #expect(Self.judged(percent: percent) == nil)
    }

    @Test(arguments: [50, 70, 140, 200, 1_000] as [UInt64]) func tooFarApart(percent: UInt64) {
        guard case .clocks(let own, let theirs)? = Self.judged(percent: percent) else {
            Issue.record("the clocks differ")
            return
        }
        #expect((own > theirs) == (percent < 100))
    }

    // Stopped for a minute, this process reads what came before the other side gave up, at once.
    @Test func whatWasReadLateIsNoDifference() {
        var rate = ClockRate()
        for step in 0..<200 as Range<UInt64> {
            let sent = step * 500_000_000
            let read = step < 194 ? sent : 193 * 500_000_000 + 60_000_000_000 + step
            let fault = rate.observe(
                Instant(nanoseconds: 7_000_000_000 + sent),
                at: Instant(nanoseconds: 1_000_000_000_000 + read))
            #expect(fault == nil, "reading \(step)")
        }
    }

    // A machine that slept, or readings that came late.
    @Test func oneLateReadingIsExcused() {
        #expect(Self.judged(percent: 100, jump: 2_000_000_000) == nil)
        #expect(Self.judged(percent: 100, jump: 60_000_000_000) != nil)
    }
}
