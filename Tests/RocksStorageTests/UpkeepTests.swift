// Statistics, compaction with its garbage filter, and the mapping of RocksDB's errors.
import Base
import EngineSuite
import RocksStorage
import Storage
import Synchronization
import Testing

@Suite struct UpkeepTests {
    private func key(_ index: Int) -> Bytes { [UInt8(index >> 8), UInt8(index & 0xFF)] }

    @Test func statisticsFollowTheData() throws {
        let subject = try RocksSubject()
        let engine = subject.rocks
        let writes = (0..<5_000).map { index in
            ModelWrite.put(.raw, key(index), Bytes(repeating: UInt8(index & 0xFF), count: 100))
        }
        try engine.write(writes.batch, sync: false)
        let before = engine.statistics()
        #expect((before.families[.raw]?.memtableBytes ?? 0) > 500_000)
        #expect(before.families[.raw]?.keysEstimate == 5_000)
        #expect(before.blockCacheCapacity == 64 << 20)
        #expect(before.backgroundErrors == 0 && !before.writesAreStopped)
        #expect(before.snapshots == 0)
        try engine.flush()
        engine.compact(.raw, .all)
        let view = engine.view()
        let after = engine.statistics()
        #expect(after.snapshots == 1)
        #expect((after.families[.raw]?.memtableBytes ?? .max) < 100_000)
        #expect((after.families[.raw]?.tableBytes ?? 0) > 1_000)
        #expect(after.families[.raw]?.tablesPerLevel.count == 7)
        #expect((after.families[.raw]?.tablesPerLevel.last ?? 0) > 0)
        #expect(after.families[.meta]?.tableBytes == 0)
        withExtendedLifetime(view) {}
    }

    @Test func stallTimeIsReadFromTheText() throws {
        #expect(
            RocksEngine.stallMilliseconds(
                in: "x\nCumulative stall: 01:02:3.004 H:M:S, 0.1 percent\n") == 3_723_004)
        #expect(RocksEngine.stallMilliseconds(in: "Cumulative stall: soon") == nil)
        #expect(RocksEngine.stallMilliseconds(in: "") == nil)
    }

    @Test func levelZeroIsReadFromTheTable() throws {
        let table = "Level Files Size(MB)\n---\n  0        3        2\n  1        9       20\n"
        #expect(RocksEngine.level0Bytes(in: table) == 3 << 20)
        #expect(RocksEngine.level0Bytes(in: "  0        0        0\n") == 0)
        #expect(RocksEngine.level0Bytes(in: "") == nil)
        let subject = try RocksSubject()
        try subject.rocks.write(
            [.put(.raw, [1], Bytes(repeating: 7, count: 100))].batch, sync: true)
        try subject.rocks.flush()
        let space = try subject.rocks.lookAtDisk().space
        #expect(space.capacityBytes > 0 && space.neededBytes > 0)
    }

    /// Values that begin with 0 are garbage; what is older under them must not come back.
    @Test func compactionDropsGarbageForGood() throws {
        let folder = TemporaryFolder()
        let seen = Mutex(0)
        var options = RocksOptions.small
        options.isGarbage[.raw] = { value in
            seen.withLock { $0 += 1 }
            return value.first == 0
        }
        let engine = try RocksEngine(
            path: folder.path + "/db", options: options, creating: true, lease: folder)
        try engine.write([.put(.raw, [1], [1]), .put(.raw, [2], [2])].batch, sync: true)
        try engine.flush()
        engine.compact(.raw, .all)
        try engine.write(
            [.put(.raw, [1], [0]), .put(.raw, [3], []), .put(.meta, [1], [0])].batch, sync: true)
        try engine.flush()
        #expect(try engine.get(.raw, Key([1]), tier: .disk) == .found([0]))
        engine.compact(.raw, .all)
        engine.compact(.meta, .all)
        #expect(try engine.get(.raw, Key([1]), tier: .disk) == .missing)
        #expect(try engine.get(.raw, Key([2]), tier: .disk) == .found([2]))
        #expect(try engine.get(.raw, Key([3]), tier: .disk) == .found([]))
        #expect(try engine.get(.meta, Key([1]), tier: .disk) == .found([0]))
        #expect(seen.withLock { $0 } > 0)
    }

    @Test func compactionReclaimsDeletedRanges() throws {
        let subject = try RocksSubject()
        let engine = subject.rocks
        var generator = SeededGenerator(seed: 5)
        for index in 0..<2_000 {
            let value = (0..<500).map { _ in UInt8.random(in: 0...255, using: &generator) }
            try engine.write([.put(.raw, key(index), value)].batch, sync: false)
        }
        try engine.flush()
        #expect((engine.statistics().families[.raw]?.tableBytes ?? 0) > 900_000)
        try engine.write([.deleteRange(.raw, from: [], to: nil)].batch, sync: true)
        try engine.flush()
        engine.compact(.raw, .all)
        #expect((engine.statistics().families[.raw]?.tableBytes ?? .max) < 10_000)
    }

    /// A scan beyond its cache budget goes on past the cache, in both directions.
    @Test func aLongScanIsCompleteAndSparesTheCache() throws {
        let subject = try RocksSubject()
        let count = 60
        for index in 0..<count {
            let value = Bytes(repeating: UInt8(index), count: 512 << 10)
            try subject.rocks.write([.put(.raw, key(index), value)].batch, sync: false)
        }
        try subject.rocks.flush()
        try subject.reopen()
        for reverse in [false, true] {
            var seen: [Bytes] = []
            let outcome = try subject.rocks.view().scan(
                .raw, .all, reverse: reverse, tier: .disk
            ) { key, value in
                #expect(value.count == 512 << 10 && value.first == key.last)
                seen.append(Bytes(key))
                return .more
            }
            #expect(outcome == .complete)
            let expected = (0..<count).map(key)
            #expect(seen == (reverse ? expected.reversed() : expected))
        }
        #expect(subject.rocks.statistics().blockCacheBytes < 25 << 20)
    }
}
