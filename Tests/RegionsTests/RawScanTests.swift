// Pages of a scan against a plain model: every combination of small bounds, directions, limits and
// folders.
import Base
import Regions
import Storage
import Testing

@Suite struct RawScanTests {
    static let wall = WallTime(milliseconds: 1000)
    static let keys = ["a", "a/", "a/1", "a/2/x", "a/2/y", "b", "b/1", "c//", "c//d", "d"]

    static func engine(_ keys: [String], expired: [String] = []) throws -> MemoryEngine {
        let engine = MemoryEngine()
        var batch = WriteBatch()
        for key in keys {
            let expiry = expired.contains(key) ? wall : nil
            batch.put(
                .raw, RawSpace.key(Key(utf8: key)),
                RawRecord.encode(Bytes("value of \(key)".utf8), expiresAt: expiry))
        }
        try engine.write(batch, sync: true)
        return engine
    }

    /// All pages of a scan, each item as text: an entry's key, or a folder in brackets.
    static func pages(_ scan: RawScan, _ engine: MemoryEngine) throws -> [[String]] {
        var pages: [[String]] = []
        var next: RawScan? = scan
        while let current = next, pages.count < 100 {
            guard
                case .page(let page)? = try RawRead.scan(current).run(
                    on: engine, at: wall, tier: .disk)
            else { break }
            pages.append(items(page, reverse: scan.reverse))
            next = page.rest.map { rest in
                var following = current
                following.range = rest
                return following
            }
        }
        return pages
    }

    static func items(_ page: RawPage, reverse: Bool) -> [String] {
        let entries = page.entries.map { String(decoding: page.arena[$0.key], as: UTF8.self) }
        let folders = page.commonPrefixes.map { "[\(String(decoding: $0.bytes, as: UTF8.self))]" }
        let all = entries + folders
        let sorted = all.sorted { strip($0) < strip($1) }
        return reverse ? sorted.reversed() : sorted
    }

    static func strip(_ item: String) -> String {
        item.hasPrefix("[") ? String(item.dropFirst().dropLast()) : item
    }

    static func model(_ scan: RawScan, _ keys: [String]) -> [String] {
        var items: [String] = []
        for key in keys.sorted() where scan.range.contains(Key(utf8: key)) {
            var item = key
            if let delimiter = scan.delimiter {
                let rest = Bytes(key.utf8).dropFirst(scan.prefixCount)
                if let at = rest.indices.first(where: { rest[$0...].starts(with: delimiter) }) {
                    let folder = Bytes(key.utf8)[..<(at + delimiter.count)]
                    item = "[\(String(decoding: folder, as: UTF8.self))]"
                }
            }
            if items.last != item { items.append(item) }
        }
        return scan.reverse ? items.reversed() : items
    }

    @Test func everyScanGivesWhatTheModelGives() throws {
        let engine = try Self.engine(Self.keys)
        let starts = ["", "a", "a/", "a/2", "b/1", "c/", "zz"]
        let ends: [String?] = [nil, "a/2/y", "b", "c//", "d"]
        for start in starts {
            for end in ends {
                for reverse in [false, true] {
                    for delimiter in [nil, "/", "//"] as [String?] {
                        for limit in [1, 2, 3, 100] {
                            var scan = RawScan(
                                range: KeyRange(
                                    start: Key(utf8: start), end: end.map { Key(utf8: $0) }))
                            scan.reverse = reverse
                            scan.limit = limit
                            scan.delimiter = delimiter.map { Bytes($0.utf8) }
                            let pages = try Self.pages(scan, engine)
                            #expect(pages.flatMap { $0 } == Self.model(scan, Self.keys), "\(scan)")
                            #expect(pages.allSatisfy { $0.count <= limit })
                        }
                    }
                }
            }
        }
    }

