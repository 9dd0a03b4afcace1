// Known bugs, switched on: each is found, and by whom. `make mutants` prints the whole table.
import Simulation
import Testing

@Suite struct MutantTests {
    /// What the simulated host does wrong can be switched on in every build.
    static let hostBugs = KnownBug.ofOneHost

    /// Bugs of the node itself exist only where `MARTLET_MUTATIONS` is defined: not in the release
    /// build, whose node is the one that ships.
    static let nodeBugs = KnownBug.all.filter { if case .node = $0 { true } else { false } }

    @Test(arguments: hostBugs) func aBugOfTheHostIsFound(bug: KnownBug) {
        expectFound(bug, seedLimit: 40)
    }

    @Test(
        .enabled(
            if: !nodeBugs.isEmpty,
            "this build has no bugs of the node: `make mutants` builds one that has"),
        arguments: nodeBugs)
    func aBugOfTheNodeIsFound(bug: KnownBug) {
        expectFound(bug, seedLimit: 400)
    }

    private func expectFound(_ bug: KnownBug, seedLimit: UInt64) {
        let verdict = Verdict.find(bug, kills: 1, seedLimit: seedLimit)
        #expect(verdict.isKilled, "\(verdict.row)")
    }

    /// The scripted worlds that find what random ones rarely meet are good without a bug.
    @Test func theOverloadIsNoViolation() {
        let report = Report.run(Overload.options)
        #expect(report.isGood, "\(report.text(replay: "no seed: see Overload"))")
    }
}
