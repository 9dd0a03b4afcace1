/// Known bugs switched on one at a time: which checker finds each, and how many worlds it takes.
internal import Base
package import Node
package import Raft

/// A bug in a unit of the node, in its consensus core, or in its host.
package enum KnownBug: Hashable, Sendable, CustomStringConvertible {
    case node(Mutation)
    case raft(RaftMutation)
    case host(HostBug)
    /// The same bug in a group of several.
    case hostOfCluster(HostBug)

    /// Only builds with `MARTLET_MUTATIONS` have those of the node and the core.
    package static var all: [KnownBug] {
        let clusters = HostBug.ofClusters + HostBug.alsoInClusters
        #if MARTLET_MUTATIONS
            let ofNode =
                Mutation.allCases.map { KnownBug.node($0) }
                // The shard begins no change early either: in a whole node that one is no bug.
                + RaftMutation.allCases.filter { $0 != .changesEarly }.map { .raft($0) }
        #else
            let ofNode: [KnownBug] = []
        #endif
        return ofNode + ofOneHost + clusters.map { .hostOfCluster($0) }
    }

    /// Those of a host whose node is alone.
    package static var ofOneHost: [KnownBug] {
        HostBug.allCases.filter { !HostBug.ofClusters.contains($0) }.map { .host($0) }
    }

    package var description: String {
        switch self {
        case .node(let mutation): mutation.isOfCluster ? "cluster.\(mutation)" : "\(mutation)"
        case .raft(let mutation): "raft.\(mutation)"
        case .host(let bug): "\(bug)"
        case .hostOfCluster(let bug): "cluster.\(bug)"
        }
    }

    /// Of the catalogue in the project's research of real bugs.
    package var row: Int? {
        switch self {
        case .node(let mutation): mutation.row
        case .raft(let mutation): mutation.row
        case .host(let bug), .hostOfCluster(let bug): bug.row
        }
    }

    /// Whether it takes several nodes.
    package var isOfCluster: Bool {
        switch self {
        case .raft, .hostOfCluster: true
        case .node(let mutation): mutation.isOfCluster
        case .host: false
        }
    }

    /// Clusters live longer, for an election takes a while; most are of three or five.
    package func options(seed: UInt64) -> WorldOptions {
        var options = WorldOptions(seed: seed, duration: .seconds(isOfCluster ? 4 : 1))
        if isOfCluster { options.nodes = [3, 5, 3, 5, 2, 3, 2, 4][Int(seed % 8)] }
        switchOn(in: &options)
        return options
    }

    package func switchOn(in options: inout WorldOptions) {
        switch self {
        case .node(let mutation):
            #if MARTLET_MUTATIONS
                options.mutations = Mutations(mutation)
            #else
                invariant(false, "\(mutation) is not in this build")
            #endif
        case .raft(let mutation):
            #if MARTLET_MUTATIONS
                options.raftMutations = RaftMutations(mutation)
            #else
                invariant(false, "\(mutation) is not in this build")
            #endif
        case .host(let bug), .hostOfCluster(let bug): options.hostBug = bug
        }
    }
}

/// What one world with a bug came to.
package struct Trial: Sendable {
    package var seed: UInt64
    /// Those that spoke.
    package var checkers: Set<CheckerName> = []
    /// It ended in a broken invariant; a kill only if a checker spoke before.
    package var isTrapped = false

    package init(seed: UInt64) { self.seed = seed }

    /// - Parameter sink: hears of every checker at once, should the world end in a trap.
    package static func run(
        _ bug: KnownBug, seed: UInt64, sink: ((CheckerName) -> Void)? = nil
    ) -> Trial {
        let world = World(bug.options(seed: seed))
        world.violationSink = sink
        world.run()
        var trial = Trial(seed: seed)
        trial.checkers = Set(world.violations.map(\.checker))
        for checker in trial.checkers { sink?(checker) }
        return trial
    }
}

