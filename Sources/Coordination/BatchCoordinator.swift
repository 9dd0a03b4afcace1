/// Runs the commands of one request in order, as runs of reads, runs of writes, and runs of range
/// deletes that have no key in common.
///
/// What a batch promises: its commands are independent (one that fails does not stop the others),
/// and a read sees the writes that stand before it in the batch, and no older state than the reads
/// before it. So a run of writes goes out together and is durable before the reads behind it are
/// asked, and the other way round; within a run of reads the shard keeps the order. A single
/// command is a batch of one.
///
/// Writes of one key keep their order in a run, because they queue for one latch. A range delete
/// shares no queue with them. History that keeping them apart prevents: (1) a range delete of
/// another request has closed b to c, (2) a batch deletes everything and then puts z: its delete
/// waits for b to c, (3) z waits for nothing, is written, and then deleted by the command that
/// stood before it.
///
/// Memory: ten thousand reads of 4 MiB each would be 40 GiB in hand before the first byte is
/// answered. So reads go out a few at a time, and once what they brought exceeds what a batch's
/// answer may hold the rest are refused without being read.
///
/// Time: what memory can answer is answered on an event loop, where everybody else waits for it. So
/// a run has a weight, and whoever sends the runs does not send too much of it in one turn.
internal import Base
package import Regions

package struct BatchCoordinator: Sendable {
    /// Weight of reads asked for at once: what is in hand stays below this many values and the
    /// answer's limit.
    private static let readWeightPerRun = 16

    /// Bytes that are copied in the time of a point read.
    private static let bytesPerWeight = 8 << 10

    private let commands: [RawCommand]
    private var answerBytes = 0
    private var sent: Range<Int>
    /// In the order of the commands; one for each once `nextRun` is nil.
    package private(set) var outcomes: [RawOutcome]

    package init(commands: [RawCommand]) {
        self.commands = commands
        sent = 0..<0
        outcomes = []
    }

    /// The next run to send: all reads, all writes, or range deletes. nil once every command has
    /// its outcome.
    package mutating func nextRun() -> [RawCommand]? {
        invariant(outcomes.count == sent.upperBound, "one run is out at a time")
        let start = sent.upperBound
        guard start < commands.count else { return nil }
        if commands.count == 1 {
            sent = 0..<1
            return commands
        }
        if commands[start].isRangeDelete {
            sent = start..<endOfDisjointRanges(from: start)
        } else if commands[start].isWrite {
            let end = commands[start...].firstIndex { !$0.isWrite || $0.isRangeDelete }
            sent = start..<(end ?? commands.count)
        } else if answerBytes > Limits.batchAnswerBytes {
            let end = commands[start...].firstIndex(where: \.isWrite) ?? commands.count
            for _ in start..<end { outcomes.append(.refused(.answerTooLarge)) }
            sent = start..<end
            return nextRun()
        } else {
            sent = start..<endOfReads(from: start)
        }
        return Array(commands[sent])
    }

    private func endOfReads(from start: Int) -> Int {
        var weight = 0
        let end = commands[start...].firstIndex { command in
            weight += command.weight
            return command.isWrite || weight > Self.readWeightPerRun
        }
        return end ?? commands.count
    }

    /// What sending a run costs the loop that it is carried out on, counted in point reads.
    package static func weight(of run: [RawCommand]) -> Int {
        run.reduce(0) { $0 + $1.weight }
    }

    private func endOfDisjointRanges(from start: Int) -> Int {
        var ranges: [KeyRange] = []
        for command in commands[start...].prefix(Limits.rangeDeletesPerRun) {
            guard case .deleteRange(let range, dryRun: false) = command,
                !ranges.contains(where: { $0.overlaps(range) })
            else { break }
            ranges.append(range)
        }
        return start + ranges.count
    }

    /// - Returns: what the bytes that came weigh beside the commands, if more may follow.
    @discardableResult
    package mutating func received(_ run: [RawOutcome]) -> Int {
        invariant(run.count == sent.count, "an outcome for each command of the run")
        if outcomes.isEmpty { outcomes = run } else { outcomes.append(contentsOf: run) }
        guard commands.count > 1 else { return 0 }
        let bytes = run.reduce(0) { $0 + $1.byteCount }
        answerBytes += bytes
        return bytes / Self.bytesPerWeight
    }

    /// The request ends here: every command that has no outcome yet gets this one.
    package mutating func abandon(_ refusal: Refusal) {
        while outcomes.count < commands.count { outcomes.append(.refused(refusal)) }
        sent = commands.count..<commands.count
    }
}

extension RawCommand {
    /// A scan on a loop seeks and then visits dozens of entries.
    fileprivate var weight: Int {
        if case .scan = self { 4 } else { 1 }
    }

    fileprivate var isRangeDelete: Bool {
        if case .deleteRange(_, dryRun: false) = self { true } else { false }
    }
}
