/// What many worlds come to together, as the last lines that `martlet-sim` prints.
internal import Base

package struct Totals: Sendable {
    package private(set) var worlds = 0
    package private(set) var bad = 0
    private var simulated = Duration.zero
    private var events = 0
    private var calls = 0
    private var crashes = 0
    private var undecided = 0
    private var partitions = 0
    private var leaders = 0
    private var snapshots = 0
    private var changes: [String: Int] = [:]
    package private(set) var coverage = Coverage()
    /// One world: its own. Several: a hash of theirs, in order.
    private var traceHash: UInt64 = 0
    private var finalDraws: UInt64 = 0

    package init() {}

    package mutating func add(_ report: Report) {
        worlds += 1
        if !report.isGood { bad += 1 }
        simulated += report.simulated
        events += report.events
        calls += report.calls
        crashes += report.crashes
        undecided += report.undecided
        partitions += report.partitions
        leaders += report.leaders
        snapshots += report.snapshots
        changes.merge(report.changes, uniquingKeysWith: +)
        coverage.add(report.coverage)
        traceHash = Totals.chain(worlds == 1 ? nil : traceHash, report.traceHash)
        finalDraws ^= report.finalDraws
    }

    /// The hash of a row of worlds, one world longer.
    static func chain(_ before: UInt64?, _ next: UInt64) -> UInt64 {
        guard let before else { return next }
        var hash = TraceHash(before)
        hash.mix(next)
        return hash.value
    }

    private var members: String {
        changes.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
    }

    /// The trace hash comes last, alone on its line, so that two processes can be compared.
    /// - Parameter time: of the processor, so that other programs do not count.
    package func lines(after time: Duration) -> [String] {
        [
            "\(worlds) worlds, \(bad) bad, \(calls) calls, \(crashes) crashes, \(events) events, "
                + "\(undecided) undecided",
            "\(leaders) leaders, \(partitions) partitions, \(snapshots) snapshots, members: "
                + (members.isEmpty ? "no changes" : members),
            "\(simulated) simulated in \(time) of one core: "
                + "\(Int(simulated / time)) times real time",
            "final draws: \(finalDraws.hex)",
            "trace hash: \(traceHash.hex)",
        ]
    }
}
