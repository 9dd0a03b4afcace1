// A scan on an event loop does little, whatever was deleted or has expired in front of what it
// looks for; what it cannot finish is asked again where time may pass.
import Base
import CRocksDB
import EngineSuite
import Regions
import RocksStorage
import Storage
import Testing

@Suite struct InlineScanTests {
    static let count = 100_000
    static let wall = WallTime(milliseconds: 1_000)

    static func key(_ place: UInt8, _ index: Int) -> Key {
        RawSpace.key(Key([place] + [16, 8, 0].map { UInt8(index >> $0 & 0xFF) }))
    }

    /// Keys `a…` deleted, keys `b…` expired, then `c` live, in `engine`; the view keeps what was
    /// deleted in the store.
    static func fill(_ engine: any KeyValueEngine) throws -> any EngineView {
        for (place, expiry) in [(0x61, nil), (0x62, wall)] as [(UInt8, WallTime?)] {
            for start in stride(from: 0, to: count, by: 10_000) {
                var batch = WriteBatch()
                for index in start..<start + 10_000 {
                    batch.put(.raw, key(place, index), RawRecord.encode([1], expiresAt: expiry))
                }
                try engine.write(batch, sync: false)
            }
        }
        let view = engine.view()
        var batch = WriteBatch()
        batch.deleteRange(.raw, RawSpace.range(KeyRange(prefix: Key([0x61]))))
        batch.put(.raw, RawSpace.key(Key([0x63])), RawRecord.encode([7], expiresAt: nil))
        try engine.write(batch, sync: true)
        return view
    }

    private func steps(_ read: () throws -> RawOutcome?) throws -> (RawOutcome?, UInt64) {
        let context = try #require(rocksdb_perfcontext_create())
        defer { rocksdb_perfcontext_destroy(context) }
        rocksdb_set_perf_level(Int32(rocksdb_enable_count))
        defer { rocksdb_set_perf_level(Int32(rocksdb_disable)) }
        rocksdb_perfcontext_reset(context)
        let outcome = try read()
        let metrics = [rocksdb_internal_key_skipped_count, rocksdb_internal_delete_skipped_count]
        return (
            outcome,
            metrics.reduce(0) { $0 + rocksdb_perfcontext_metric(context, Int32($1)) }
        )
    }

    @Test(arguments: [[], [0x61], [0x62]] as [Bytes])
    func aTurnVisitsFewEntriesAndTheAnswerIsRight(start: Bytes) throws {
        let subject = try RocksSubject()
        let view = try Self.fill(subject.engine)
        for reverse in [false, true] {
            // Backwards from `b…` on there is nothing live at all.
            let end = reverse ? Key([0x63]) : nil
            let scan = RawScan(
                range: KeyRange(start: Key(start), end: end), reverse: reverse, limit: 1)
            let (inline, few) = try steps {
                try RawRead.scan(scan).run(on: subject.engine, at: Self.wall, tier: .cached)
            }
            #expect(inline == nil, "it is for a reader thread")
            let bound = UInt64(Limits.entriesVisitedInline * (Limits.keysSkippedInline + 2))
            #expect(few <= bound)
            let (whole, many) = try steps {
                try RawRead.scan(scan).run(on: subject.engine, at: Self.wall, tier: .disk)
            }
            #expect(many >= UInt64(Self.count))
            guard case .page(let page)? = whole else {
                Issue.record("no page")
                continue
            }
            #expect(page.arena == (reverse ? [] : [0x63, 7]))
            #expect(page.rest == (reverse ? nil : KeyRange(start: Key([0x63, 0]))))
        }
        withExtendedLifetime(view) {}
    }
}
