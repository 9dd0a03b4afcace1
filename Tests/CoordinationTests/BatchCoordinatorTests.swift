// A batch as runs: what goes out together, and that every command gets exactly one outcome, in order.
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
                #expect(zip(kinds, kinds.dropFirst()).allSatisfy { $0 != $1 })
            }
        }
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
}
