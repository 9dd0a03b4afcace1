/// Runs the commands of one request in order, as runs of reads and runs of writes.
///
/// What a batch promises: its commands are independent (one that fails does not stop the others), and a
/// read sees the writes that stand before it in the batch. So a run of writes goes out together and is
/// durable before the reads behind it are asked, and the other way round. A single command is a batch of one.
internal import Base
package import Regions

package struct BatchCoordinator: Sendable {
    private let commands: [RawCommand]
    private var sent: Range<Int>
    /// In the order of the commands; one for each once `nextRun` is nil.
    package private(set) var outcomes: [RawOutcome]

    package init(commands: [RawCommand]) {
        self.commands = commands
        sent = 0..<0
        outcomes = []
    }

    /// The next run to send: all reads or all writes. nil once every command has its outcome.
    package mutating func nextRun() -> [RawCommand]? {
        invariant(outcomes.count == sent.upperBound, "one run is out at a time")
        let start = sent.upperBound
        guard start < commands.count else { return nil }
        if commands.count == 1 {
            sent = 0..<1
            return commands
        }
        let writes = commands[start].isWrite
        let end = commands[start...].firstIndex { $0.isWrite != writes } ?? commands.count
        sent = start..<end
        return Array(commands[sent])
    }

    package mutating func received(_ run: [RawOutcome]) {
        invariant(run.count == sent.count, "an outcome for each command of the run")
        if outcomes.isEmpty { outcomes = run } else { outcomes.append(contentsOf: run) }
    }

    /// The request ends here: every command that has no outcome yet gets this one.
    package mutating func abandon(_ refusal: Refusal) {
        while outcomes.count < commands.count { outcomes.append(.refused(refusal)) }
        sent = commands.count..<commands.count
    }
}
