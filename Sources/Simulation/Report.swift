/// One world run from beginning to end, and what is said of it.
internal import Base
package import Failpoints

package struct Report: Sendable {
    package var seed: UInt64
    package var shape: String
    package var violations: [Violation]
    package var traceHash: UInt64
    /// The next draw of all streams together.
    package var finalDraws: UInt64
    package var simulated: Duration
    package var events: Int
    package var calls: Int
    package var crashes: Int
    package var failpointHits: [Failpoint: Int]
    package var syncs: Int
    package var acknowledgedWrites: Int
    package var undecided: Int
    /// Of a group of several nodes.
    package var partitions: Int
    package var leaders: Int
    package var snapshots: Int
    package var changes: [String: Int]
    package var coverage: Coverage
    /// The last events of each node, and of the world.
    package var lastLines: [(title: String, lines: [String])]

    package var isGood: Bool { violations.isEmpty }

    package init(of world: World) {
        seed = world.options.seed
        shape = world.shape.summary
        violations = world.violations
        traceHash = world.trace.hash
        finalDraws = world.finalDraws
        simulated = world.simulatedTime
        events = world.eventCount
        calls = world.history.calls.count
        crashes = world.crashCount
        failpointHits = world.failpointHits
        syncs = world.syncCount
        acknowledgedWrites =
            world.history.calls.filter { $0.isAcknowledged && $0.mayHaveWritten }.count
        undecided = world.undecidedCount
        partitions = world.partitionCount
        leaders = world.elections.leaderCount
        snapshots = world.snapshotCount
        changes = world.operation.counts
        coverage = Coverage(of: world)
        lastLines = []
        guard !violations.isEmpty else { return }
        lastLines = world.nodes.map { node in
            ("node \(node.id)", world.trace.last(40, ofNode: node.id))
        }
        lastLines.append(("clients and world", world.trace.last(20, ofNode: -1)))
    }

    /// What a person needs to begin with: what is wrong, where it was, and how to see it again.
    package func text(replay: String) -> String {
        var lines = ["seed \(seed): \(violations.count) violations", "  shape: \(shape)"]
        for violation in violations.prefix(5) { lines.append("  \(violation)") }
        for (title, last) in lastLines {
            lines.append("  last events, \(title):")
            lines += last.map { "  " + $0 }
        }
        lines.append("  again: \(replay)")
        return lines.joined(separator: "\n")
    }

    /// A world that went wrong is run once more, for what a person will want to read.
    package static func run(
        _ options: WorldOptions, trace: ((String) -> Void)? = nil
    ) -> Report {
        let world = World(options)
        world.trace.sink = trace
        world.run()
        let report = Report(of: world)
        guard !report.isGood, trace == nil else { return report }
        var kept = options
        kept.traceLines = Trace.linesOfReport
        let again = World(kept)
        again.run()
        var told = Report(of: again)
        if told.traceHash != report.traceHash {
            let seed = options.seed
            told.violations.append(
                Violation(checker: .determinism, message: "two runs of seed \(seed) differ"))
        }
        return told
    }
}

extension UInt64 {
    package var hex: String {
        let digits = String(self, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
