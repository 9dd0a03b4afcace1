/// martlet-sim: runs simulated worlds from seeds and says what they violated.
import ArgumentParser
import Base
import Simulation

struct MartletSim: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "martlet-sim",
        abstract: "Run simulated nodes, disks, clocks and clients from a seed.",
        subcommands: [Run.self], defaultSubcommand: Run.self)
}

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run worlds; exit 1 if one of them violates a property.")

    @Option(help: "The first seed.") var seed: UInt64 = 1
    @Option(help: "How many seeds, one after the other.") var seeds: UInt64 = 1
    @Option(help: "Simulated seconds under faults.") var seconds: Int = 2
    @Flag(help: "Print every event and effect.") var trace = false

    func run() throws {
        var bad = 0
        var total = (simulated: Duration.zero, events: 0, calls: 0, crashes: 0, undecided: 0)
        let start = ContinuousClock.now
        for seed in seed..<seed + seeds {
            let options = WorldOptions(seed: seed, duration: .seconds(seconds))
            let report = Report.run(options, trace: trace ? { print($0) } : nil)
            total.simulated += report.simulated
            total.events += report.events
            total.calls += report.calls
            total.crashes += report.crashes
            total.undecided += report.undecided
            if !report.isGood {
                bad += 1
                print(
                    report.text(replay: "martlet-sim --seed \(seed) --seconds \(seconds) --trace"))
            }
            if seeds == 1 {
                print("seed: \(seed)")
                print("shape: \(report.shape)")
                print("trace hash: \(report.traceHash.hex)")
                print("final draws: \(report.finalDraws.hex)")
            }
        }
        let real = ContinuousClock.now - start
        print(
            "\(seeds) seeds, \(bad) bad, \(total.calls) calls, \(total.crashes) crashes, "
                + "\(total.events) events, \(total.undecided) undecided; \(total.simulated) "
                + "simulated in \(real): \(Int(total.simulated / real)) times real time")
        if bad > 0 { throw ExitCode(1) }
    }
}

MartletSim.main()
