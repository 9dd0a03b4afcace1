// Cursors of scans: golden bytes, round trips, and no forged or damaged one taken for true.
import API
import Base
import Testing

@Suite struct ScanCursorTests {
    private static func hex(_ bytes: Bytes) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
    }

    /// Frozen: clients keep cursors over upgrades.
    @Test func goldenBytes() throws {
        let prefix = ScanCursor(
            origin: KeyRange(prefix: Key(utf8: "dir/")), prefixCount: 4, delimiter: [0x2F],
            rest: KeyRange(start: Key(utf8: "dir/7"), end: Key(utf8: "dir0")))
        let prefixBytes = Self.hex(try Base64.decode(prefix.text))
        #expect(
            prefixBytes
                == "01 34 04 64 69 72 2f 04 01 37 01 2f 04 0e 09 d9 99")
        let bounds = ScanCursor(
            origin: KeyRange(start: Key(utf8: "a"), end: Key(utf8: "c")), isReverse: true,
            isKeysOnly: true, rest: KeyRange(start: Key(utf8: "a"), end: Key(utf8: "b")))
        let boundsBytes = Self.hex(try Base64.decode(bounds.text))
        #expect(
            boundsBytes
                == "01 1b 01 61 01 63 00 01 62 00 59 9a 75 9c")
    }

    private static func randomKey(_ generator: inout SeededGenerator) -> Key {
        let alphabet: Bytes = [0, 0x2F, 0x61, 0x62, 0xFE, 0xFF]
        return Key(
            (0..<Int.random(in: 0...4, using: &generator)).map { _ in
                alphabet.randomElement(using: &generator) ?? 0
            })
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func roundTrip(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<10_000 {
            let start = Self.randomKey(&generator)
            let isPrefix = generator.chance(1, in: 2)
            let end = generator.chance(1, in: 2) ? Self.randomKey(&generator) : nil
            let origin =
                isPrefix ? KeyRange(prefix: start) : KeyRange(start: start, end: end)
            let position = Self.randomKey(&generator)
            guard !origin.isEmpty, origin.contains(position) else { continue }
            let isReverse = generator.chance(1, in: 2)
            let cursor = ScanCursor(
                origin: origin, prefixCount: isPrefix ? start.bytes.count : 0,
                isReverse: isReverse, isKeysOnly: generator.chance(1, in: 2),
                delimiter: generator.chance(1, in: 2) ? [0x2F] : nil,
                rest: isReverse
                    ? KeyRange(start: origin.start, end: position)
                    : KeyRange(start: position, end: origin.end))
            #expect(try ScanCursor(text: cursor.text) == cursor, "seed \(seed)")
        }
    }

    /// No bit may change unnoticed, and nothing traps.
    @Test func everyFlippedBitIsNoticed() throws {
        let cursor = ScanCursor(
            origin: KeyRange(prefix: Key(utf8: "users/")), prefixCount: 6, delimiter: [0x2F],
            rest: KeyRange(start: Key(utf8: "users/42"), end: Key(utf8: "users0")))
        let record = try Base64.decode(cursor.text)
        for bit in 0..<record.count * 8 {
            var changed = record
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(throws: DecodeError.self) {
                try ScanCursor(text: Base64.encodeForURL(changed))
            }
        }
        for count in 0..<record.count {
            #expect(throws: DecodeError.self) {
                try ScanCursor(text: Base64.encodeForURL(Bytes(record.prefix(count))))
            }
        }
    }

    /// Records with a right checksum and any content at all: what decodes must be a legal scan.
    @Test(arguments: [1, 2, 3] as [UInt64]) func forgedRecordsAreLegalOrRefused(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var decoded = 0
        for _ in 0..<100_000 {
            var record: Bytes = [1, UInt8.random(in: 0...70, using: &generator)]
            for _ in 0..<Int.random(in: 0...12, using: &generator) {
                record.append(
                    generator.chance(1, in: 10)
                        ? UInt8.random(in: 0...255, using: &generator)
                        : UInt8.random(in: 0...4, using: &generator))
            }
            let checksum = Fingerprint(of: record).low
            for shift in [UInt64(24), 16, 8, 0] {
                record.append(UInt8(truncatingIfNeeded: checksum >> shift))
            }
            guard let cursor = try? ScanCursor(text: Base64.encodeForURL(record)) else { continue }
            decoded += 1
            #expect(cursor.rest.intersection(cursor.origin) == cursor.rest, "seed \(seed)")
            #expect(cursor.prefixCount <= cursor.origin.start.bytes.count)
        }
        #expect(decoded > 100, "the generator meets legal records too")
    }

    @Test func aCursorUnderALongPrefixFitsAURL() throws {
        let prefix = Key(Bytes(repeating: 0x61, count: Limits.keyBytes))
        let cursor = ScanCursor(
            origin: KeyRange(prefix: prefix), prefixCount: Limits.keyBytes,
            rest: KeyRange(start: prefix.successor, end: prefix.prefixSuccessor))
        #expect(cursor.text.count < Limits.targetBytes / 2)
        #expect(try ScanCursor(text: cursor.text) == cursor)
    }
}
