// Reads restricted to memory, of tables that are not open and blocks that are not cached: the
// answer is "not cached", never a wrong value, never "missing", never a scan with entries left out.
import Base
import EngineSuite
import RocksStorage
import Storage
import Testing

@Suite struct ColdReadTests {
    private static let count = 20_000

    /// Many small tables, of which few may be open at once, just reopened.
    private final class Store {
        let folder = TemporaryFolder()
        let engine: RocksEngine

        init() throws {
            var options = RocksOptions.small
            options.memtableBytes = 64 << 10
            options.tableBytes = 64 << 10
            options.openFilesMax = 20
            options.blockCacheBytes = 1 << 20
            let path = folder.path + "/db"
            do {
                let engine = try RocksEngine(
                    path: path, options: options, creating: true, lease: folder)
                for index in 0..<ColdReadTests.count {
                    var batch = WriteBatch()
                    batch.put(.raw, ColdReadTests.key(index), ColdReadTests.value(index))
                    try engine.write(batch, sync: false)
                }
                try engine.flush()
                engine.compact(.raw, .all)
            }
            engine = try RocksEngine(path: path, options: options, creating: false, lease: folder)
        }
    }

    private static func key(_ index: Int) -> Key {
        Key([UInt8(index >> 8), UInt8(index & 0xFF)])
    }

    private static func value(_ index: Int) -> Bytes {
        var generator = SeededGenerator(seed: UInt64(index))
        return (0..<300).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }

    @Test func gets() throws {
        let engine = try Store().engine
        let view = engine.view()
        var cold = 0
        var wrong = 0
        for index in 0..<Self.count {
            let expected = Lookup.found(Self.value(index))
            for answer in [
                try engine.get(.raw, Self.key(index), tier: .cached),
                try view.get(.raw, Self.key(index), tier: .cached),
            ] {
                if answer == .notCached { cold += 1 } else if answer != expected { wrong += 1 }
            }
            if index % 97 == 0 {
                #expect(try engine.get(.raw, Self.key(index), tier: .disk) == expected)
                // Its table may have been closed again by now.
                let again = try view.get(.raw, Self.key(index), tier: .cached)
                #expect(again == expected || again == .notCached)
            }
        }
        #expect(wrong == 0)
        #expect(cold > 0)
        #expect(try engine.get(.raw, Key([9]), tier: .disk) == .missing)
    }

    @Test(arguments: [false, true]) func scans(reverse: Bool) throws {
        let view = try Store().engine.view()
        var outcomes: Set<ScanOutcome> = []
        for start in stride(from: 0, to: Self.count, by: 331) {
            let end = min(start + Limits.entriesVisitedInline - 1, Self.count)
            let range = KeyRange(start: Self.key(start), end: Self.key(end))
            let expected = (start..<end).map(Self.key)
            func scan(_ tier: ReadTier) throws -> ScanOutcome {
                var seen: [Key] = []
                let outcome = try view.scan(.raw, range, reverse: reverse, tier: tier) { key, _ in
                    seen.append(Key(Bytes(key)))
                    return .more
                }
                let inOrder = reverse ? expected.reversed() : expected
                #expect(seen == Array(inOrder.prefix(seen.count)))
                #expect(outcome == .notCached || seen.count == expected.count)
                return outcome
            }
            outcomes.insert(try scan(.cached))
            #expect(try scan(.disk) == .complete)
            outcomes.insert(try scan(.cached))
        }
        #expect(outcomes == [.notCached, .complete])
    }
}
