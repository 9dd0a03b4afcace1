// A batch as runs: what goes out together, and that every command gets exactly one outcome, in
// order.
import Base
import Coordination
import Regions
import Testing

@Suite struct BatchCoordinatorTests {
    static func command(_ letter: Character, _ index: Int) -> RawCommand {
        let key = Key([UInt8(index)])
        return letter == "w" ? .delete(RawDelete(key: key)) : .get(key)
    }

    /// Every sequence of up to six reads and writes.
    @Test func runsAlternateAndLoseNothing() {
        for length in 1...6 {
            for bits in 0..<(1 << length) {
                let letters = (0..<length).map { bits >> $0 & 1 == 1 ? Character("w") : "r" }
                let commands = letters.enumerated().map { Self.command($1, $0) }
                var batch = BatchCoordinator(commands: commands)
                var sent: [RawCommand] = []
                var kinds: [Bool] = []
                while let run = batch.nextRun() {
                    #expect(Set(run.map(\.isWrite)).count == 1)
                    kinds.append(run[0].isWrite)
                    sent += run
                    batch.received(run.map { _ in .counted(sent.count) })
                }
                #expect(sent == commands)
                #expect(batch.outcomes.count == length)
                #expect(
                    zip(kinds, kinds.dropFirst()).allSatisfy { $0 != $1 },
                    "shorter than a run of reads, so neighbours of a kind go out together")
            }
        }
    }

    /// A put that stands behind a range delete must not reach the shard before that is over, nor
    /// one that stands before it after.
    @Test func aRangeDeleteGoesAlone() {
        let range = RawCommand.deleteRange(.all, dryRun: false)
        let put = RawCommand.put(RawPut(key: Key(utf8: "k"), value: []))
        let dry = RawCommand.deleteRange(.all, dryRun: true)
        var batch = BatchCoordinator(commands: [put, put, range, range, put, dry, .get(Key([1]))])
        var runs: [[RawCommand]] = []
        while let run = batch.nextRun() {
            runs.append(run)
            batch.received(run.map { _ in .missing })
        }
        #expect(runs == [[put, put], [range], [range], [put], [dry, .get(Key([1]))]])
    }

    /// Neither can see what the other does. Ranges that meet in a key keep their order instead.
    @Test func rangeDeletesWithoutACommonKeyGoTogether() {
        func delete(_ start: UInt8, _ end: UInt8) -> RawCommand {
            .deleteRange(KeyRange(start: Key([start]), end: Key([end])), dryRun: false)
        }
        func runs(_ commands: [RawCommand]) -> [Int] {
            var batch = BatchCoordinator(commands: commands)
            var counts: [Int] = []
            while let run = batch.nextRun() {
                counts.append(run.count)
                batch.received(run.map { _ in .missing })
            }
            return counts
        }
        #expect(runs([delete(1, 3), delete(3, 5), delete(7, 9), delete(4, 6)]) == [3, 1])
        #expect(runs([delete(1, 3), delete(5, 7), .get(Key([1])), delete(8, 9)]) == [2, 1, 1])
        let many = (0..<200).map { delete(UInt8($0), UInt8($0 + 1)) }
        #expect(runs(many) == [128, 72])
    }

    @Test func anAbandonedBatchHasAnOutcomeForEachCommandAndNoMoreRuns() {
        let commands = ["w", "r", "w"].enumerated().map { Self.command($1, $0) }
        for answered in 0...1 {
            var batch = BatchCoordinator(commands: commands)
            _ = batch.nextRun()
            if answered == 1 { batch.received([.missing]) }
            batch.abandon(.deadlineExceeded)
            #expect(batch.outcomes.count == 3)
            #expect(batch.outcomes[2] == .refused(.deadlineExceeded))
            #expect(batch.nextRun() == nil)
        }
    }

    @Test func readsBehindAFullAnswerAreRefusedUnreadAndWritesGoOn() {
        let value = RawOutcome.found(RawValue(value: Bytes(repeating: 1, count: 4 << 20)))
        let letters = String(repeating: "r", count: 100) + "w" + String(repeating: "r", count: 9)
        let commands = letters.enumerated().map { Self.command($1, $0) }
        var batch = BatchCoordinator(commands: commands)
        var held = 0
        var wrote = 0
        while let run = batch.nextRun() {
            if run[0].isWrite { wrote += run.count } else { held += run.count }
            batch.received(run.map { $0.isWrite ? .deleted(previous: nil) : value })
        }
        #expect(wrote == 1)
        #expect(held < 32, "\(held) values of 4 MiB in hand")
        #expect(batch.outcomes.count == commands.count)
        #expect(batch.outcomes[100] == .deleted(previous: nil))
        #expect(batch.outcomes[99] == .refused(.answerTooLarge))
        #expect(batch.outcomes.last == .refused(.answerTooLarge))
    }
}
