// The raw record's bytes, which are on disks and must stay readable, and what it makes of any other
// bytes.
import Base
import Regions
import Testing

@Suite struct RawRecordTests {
    @Test func goldenBytes() {
        #expect(RawRecord.encode([], expiresAt: nil) == [0])
        #expect(RawRecord.encode([0x61, 0x62], expiresAt: nil) == [0x61, 0x62, 0])
        let expiry = WallTime(milliseconds: 0x0102_0304_0506_0708)
        #expect(
            RawRecord.encode([0x61], expiresAt: expiry) == [0x61, 1, 2, 3, 4, 5, 6, 7, 8, 1])
        #expect(RawSpace.key(Key([0x00, 0xFF])).bytes == [0x72, 0x00, 0xFF])
        #expect(RawSpace.range(.all) == KeyRange(start: Key([0x72]), end: Key([0x73])))
    }

    @Test func whatIsEncodedIsDecoded() throws {
        let expiries: [WallTime?] = [nil, WallTime(milliseconds: 1), WallTime(milliseconds: .max)]
        for count in [0, 1, 7, 8, 9, 10, 255, 4096] {
            for expiry in expiries {
                let value = Bytes((0..<count).map { UInt8(truncatingIfNeeded: $0) })
                let record = RawRecord.encode(value, expiresAt: expiry)
                let read = try RawRecord.value(of: record, at: WallTime(milliseconds: 0))
                #expect(read == RawValue(value: value, expiresAt: expiry))
            }
        }
    }

    @Test func aValueIsGoneFromTheVeryMillisecondOfItsExpiry() throws {
        let record = RawRecord.encode([1], expiresAt: WallTime(milliseconds: 100))
        for (milliseconds, isThere) in [(99, true), (100, false), (101, false)] as [(UInt64, Bool)]
        {
            let wall = WallTime(milliseconds: milliseconds)
            #expect(try (RawRecord.value(of: record, at: wall) != nil) == isThere)
            let isExpired = record.withUnsafeBytes { RawRecord.isExpired($0, at: wall) }
            #expect(isExpired == !isThere)
        }
        let forEver = RawRecord.encode([1], expiresAt: nil)
        let isExpired = forEver.withUnsafeBytes {
            RawRecord.isExpired($0, at: WallTime(milliseconds: .max))
        }
        #expect(!isExpired)
    }

    /// Any bytes decode or are refused; what is refused is never taken for expired and thrown away.
    @Test func anyBytesAreDecodedOrRefused() {
        var generator = SeededGenerator(seed: 20_261_122)
        for count in 0..<20 {
            for _ in 0..<300 {
                var record = Bytes(
                    (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) })
                if generator.chance(1, in: 2), count > 0 { record[count - 1] &= 3 }
                let decodes =
                    (try? RawRecord.value(of: record, at: WallTime(milliseconds: 0))) != nil
                let isExpired = record.withUnsafeBytes {
                    RawRecord.isExpired($0, at: WallTime(milliseconds: .max))
                }
                let isKnown = record.last == 0 || record.last == 1 && count >= 9
                #expect(decodes == (isKnown && !isExpiredAtZero(record)), "\(record)")
                #expect(!isExpired || isKnown, "\(record)")
            }
        }
    }

    private func isExpiredAtZero(_ record: Bytes) -> Bool {
        record.withUnsafeBytes { RawRecord.isExpired($0, at: WallTime(milliseconds: 0)) }
    }
}
