// Base64 against RFC 4648, in both alphabets, padded or not.
import Base
import Testing

@Suite struct Base64Tests {
    /// RFC 4648 §10.
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
    ]) func vectors(_ plain: String, _ text: String) throws {
        #expect(Base64.encode(Bytes(plain.utf8)) == Bytes(text.utf8))
        #expect(try Base64.decode(Bytes(text.utf8)) == Bytes(plain.utf8))
        let bare = text.filter { $0 != "=" }
        #expect(Base64.encodeForURL(Bytes(plain.utf8)) == Bytes(bare.utf8))
        #expect(try Base64.decode(Bytes(bare.utf8)) == Bytes(plain.utf8))
    }

    @Test func bothAlphabetsAreRead() throws {
        let bytes: Bytes = [0xFB, 0xEF, 0xBE, 0xFF]
        #expect(Base64.encode(bytes) == Bytes("++++/w==".utf8))
        #expect(Base64.encodeForURL(bytes) == Bytes("----_w".utf8))
        for text in ["++++/w==", "++++/w", "----_w", "----_w==", "+-+-_w"] {
            #expect(try Base64.decode(Bytes(text.utf8)) == bytes)
        }
    }

    @Test(arguments: [
        "A", "AA=", "AAA==", "AAAAA", "A===", "====", "=", "==", "AA==AA==", "AB==", "AAB=", "AB",
        "A A=", "AA\n", "AA\n=", "AA.=", "é===",
    ]) func refused(_ text: String) {
        #expect(throws: DecodeError.self) { try Base64.decode(Bytes(text.utf8)) }
    }

    @Test func everyShortStringRoundTripsAndNothingElseDecodesToIt() throws {
        for a in UInt8.min...UInt8.max {
            for bytes in [[a], [a, 255 - a], [a, 0, a]] {
                for text in [Base64.encode(bytes), Base64.encodeForURL(bytes)] {
                    #expect(try Base64.decode(text) == bytes)
                }
            }
        }
    }

    /// Whatever decodes is what encoding gives back, but for the alphabet and the padding.
    @Test(arguments: [1, 2, 3] as [UInt64]) func decodingIsTotalAndCanonical(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let letters = Bytes("AZaz09+/-_= \n".utf8)
        for _ in 0..<20_000 {
            let count = Int.random(in: 0...9, using: &generator)
            let text = (0..<count).map { _ in
                generator.chance(1, in: 20)
                    ? UInt8.random(in: 0...255, using: &generator)
                    : letters[Int.random(in: 0..<letters.count, using: &generator)]
            }
            guard let bytes = try? Base64.decode(text) else { continue }
            let canonical = text.filter { $0 != UInt8(ascii: "=") }.map {
                $0 == UInt8(ascii: "+")
                    ? UInt8(ascii: "-") : $0 == UInt8(ascii: "/") ? UInt8(ascii: "_") : $0
            }
            #expect(Base64.encodeForURL(bytes) == canonical, "seed \(seed)")
        }
    }
}
