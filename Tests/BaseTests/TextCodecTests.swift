// Percent-encoding, UTF-8 scans and decimal numbers against simpler references.
import Base
import Testing

@Suite struct PercentCodingTests {
    @Test func decodesOnceToBytes() throws {
        func path(_ text: String) throws -> Bytes {
            try PercentCoding.decode(Bytes(text.utf8)[...], plusIsSpace: false)
        }
        #expect(try path("a%2Fb%2f+%00%FF") == Bytes("a/b/+".utf8) + [0, 0xFF])
        #expect(try path("%2525") == Bytes("%25".utf8))
        #expect(try path("a//../b/./") == Bytes("a//../b/./".utf8))
        #expect(
            try PercentCoding.decode(Bytes("a+b%2B".utf8)[...], plusIsSpace: true)
                == Bytes("a b+".utf8))
    }

    @Test(arguments: [("%", 0), ("a%2", 1), ("%zz", 0), ("ab%0g", 2), ("%%41", 0)])
    func brokenEscapeIsRefusedWhereItIs(_ text: String, _ offset: Int) {
        // A slice that does not begin at 0, as it comes out of a request's target.
        let slice = Bytes(("?" + text).utf8).dropFirst()
        #expect(throws: DecodeError(expected: "two hexadecimal digits after %", offset: offset)) {
            try PercentCoding.decode(slice, plusIsSpace: false)
        }
    }

    @Test(arguments: [false, true]) func everyPairOfBytesRoundTrips(_ plusIsSpace: Bool) throws {
        for a in UInt8.min...UInt8.max {
            for b in UInt8.min...UInt8.max {
                let text = PercentCoding.encode([a, b])
                #expect(text.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "+") })
                #expect(try PercentCoding.decode(text[...], plusIsSpace: plusIsSpace) == [a, b])
            }
        }
    }
}

@Suite struct TextScanTests {
    /// The standard library's decoder is the reference: it repairs exactly what is not well-formed.
    private func reference(_ bytes: Bytes) -> Bool {
        Bytes(String(decoding: bytes, as: UTF8.self).utf8) == bytes
    }

    @Test func everyTwoBytesAgreeWithTheReference() {
        for a in UInt8.min...UInt8.max {
            for b in UInt8.min...UInt8.max {
                #expect(TextScan.isUTF8([a, b]) == reference([a, b]))
            }
        }
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func randomBytesAgreeWithTheReference(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let edges: Bytes = [
            0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1,
            0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
        ]
        for _ in 0..<50_000 {
            let head = Int.random(in: 0...10, using: &generator)
            let tail = Int.random(in: 0...5, using: &generator)
            let bytes =
                Bytes(repeating: 0x61, count: head)
                + (0..<tail).map { _ in edges.randomElement(using: &generator) ?? 0 }
            #expect(TextScan.isUTF8(bytes) == reference(bytes), "seed \(seed): \(bytes)")
        }
    }

    @Test func plainPrefixEndsAtTheFirstByteThatIsNotPlain() {
        for byte in UInt8.min...UInt8.max {
            for offset in 0..<20 {
                var bytes = Bytes(repeating: UInt8(ascii: "x"), count: 20)
                bytes[offset] = byte
                let isEscaped = byte < 0x20 || byte == 0x22 || byte == 0x5C
                bytes.withUnsafeBytes {
                    #expect(
                        TextScan.plainPrefix($0) == (isEscaped || byte >= 0x80 ? offset : 20))
                    #expect(
                        TextScan.plainPrefix($0, isASCIIOnly: false) == (isEscaped ? offset : 20))
                }
            }
        }
    }
}

@Suite struct DecimalTextTests {
    @Test func roundTrip() {
        for value in [0, 1, 9, 10, 99, 100, 12345, UInt64.max - 1, .max] {
            var text = Bytes()
            text.appendDecimal(value)
            #expect(text == Bytes(String(value).utf8))
            #expect(UInt64(decimal: text) == value)
        }
        var negative = Bytes("x".utf8)
        negative.appendDecimal(Int.min)
        #expect(negative == Bytes("x\(Int.min)".utf8))
    }

    @Test(arguments: [
        "", "-1", "+1", " 1", "1 ", "01", "00", "1.0", "1e3", "0x1", "18446744073709551616",
        "99999999999999999999", "１",
    ]) func refused(_ text: String) {
        #expect(UInt64(decimal: Bytes(text.utf8)) == nil)
    }
}
