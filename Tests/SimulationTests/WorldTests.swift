// Whole nodes in simulated time, under faults: every property holds for each seed, and a seed is a
// replay.
import Base
import Foundation
import Simulation
import Testing

@Suite struct WorldTests {
    @Test(arguments: UInt64(1)...24) func everyPropertyHolds(seed: UInt64) {
        let report = Report.run(WorldOptions(seed: seed, duration: .seconds(2)), trace: nil)
        #expect(
            report.isGood,
            "\(report.text(replay: "martlet-sim --seed \(seed) --seconds 2 --trace"))")
        #expect(report.calls > 0, "a world in which nobody asks anything proves nothing")
    }

    /// Several nodes with one group: leaders change, links are cut, snapshots are sent.
    @Test(arguments: [3, 5]) func everyPropertyHoldsOf(nodes: Int) {
        var (leaders, partitions, snapshots) = (0, 0, 0)
        var changes: [String: Int] = [:]
        for seed in UInt64(1)...6 {
            var options = WorldOptions(seed: seed, duration: .seconds(6))
            options.nodes = nodes
            let report = Report.run(options)
            let again = "martlet-sim --seed \(seed) --seconds 6 --nodes \(nodes) --trace"
            #expect(report.isGood, "\(report.text(replay: again))")
            leaders += report.leaders
            partitions += report.partitions
            snapshots += report.snapshots
            changes.merge(report.changes, uniquingKeysWith: +)
        }
        #expect(leaders > 6 && partitions > 0 && snapshots > 0)
        for change in ["add done", "remove done", "wiped"] {
            #expect(changes[change, default: 0] > 0, "\(change) of \(changes)")
        }
        let handedOver = ["transfer done", "yield done"].reduce(0) { $0 + changes[$1, default: 0] }
        #expect(handedOver > 0, "\(changes)")
    }

    @Test(arguments: [1, 3]) func oneSeedHasOneTrace(nodes: Int) {
        var options = WorldOptions(seed: 7, duration: .seconds(1))
        options.nodes = nodes
        let first = Report.run(options, trace: nil)
        let second = Report.run(options, trace: nil)
        #expect(first.traceHash == second.traceHash)
        #expect(first.finalDraws == second.finalDraws)
        options.seed = 8
        let other = Report.run(options, trace: nil)
        #expect(other.traceHash != first.traceHash)
    }

    /// Hash seeds differ from process to process, so an order that comes from a `Dictionary` shows
    /// here.
    @Test(arguments: ["1", "3"]) func twoProcessesHaveOneTrace(nodes: String) throws {
        let program = Bundle.main.bundleURL.deletingLastPathComponent()
            .appendingPathComponent("martlet-sim")
        let here = [
            program,
            URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
                .appendingPathComponent("martlet-sim"),
        ].first { FileManager.default.isExecutableFile(atPath: $0.path) }
        let found = try #require(here, "martlet-sim is built beside the tests")
        let traces = try (0..<2).map { _ in
            let process = Process()
            process.executableURL = found
            process.arguments = ["--seed", "7", "--seconds", "1", "--nodes", nodes]
            let output = Pipe()
            process.standardOutput = output
            try process.run()
            let text = String(
                decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            return text.split(separator: "\n").filter {
                $0.hasPrefix("trace hash: ") || $0.hasPrefix("final draws: ")
            }
        }
        #expect(traces[0].count == 2)
        #expect(traces[0] == traces[1])
    }
}