package struct Verdict: Sendable {
    package var bug: KnownBug
    /// How many worlds each kill took after the one before it.
    package private(set) var seedsToKill: [UInt64] = []
    /// Worlds tried in all.
    package private(set) var seedsTried: UInt64 = 0
    /// In how many bad worlds each checker spoke.
    package private(set) var checkers: [CheckerName: Int] = [:]
    /// Worlds that ended in a broken invariant before any checker spoke.
    package private(set) var trapped = 0
    private var lastKill: UInt64 = 0

    /// Of what random worlds did not find: the script that does. It is `Overload`, `CrashSweep` or
    /// a story.
    package private(set) var script: String?

    package var isScripted: Bool { script != nil }
    package var isKilled: Bool { !seedsToKill.isEmpty || isScripted }

    package init(of bug: KnownBug) { self.bug = bug }

    package mutating func add(_ trial: Trial) {
        seedsTried = trial.seed
        if trial.isTrapped, trial.checkers.isEmpty { trapped += 1 }
        guard !trial.checkers.isEmpty else { return }
        seedsToKill.append(trial.seed - lastKill)
        lastKill = trial.seed
        for checker in trial.checkers { checkers[checker, default: 0] += 1 }
    }

    /// A script that random worlds leave something to, and who spoke in it.
    package mutating func add(script: String, _ found: Set<CheckerName>) {
        guard seedsToKill.isEmpty, self.script == nil, !found.isEmpty else { return }
        self.script = script
        for checker in found { checkers[checker] = 1 }
    }

    /// For what random worlds of a single node did not find.
    package mutating func tryScripts() {
        guard seedsToKill.isEmpty, !bug.isOfCluster else { return }
        var options = Overload.options
        bug.switchOn(in: &options)
        add(script: "overload", Set(Report.run(options).violations.map(\.checker)))
        guard !isScripted else { return }
        let reports = CrashSweep.run(seed: 1, bug: bug).bad
        add(script: "crash sweep", Set(reports.flatMap(\.violations).map(\.checker)))
    }

    /// Tries seeds from 1 on until `kills` worlds were bad or `seedLimit` were tried.
    package static func find(_ bug: KnownBug, kills: Int, seedLimit: UInt64) -> Verdict {
        var verdict = Verdict(of: bug)
        for seed in 1...seedLimit where verdict.seedsToKill.count < kills {
            verdict.add(Trial.run(bug, seed: seed))
        }
        verdict.tryScripts()
        return verdict
    }

    // MARK: The table

    private static let columns = (name: 34, number: 8)

    package static var header: String {
        padded("bug", columns.name) + right("row") + right("median") + right("p95") + right("kills")
            + "  found by (worlds)"
    }

    package var row: String {
        let row = bug.row.map(String.init) ?? "-"
        let name =
            Verdict.padded(bug.description, Verdict.columns.name) + Verdict.right(row)
        guard isKilled else {
            return name + "  SURVIVED \(seedsTried) worlds, \(trapped) of them trapped"
        }
        let found = CheckerName.allCases.compactMap { name in
            checkers[name].map { (name: name, count: $0) }
        }
        let names = found.sorted { $0.count > $1.count }.map { "\($0.name) \($0.count)" }
            .joined(separator: ", ")
        if let script {
            return name + Verdict.right("-") + Verdict.right("-") + Verdict.right("0") + "  "
                + names + " (\(script))"
        }
        let sorted = seedsToKill.sorted()
        // Nearest rank.
        let median = sorted[(sorted.count - 1) / 2]
        let p95 = sorted[(sorted.count * 95 + 99) / 100 - 1]
        return name + Verdict.right("\(median)") + Verdict.right("\(p95)")
            + Verdict.right("\(seedsToKill.count)") + "  " + names
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }

    private static func right(_ text: String) -> String {
        String(repeating: " ", count: max(1, columns.number - text.count)) + text
    }
}
