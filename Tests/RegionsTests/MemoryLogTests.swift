// The simulator's store of Raft logs: the suite of all such stores, and what its crashes leave.
import Base
import LogSuite
import Raft
import Regions
import Storage
import Testing

private final class MemorySubject: LogSubject {
    let memory = MemoryLog()
    var log: any RaftLogStore { memory }
    func reopen() { memory.crash() }
}

@Suite struct MemoryLogTests {
    @Test func shortHistories() throws { try LogSuite.checkShortHistories(MemorySubject()) }

    @Test(arguments: 1...20 as ClosedRange<UInt64>) func randomHistories(seed: UInt64) throws {
        try LogSuite.checkRandomHistory(MemorySubject(), seed: seed, steps: 150)
    }

    @Test func longLogs() throws { try LogSuite.checkLongLog(MemorySubject()) }

    /// Every number of survivors: the log is as after that many batches, whole ones.
    @Test func aCrashLeavesAPrefixOfWholeBatches() throws {
        for survivors in 0...5 {
            let subject = MemorySubject()
            var generator = SeededGenerator(seed: 8)
            var batch = LogBatch()
            var models = [1, 2].map { LogModel(GroupID($0), in: &batch) }
            try subject.memory.write(batch)
            var states = [models]
            for move in [.appendThree, .overwrite, .compact, .leap, .appendOne] as [LogMove] {
                batch = LogBatch()
                for index in models.indices { models[index].make(move, &generator, in: &batch) }
                try subject.memory.begin(batch)
                states.append(models)
            }
            try LogSuite.check(subject, models, "what is begun is read")
            #expect(subject.memory.unsyncedCount == 5)
            subject.memory.crash(keeping: survivors)
            try LogSuite.check(subject, states[survivors], "\(survivors) survive")
            #expect(subject.memory.unsyncedCount == 0)
        }
    }

    @Test func afterAFailureNothingIsWritten() throws {
        let subject = MemorySubject()
        var generator = SeededGenerator(seed: 9)
        var batch = LogBatch()
        var model = LogModel(GroupID(1), in: &batch)
        try subject.memory.write(batch)
        subject.memory.failWrites(after: 1, with: .failed("fire"))
        var before = model
        for isRefused in [false, true, true] {
            batch = LogBatch()
            before = model
            model.make(.appendOne, &generator, in: &batch)
            if isRefused {
                #expect(throws: StorageError.failed("fire")) { try subject.memory.write(batch) }
                model = before
            } else {
                try subject.memory.write(batch)
            }
        }
        try LogSuite.check(subject, [before], "reads go on")
        #expect(subject.memory.unsyncedCount == 1, "the failed write may be on the disk")
        subject.memory.crash()
        try LogSuite.check(subject, [before], "reopened")
        try subject.memory.write(LogBatch())
    }
}

@Suite struct LogExtentTests {
    @Test func aCompactionIsDeletedBitByBit() {
        var extent = LogExtent(base: 0)
        for index in 1...10 as ClosedRange<LogIndex> { extent.append(index) }
        extent.moveBase(to: 3)
        extent.moveBase(to: 7)
        #expect(extent.garbage == [1..<8])
        #expect(extent.takeGarbage(countLimit: 0) == nil)
        #expect(extent.takeGarbage(countLimit: 5) == 1..<6)
        #expect(extent.takeGarbage(countLimit: 5) == 6..<8)
        #expect(extent.takeGarbage(countLimit: 5) == nil)
        #expect((extent.base, extent.last) == (7, 10))
    }

    /// What lies between was never there: deleting it would cost as much as if it had been.
    @Test func aLeapLeavesAGap() {
        var extent = LogExtent(base: 0)
        extent.append(1)
        extent.append(2)
        extent.moveBase(to: 1_000_000)
        #expect(extent.cut(from: 1_000_001).isEmpty)
        extent.append(1_000_001)
        extent.moveBase(to: 1_000_001)
        #expect(extent.garbage == [1..<3, 1_000_001..<1_000_002])
        #expect((extent.base, extent.last) == (1_000_001, 1_000_001))
    }

    @Test func aCutTellsWhatIsDropped() {
        var extent = LogExtent(base: 5)
        for index in 6...9 as ClosedRange<LogIndex> { extent.append(index) }
        #expect(extent.cut(from: 10).isEmpty)
        #expect(extent.cut(from: 8) == 8..<10)
        #expect(extent.last == 7)
        #expect(extent.cut(from: 6) == 6..<8)
        #expect(extent.last == 5)
    }
}