    @Test func expiredEntriesAreOnNoPageAndInNoCount() throws {
        let engine = try Self.engine(Self.keys, expired: ["a", "b/1", "d"])
        let left = Self.keys.filter { !["a", "b/1", "d"].contains($0) }
        #expect(
            try Self.pages(RawScan(range: .all, limit: 2), engine).flatMap { $0 } == left.sorted())
        let count = try RawRead.count(.all).run(on: engine, at: Self.wall, tier: .disk)
        #expect(count == .counted(left.count))
    }

    /// Numbered history: (1) an entry fills half a page, (2) a folder follows and is jumped over,
    /// (3) an entry too large for the page ends it. The next page began again before the folder.
    @Test func aPageThatEndsByBytesAfterAFolderDoesNotGoBack() throws {
        let engine = MemoryEngine()
        var batch = WriteBatch()
        let half = Bytes(repeating: 1, count: Limits.bytesPerPage / 2 + 100)
        for key in ["a", "b/1", "b/2", "c"] {
            batch.put(.raw, RawSpace.key(Key(utf8: key)), RawRecord.encode(half, expiresAt: nil))
        }
        try engine.write(batch, sync: true)
        for reverse in [false, true] {
            var scan = RawScan(range: .all, reverse: reverse)
            scan.delimiter = Bytes("/".utf8)
            let pages = try Self.pages(scan, engine)
            let expected = [["a", "[b/]"], ["c"]]
            #expect(pages == (reverse ? [["c", "[b/]"], ["a"]] : expected))
        }
    }

    /// A read asks now and then whether anyone waits, and ends when nobody does.
    @Test func aReadThatNobodyWaitsForEnds() throws {
        let engine = MemoryEngine()
        var batch = WriteBatch()
        for index in 0..<10_000 {
            batch.put(
                .raw, RawSpace.key(Key(utf8: "\(10_000 + index)")),
                RawRecord.encode([], expiresAt: nil))
        }
        try engine.write(batch, sync: true)
        let reads: [RawRead] = [
            .get(Key(utf8: "10000")), .count(.all), .countForDelete(.all),
            .scan(RawScan(range: .all, limit: 10_000)),
        ]
        for read in reads {
            for asksBefore in [0, 3] {
                var asked = 0
                let outcome = try read.run(on: engine, at: Self.wall, tier: .disk) {
                    asked += 1
                    return asked <= asksBefore
                }
                let isPoint = read == reads[0]
                #expect(isPoint && asksBefore > 0 || outcome == .refused(.deadlineExceeded))
                #expect(asked == (isPoint ? 1 : asksBefore + 1))
            }
            #expect(
                try read.run(on: engine, at: Self.wall, tier: .disk)
                    != .refused(.deadlineExceeded))
        }
    }

    @Test func keysOnlyLeavesValuesOut() throws {
        let engine = try Self.engine(["a", "b"])
        let scan = RawScan(range: .all, keysOnly: true)
        guard
            case .page(let page)? = try RawRead.scan(scan).run(
                on: engine, at: Self.wall, tier: .disk)
        else {
            Issue.record("no page")
            return
        }
        #expect(page.arena == Bytes("ab".utf8))
        #expect(page.entries.allSatisfy { $0.value.isEmpty })
    }

    /// Each folder is one seek, and may be dear: between two of them a reader asks whether anybody
    /// still waits.
    @Test func aScanOfFoldersThatNobodyWaitsForEnds() throws {
        let engine = MemoryEngine()
        var batch = WriteBatch()
        for index in 0..<1_000 {
            batch.put(
                .raw, RawSpace.key(Key(utf8: "\(index)/a")), RawRecord.encode([], expiresAt: nil))
        }
        try engine.write(batch, sync: true)
        var asked = 0
        let scan = RawScan(range: .all, limit: 10_000, delimiter: Bytes("/".utf8))
        let outcome = try RawRead.scan(scan).run(
            on: engine, at: WallTime(milliseconds: 0), tier: .disk
        ) {
            asked += 1
            return asked < 10
        }
        #expect(outcome == .refused(.deadlineExceeded))
        #expect(asked == 10)
    }
}
