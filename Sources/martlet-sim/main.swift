/// martlet-sim: runs simulated worlds from seeds and says what they violated.
import ArgumentParser
import Base
import Failpoints
import Simulation

struct MartletSim: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "martlet-sim",
        abstract: "Run simulated nodes, disks, clocks and clients from a seed.",
        subcommands: [Run.self, Sweep.self, Tell.self, Mutants.self, Trials.self],
        defaultSubcommand: Run.self)
}

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run worlds; exit 1 if one of them violates a property.")

    @Option(help: "The first seed.") var seed: UInt64 = 1
    @Option(help: "How many seeds, one after the other.") var seeds: UInt64 = 1
    @Option(help: "Go on with the next seeds until so many minutes have passed.")
    var minutes: Int?
    @Option(help: "Simulated seconds under faults.") var seconds: Int = 2
    @Option(help: "Nodes that hold the data together.") var nodes: Int = 1
    @Option(help: "What is set at the nodes' failpoints, as MARTLET_FAILPOINTS; else it is drawn.")
    var failpoints: String?
    @Option(help: "A known bug that is switched on, by its name in `mutants`.") var bug: String?
    @Flag(help: "Print every event and effect.") var trace = false
    @Flag(help: "Print how often each fault met each operation.") var coverage = false

    func validate() throws {
        guard (1...9).contains(nodes) else { throw ValidationError("--nodes is from 1 to 9") }
    }

    func run() throws {
        let set = try failpoints.map { text in
            do throws(FailpointMistake) {
                return try FailpointSetting.list(text)
            } catch {
                throw ValidationError("--failpoints: \(error)")
            }
        }
        let known = try bug.map(KnownBug.named)
        let again =
            (failpoints.map { " --failpoints '\($0)'" } ?? "")
            + (bug.map { " --bug \($0)" } ?? "")
        LastWords.prepare()
        var totals = Totals()
        let start = ContinuousClock.now
        let end = minutes.map { start + .seconds(60 * $0) }
        var next = seed
        while end.map({ ContinuousClock.now < $0 }) ?? (next - seed < seeds) {
            var options = WorldOptions(seed: next, duration: .seconds(seconds))
            options.nodes = nodes
            options.failpoints = set
            known?.switchOn(in: &options)
            let cluster = nodes > 1 ? " --nodes \(nodes)" : ""
            let replay =
                "martlet-sim --seed \(next) --seconds \(seconds)\(cluster)\(again) --trace"
            LastWords.set("seed \(next): a broken invariant\n  again: \(replay)")
            let report = Report.run(options, trace: trace ? { print($0) } : nil)
            totals.add(report)
            if !report.isGood { print(report.text(replay: replay)) }
            if totals.worlds == 1 { print("seed: \(next)\nshape: \(report.shape)") }
            next += 1
        }
        if coverage { for line in totals.coverage.lines { print(line) } }
        for line in totals.lines(after: ProcessorTime.ofProcess) { print(line) }
        if totals.bad > 0 { throw ExitCode(1) }
    }
}

struct Sweep: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Crash a fixed workload at every sync, in every way; exit 1 on a violation.")

    @Option(help: "The seed of its delays.") var seed: UInt64 = 1

    func run() throws {
        let result = CrashSweep.run(seed: seed)
        for report in result.bad { print(report.text(replay: "martlet-sim sweep --seed \(seed)")) }
        print(
            "\(result.worlds) worlds: \(result.syncs) syncs, each crashed before, during, torn "
                + "and after; \(result.bad.count) bad")
        print("trace hash: \(result.traceHash.hex)")
        if !result.bad.isEmpty { throw ExitCode(1) }
    }
}

extension KnownBug {
    static func named(_ name: String) throws -> KnownBug {
        guard let bug = all.first(where: { "\($0)" == name }) else {
            throw ValidationError("\(name) is no bug of this build")
        }
        return bug
    }
}

MartletSim.main()
