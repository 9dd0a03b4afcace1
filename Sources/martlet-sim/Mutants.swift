/// `martlet-sim mutants`: known bugs, one at a time, each in worlds of a process of its own.
///
/// A bug may end a world in a broken invariant. That is no kill: the process is gone, its parent
/// goes on with the next seed, and only what a checker said before counts.
internal import ArgumentParser
internal import Simulation

struct Mutants: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Switch known bugs on, one at a time; exit 1 if one of them is not found.",
        discussion: "Only a build with MARTLET_MUTATIONS has the bugs of the node itself.")

    @Option(help: "Seeds to try for each.") var seeds: UInt64 = 300
    @Option(help: "How often each has to be found, for the median and the percentile.")
    var kills: Int = 7
    @Option(help: "Where the stories are that are tried when no seed finds a bug.")
    var scenarios = "Tests/SimulationTests/Scenarios"
    @Argument(help: "Only these bugs.") var names: [String] = []

    func run() throws {
        var survivors = 0
        var scripted = 0
        var count = 0
        let start = ContinuousClock.now
        print(Verdict.header)
        for bug in KnownBug.all where names.isEmpty || names.contains("\(bug)") {
            let verdict = try find(bug)
            count += 1
            if !verdict.isKilled { survivors += 1 }
            if verdict.isScripted { scripted += 1 }
            print(verdict.row)
            flushStandardOutput()
        }
        let random = count - survivors - scripted
        let minutes = (ContinuousClock.now - start) / .seconds(60)
        print(
            "\(count) bugs: \(random) (\(random * 100 / max(1, count)) %) fell to random seeds, "
                + "\(scripted) to scripts, \(survivors) survived; in \(Int(minutes.rounded(.up))) "
                + "minutes")
        if survivors > 0 { throw ExitCode(1) }
    }

    private func find(_ bug: KnownBug) throws -> Verdict {
        var verdict = Verdict(of: bug)
        while verdict.seedsTried < seeds, verdict.seedsToKill.count < kills {
            let missing = kills - verdict.seedsToKill.count
            let first = verdict.seedsTried + 1
            let output = try ChildProcess.run([
                "trial", "\(bug)", "--seed", "\(first)", "--seeds", "\(seeds - first + 1)",
                "--kills", "\(missing)",
            ])
            for trial in Trials.read(output) { verdict.add(trial) }
            guard verdict.seedsTried >= first else {
                throw ValidationError("a world of \(bug) could not be begun: \(output)")
            }
        }
        verdict.tryScripts()
        if bug.isOfCluster, !verdict.isKilled { try tell(bug, &verdict) }
        return verdict
    }

    private func tell(_ bug: KnownBug, _ verdict: inout Verdict) throws {
        for story in Story.names {
            let file = "\(scenarios)/\(story).txt"
            let output = try ChildProcess.run(["tell", "--bug", "\(bug)", file])
            let found = output.split(separator: "\n").filter { $0.hasPrefix("FOUND ") }
                .compactMap { CheckerName(rawValue: String($0.dropFirst(6))) }
            verdict.add(script: story, Set(found))
        }
    }
}

/// What `mutants` starts: worlds with one bug, and a line for each seed and each checker.
struct Trials: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trial", abstract: "Worlds with one known bug.", shouldDisplay: false)

    @Argument var name: String
    @Option var seed: UInt64
    @Option var seeds: UInt64
    @Option var kills: Int

    func run() throws {
        let bug = try KnownBug.named(name)
        var left = kills
        for seed in seed..<seed + seeds where left > 0 {
            print("seed \(seed)")
            flushStandardOutput()
            let trial = Trial.run(bug, seed: seed) { checker in
                print(checker.rawValue)
                flushStandardOutput()
            }
            print("done")
            if !trial.checkers.isEmpty { left -= 1 }
        }
    }

    static func read(_ output: String) -> [Trial] {
        var trials: [Trial] = []
        for line in output.split(separator: "\n") {
            if line.hasPrefix("seed "), let seed = UInt64(line.dropFirst(5)) {
                trials.append(Trial(seed: seed))
                trials[trials.count - 1].isTrapped = true
            } else if line == "done", !trials.isEmpty {
                trials[trials.count - 1].isTrapped = false
            } else if let checker = CheckerName(rawValue: String(line)), !trials.isEmpty {
                trials[trials.count - 1].checkers.insert(checker)
            }
        }
        return trials
    }
}
