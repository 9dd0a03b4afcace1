/// Known bugs switched on one at a time: which checker finds each, and how many worlds it takes.
internal import Base
package import Node

/// A bug in a unit of the node, or one in its host.
package enum KnownBug: Hashable, Sendable, CustomStringConvertible {
    case node(Mutation)
    case host(HostBug)

    /// Only builds with `MARTLET_MUTATIONS` have those of the node.
    package static var all: [KnownBug] {
        #if MARTLET_MUTATIONS
            return Mutation.allCases.map { .node($0) } + HostBug.allCases.map { .host($0) }
        #else
            return HostBug.allCases.map { .host($0) }
        #endif
    }

    package var description: String {
        switch self {
        case .node(let mutation): "\(mutation)"
        case .host(let bug): "\(bug)"
        }
    }

    package func switchOn(in options: inout WorldOptions) {
        switch self {
        case .node(let mutation):
            #if MARTLET_MUTATIONS
                options.mutations = Mutations(mutation)
            #else
                invariant(false, "\(mutation) is not in this build")
            #endif
        case .host(let bug): options.hostBug = bug
        }
    }
}

package struct Verdict: Sendable {
    package var bug: KnownBug
    /// How many worlds each kill took after the one before it.
    package var seedsToKill: [UInt64] = []
    /// Worlds tried in all.
    package var seedsTried: UInt64 = 0
    /// In how many bad worlds each checker spoke.
    package var checkers: [CheckerName: Int] = [:]

    /// Only a scripted world finds it, of `Overload` or `CrashSweep`, and not the random ones.
    package var isScripted = false

    package var isKilled: Bool { !seedsToKill.isEmpty || isScripted }

    /// Tries seeds from 1 on until `kills` worlds were bad or `seedLimit` were tried.
    package static func find(
        _ bug: KnownBug, kills: Int, seedLimit: UInt64, duration: Duration
    ) -> Verdict {
        var verdict = Verdict(bug: bug)
        var lastKill: UInt64 = 0
        for seed in 1...seedLimit where verdict.seedsToKill.count < kills {
            var options = WorldOptions(seed: seed, duration: duration)
            bug.switchOn(in: &options)
            let report = Report.run(options)
            verdict.seedsTried = seed
            guard !report.isGood else { continue }
            verdict.seedsToKill.append(seed - lastKill)
            lastKill = seed
            for checker in Set(report.violations.map(\.checker)) {
                verdict.checkers[checker, default: 0] += 1
            }
        }
        guard verdict.seedsToKill.isEmpty else { return verdict }
        var options = Overload.options
        bug.switchOn(in: &options)
        var reports = [Report.run(options)]
        if reports[0].isGood { reports = CrashSweep.run(seed: 1, bug: bug).bad }
        let found = Set(reports.flatMap(\.violations).map(\.checker))
        verdict.isScripted = !found.isEmpty
        for checker in found { verdict.checkers[checker] = 1 }
        return verdict
    }

    // MARK: The table

    private static let columns = (name: 30, number: 8)

    package static var header: String {
        padded("bug", columns.name) + right("median") + right("p95") + right("kills")
            + "  found by (worlds)"
    }

    package var row: String {
        let name = Verdict.padded(bug.description, Verdict.columns.name)
        guard isKilled else { return name + "SURVIVED \(seedsTried) worlds" }
        let found = CheckerName.allCases.compactMap { name in
            checkers[name].map { (name: name, count: $0) }
        }
        let names = found.sorted { $0.count > $1.count }.map { "\($0.name) \($0.count)" }
            .joined(separator: ", ")
        if isScripted {
            return name + Verdict.right("-") + Verdict.right("-") + Verdict.right("0") + "  "
                + names + " (scripted)"
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
