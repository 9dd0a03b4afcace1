// The k-th sync for every k: a workload of every kind of write, cut off there in every way.
import Simulation
import Testing

@Suite struct CrashSweepTests {
    @Test(arguments: [UInt64(1), 2]) func everySyncMayBeTheLast(seed: UInt64) {
        let result = CrashSweep.run(seed: seed)
        for report in result.bad {
            Issue.record("\(report.text(replay: "martlet-sim sweep --seed \(seed)"))")
        }
        #expect(result.syncs >= 30, "few syncs, few crashes")
        #expect(result.worlds == 1 + 4 * result.syncs)
        // Hundreds for each crash would hide what a short history shows; together they are many.
        #expect(result.acknowledgedWrites > 20 * result.worlds)
    }

    /// A sweep that finds nothing proves something only if it can find something.
    @Test(arguments: [HostBug.syncSkipped, .reportedBeforeWrite, .flushTornApart, .logIsForgotten])
    func aBugOfTheHostIsFound(bug: HostBug) {
        #expect(!CrashSweep.run(seed: 1, bug: .host(bug)).bad.isEmpty)
    }
}
