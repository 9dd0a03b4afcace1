// Random histories of whole clusters, from seeds.
import Base
import Raft
import Testing

private import class Foundation.ProcessInfo

@Suite struct RandomTests {
    /// `RAFT_SEEDS=first...last` plays those; one seed alone prints its story when it fails.
    static var seeds: ClosedRange<UInt64> {
        guard let text = ProcessInfo.processInfo.environment["RAFT_SEEDS"] else {
            return 1...defaultCount
        }
        let bounds = text.split(separator: ".").compactMap { UInt64($0) }
        return (bounds.first ?? 1)...(bounds.last ?? 1)
    }

    #if DEBUG
        static let defaultCount: UInt64 = 300
    #else
        static let defaultCount: UInt64 = 3_000
    #endif

    @Test func everySeedIsSafeAndComesToRest() {
        var elections = 0
        var reads = 0
        var applied = 0
        var failures = 0
        for seed in Self.seeds {
            var run = RandomRun(seed: seed)
            run.play(turns: 200)
            elections += run.cluster.checks.elections
            reads += run.cluster.readsDone
            applied += run.cluster.checks.history.count
            let faults = run.cluster.checks.violations + (run.failure.map { [$0] } ?? [])
            if !faults.isEmpty {
                failures += 1
                Issue.record("seed \(seed): \(faults.prefix(3))")
                if Self.seeds.count == 1 { tellAgain(seed) }
                if failures == 5 { return }
            }
        }
        // What runs never reach is not tested by them.
        #expect(elections > Self.seeds.count / 2)
        #expect(applied > Self.seeds.count * 10)
        #expect(reads > Self.seeds.count)
    }

    private func tellAgain(_ seed: UInt64) {
        var run = RandomRun(seed: seed, isTold: true)
        run.play(turns: 200)
        Issue.record("\(run.cluster.story?.suffix(150).joined(separator: "\n") ?? "")")
    }
}
