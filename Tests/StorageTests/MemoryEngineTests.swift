/// The memory engine passes the engine suite, and its crashes and faults do what the simulator
/// needs.
import Base
import EngineSuite
import Storage
import Testing

/// Reopening memory means crashing after a sync: nothing may be missing.
private final class MemorySubject: EngineSubject {
    let memory = MemoryEngine()
    var engine: any KeyValueEngine { memory }

    func disturb(_ choice: UInt64, mayReopen: Bool) throws {
        guard mayReopen else { return }
        try memory.write(WriteBatch(), sync: true)
        memory.crash()
    }
}

@Suite struct MemoryEngineTests {
    @Test func shortHistories() throws {
        try EngineSuite.checkShortHistories(MemorySubject())
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>) func randomHistories(seed: UInt64) throws {
        try EngineSuite.checkRandomHistory(MemorySubject(), seed: seed, steps: 600)
    }

    @Test(arguments: 1...5 as ClosedRange<UInt64>) func coldReads(seed: UInt64) throws {
        let subject = MemorySubject()
        subject.memory.setCold(1, in: 3, seed: seed)
        try EngineSuite.checkRandomHistory(subject, seed: seed, steps: 600)
    }

    @Test func largeThings() throws { try EngineSuite.checkLargeThings(MemorySubject()) }

    @Test func sparseScan() throws {
        try EngineSuite.checkSparseScan(MemorySubject(), count: 100_000)
    }

    @Test func emptyBatch() throws { try EngineSuite.checkEmptyBatch(MemorySubject()) }

    @Test func aShareOfKeysIsCold() throws {
        let engine = MemoryEngine()
        engine.setCold(1, in: 4, seed: 1)
        var cold = 0
        for index in 0..<1000 as Range<UInt64> {
            var key = Bytes()
            key.appendUInt64(index)
            if try engine.get(.raw, Key(key), tier: .cached) == .notCached { cold += 1 }
            #expect(try engine.get(.raw, Key(key), tier: .disk) == .missing)
        }
        #expect((200...300).contains(cold))
    }

    private func put(_ number: UInt8) -> WriteBatch {
        [ModelWrite.put(.raw, [number], [number]), .put(.meta, [0], [number])].batch
    }

    private func last(_ engine: MemoryEngine) throws -> Lookup {
        try engine.get(.meta, Key([0]), tier: .disk)
    }

    @Test func aCrashLosesExactlyWhatWasNotSynced() throws {
        for synced in 0...3 as ClosedRange<UInt8> {
            for unsynced in 0...3 as ClosedRange<UInt8> {
                let engine = MemoryEngine()
                for number in 0..<synced + unsynced {
                    try engine.write(put(number), sync: number < synced)
                }
                #expect(engine.unsyncedCount == Int(unsynced))
                engine.crash()
                #expect(try last(engine) == (synced == 0 ? .missing : .found([synced - 1])))
                for number in 0..<synced + unsynced {
                    let kept = try engine.get(.raw, Key([number]), tier: .disk)
                    #expect(kept == (number < synced ? .found([number]) : .missing))
                }
            }
        }
    }

    @Test func aSyncCoversEarlierWrites() throws {
        let engine = MemoryEngine()
        try engine.write(put(1), sync: false)
        try engine.write(WriteBatch(), sync: true)
        engine.crash()
        #expect(try last(engine) == .found([1]))
        #expect(engine.syncCount == 1)
    }

    @Test func survivorsAreAPrefixAndEveryLengthOccurs() throws {
        var lengths: Set<Int> = []
        for seed in 1...200 as ClosedRange<UInt64> {
            var generator = SeededGenerator(seed: seed)
            let engine = MemoryEngine()
            for number in 0..<5 as Range<UInt8> { try engine.write(put(number), sync: false) }
            engine.crash(keepingUnsynced: &generator)
            let kept = try (0..<5 as Range<UInt8>).map { number in
                try engine.get(.raw, Key([number]), tier: .disk) != .missing
            }
            let length = kept.prefix { $0 }.count
            #expect(!kept[length...].contains(true), "seed \(seed)")
            let expected: Lookup = length == 0 ? .missing : .found([UInt8(length - 1)])
            #expect(try last(engine) == expected, "seed \(seed)")
            lengths.insert(length)
        }
        #expect(lengths == Set(0...5))
    }

    @Test func aRefusedWriteLeavesTheStoreAsItWas() throws {
        let engine = MemoryEngine()
        engine.failWrites(after: 1, with: .unreadable("a block"), times: 2)
        try engine.write(put(1), sync: true)
        for _ in 0..<2 {
            #expect(throws: StorageError.unreadable("a block")) {
                try engine.write(put(2), sync: true)
            }
        }
        #expect(try last(engine) == .found([1]))
        try engine.write(put(3), sync: true)
        engine.crash()
        #expect(try last(engine) == .found([3]))
        #expect(try engine.get(.raw, Key([2]), tier: .disk) == .missing)
    }

    @Test func aFailedDeviceIsNeverWrittenAgainAndTheWriteMaySurvive() throws {
        var outcomes: Set<Lookup> = []
        for seed in 1...50 as ClosedRange<UInt64> {
            var generator = SeededGenerator(seed: seed)
            let engine = MemoryEngine()
            try engine.write(put(1), sync: true)
            engine.failWrites(after: 0, with: .failed("sync"))
            for _ in 0..<3 {
                #expect(throws: StorageError.failed("sync")) {
                    try engine.write(put(2), sync: true)
                }
            }
            #expect(try last(engine) == .found([1]))
            engine.crash(keepingUnsynced: &generator)
            outcomes.insert(try last(engine))
            try engine.write(put(3), sync: true)
        }
        #expect(outcomes == [.found([1]), .found([2])])
    }
}
