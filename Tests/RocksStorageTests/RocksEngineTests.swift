// RocksDB behind the seam passes the engine suite.
import Base
import EngineSuite
import RocksStorage
import Storage
import Testing

@Suite struct RocksEngineTests {
    @Test func shortHistories() throws {
        try EngineSuite.checkShortHistories(RocksSubject())
    }

    @Test(arguments: 1...12 as ClosedRange<UInt64>) func randomHistories(seed: UInt64) throws {
        try EngineSuite.checkRandomHistory(RocksSubject(), seed: seed, steps: 600)
    }

    @Test func largeThings() throws { try EngineSuite.checkLargeThings(RocksSubject()) }

    @Test func emptyBatch() throws { try EngineSuite.checkEmptyBatch(RocksSubject()) }

    /// Tables that are not open, and blocks that are not cached: the answer is "not cached", never
    /// a wrong value and never "missing".
    @Test func whatIsNotInMemoryIsNotCached() throws {
        let folder = TemporaryFolder()
        var options = RocksOptions.small
        options.memtableBytes = 64 << 10
        options.openFilesMax = 20
        options.blockCacheBytes = 1 << 20
        func open(creating: Bool) throws -> RocksEngine {
            try RocksEngine(
                path: folder.path + "/db", options: options, creating: creating, lease: folder)
        }
        func key(_ index: Int) -> Key { Key([UInt8(index >> 8), UInt8(index & 0xFF)]) }
        func value(_ index: Int) -> Bytes {
            var generator = SeededGenerator(seed: UInt64(index))
            return (0..<300).map { _ in UInt8.random(in: 0...255, using: &generator) }
        }
        do {
            let engine = try open(creating: true)
            for index in 0..<20_000 {
                var batch = WriteBatch()
                batch.put(.raw, key(index), value(index))
                try engine.write(batch, sync: false)
            }
            try engine.flush()
            engine.compact(.raw, .all)
        }
        let engine = try open(creating: false)
        let view = engine.view()
        var cold = 0
        var wrong = 0
        for index in 0..<20_000 {
            let expected = Lookup.found(value(index))
            for answer in [
                try engine.get(.raw, key(index), tier: .cached),
                try view.get(.raw, key(index), tier: .cached),
            ] {
                if answer == .notCached { cold += 1 } else if answer != expected { wrong += 1 }
            }
            if index % 97 == 0 {
                #expect(try engine.get(.raw, key(index), tier: .disk) == expected)
                // Its table may have been closed again by now.
                let again = try view.get(.raw, key(index), tier: .cached)
                #expect(again == expected || again == .notCached)
            }
        }
        #expect(wrong == 0)
        #expect(cold > 0)
        for reverse in [false, true] {
            var outcomes: Set<ScanOutcome> = []
            for start in stride(from: 0, to: 20_000, by: 331) {
                let range = KeyRange(start: key(start), end: key(start + 300))
                var expected = Array(start..<min(start + 300, 20_000))
                if reverse { expected.reverse() }
                var seen: [Key] = []
                let outcome = try view.scan(.raw, range, reverse: reverse, tier: .cached) {
                    key, _ in
                    seen.append(Key(Bytes(key)))
                    return .more
                }
                outcomes.insert(outcome)
                #expect(seen == expected.prefix(seen.count).map(key))
                #expect(outcome == .notCached || seen.count == expected.count)
                if start % 2 == 0 {
                    _ = try view.scan(.raw, range, reverse: reverse, tier: .disk) { _, _ in .more }
                    let again = try view.scan(.raw, range, reverse: reverse, tier: .cached) {
                        _, _ in .more
                    }
                    outcomes.insert(again)
                }
            }
            #expect(outcomes == [.notCached, .complete])
        }
        #expect(try engine.get(.raw, Key([9]), tier: .disk) == .missing)
    }
}
