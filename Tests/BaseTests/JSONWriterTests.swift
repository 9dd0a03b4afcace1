// The JSON writer, read back by Foundation.
import Base
import Foundation
import Testing

@Suite struct JSONWriterTests {
    private func document(_ write: (inout JSONWriter) -> Void, pretty: Bool = false) -> String {
        var json = JSONWriter(pretty: pretty)
        write(&json)
        return String(decoding: json.bytes, as: UTF8.self)
    }

    private func sample(_ json: inout JSONWriter) {
        json.beginObject()
        json.member("a", 1)
        json.name("b")
        json.beginArray()
        json.boolean(true)
        json.beginObject()
        json.endObject()
        json.beginArray()
        json.endArray()
        json.string("x")
        json.endArray()
        json.member("c", UInt64.max)
        json.endObject()
    }

    @Test func compact() {
        #expect(
            document(sample) == #"{"a":1,"b":[true,{},[],"x"],"c":18446744073709551615}"#)
    }

    @Test func pretty() {
        #expect(
            document(sample, pretty: true) == """
                {
                  "a": 1,
                  "b": [
                    true,
                    {},
                    [],
                    "x"
                  ],
                  "c": 18446744073709551615
                }
                """)
    }

    @Test func linesStartAnew() {
        let text = document { json in
            for index in 0..<2 {
                json.beginObject()
                json.member("i", index)
                json.endObject()
                json.endLine()
            }
        }
        #expect(text == "{\"i\":0}\n{\"i\":1}\n")
    }

    /// Foundation's parser is the reference for what a string means.
    @Test func everyCharacterIsReadBackByFoundation() throws {
        for scalar in (0...0x2FFF).compactMap(Unicode.Scalar.init) + ["\u{FFFF}", "\u{10FFFF}"] {
            for text in ["\(scalar)", "plain text before \(scalar)after"] {
                let json = document { $0.string(text) }
                let read = try JSONSerialization.jsonObject(
                    with: Data(json.utf8), options: .fragmentsAllowed)
                #expect(read as? String == text)
            }
        }
    }

    /// What a string is by RFC 8259, one byte after the other.
    private func escaped(_ text: Bytes) -> Bytes {
        text.flatMap { byte -> Bytes in
            switch byte {
            case 0x22, 0x5C: [0x5C, byte]
            case 0x08: Bytes("\\b".utf8)
            case 0x09: Bytes("\\t".utf8)
            case 0x0A: Bytes("\\n".utf8)
            case 0x0C: Bytes("\\f".utf8)
            case 0x0D: Bytes("\\r".utf8)
            case 0..<0x20: Bytes(String(format: "\\u%04x", byte).utf8)
            default: [byte]
            }
        }
    }

    /// Each pair of bytes, alone and at every place of a word, and long runs of one kind.
    @Test func everyByteBesideEveryOther() {
        for first in 0..<0x80 as Range<UInt8> {
            for second in 0..<0x80 as Range<UInt8> {
                let text = [first, second]
                #expect(json(text) == [0x22] + escaped(text) + [0x22])
            }
        }
        for odd in [0x00, 0x0A, 0x1F, 0x22, 0x5C] as Bytes {
            for place in 0..<80 {
                for count in [1, 2, 9, 33] {
                    let plain = Bytes(repeating: 0x61, count: place)
                    let text = plain + Bytes(repeating: odd, count: count) + plain
                    #expect(json(text) == [0x22] + escaped(text) + [0x22])
                }
            }
        }
    }

    @Test func longTextIsEscapedInSteps() {
        var generator = SeededGenerator(seed: 7)
        for density in [1, 2, 7, 40, 4_000] as [UInt64] {
            let text = (0..<9_000).map { _ -> UInt8 in
                generator.next() % density == 0 ? UInt8(generator.next() % 0x20) : 0x7A
            }
            let written = json(text)
            #expect(written == [0x22] + escaped(text) + [0x22], "\(density)")
        }
    }

    private func json(_ text: Bytes) -> Bytes {
        var writer = JSONWriter()
        writer.string(text)
        return writer.bytes
    }

    @Test func controlCharactersHaveTheirShortEscapes() {
        let text = document { $0.string(Bytes(0..<0x20)) }
        #expect(
            text
                == #""\u0000\u0001\u0002\u0003\u0004\u0005\u0006\u0007\b\t\n\u000b\f\r\u000e\u000f"#
                + #"\u0010\u0011\u0012\u0013\u0014\u0015\u0016\u0017\u0018\u0019\u001a\u001b"#
                + #"\u001c\u001d\u001e\u001f""#)
        #expect(document { $0.string("\u{7F}\"\\/") } == "\"\u{7F}\\\"\\\\/\"")
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func twinsHoldWhatWasWritten(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let alphabet: Bytes = [0x00, 0x0A, 0x22, 0x5C, 0x41, 0x7F, 0xC3, 0xA9, 0xFF]
        for _ in 0..<5000 {
            let count = Int.random(in: 0...20, using: &generator)
            let bytes = (0..<count).map { _ in
                generator.chance(1, in: 2) ? 0x61 : alphabet.randomElement(using: &generator) ?? 0
            }
            let json = document { json in
                json.beginObject()
                json.twin("v", "v_base64", bytes)
                json.endObject()
            }
            let read = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: String]
            if TextScan.isUTF8(bytes) {
                #expect(read?["v"].map { Bytes($0.utf8) } == bytes, "seed \(seed)")
            } else {
                #expect(read?["v_base64"].flatMap { Data(base64Encoded: $0) } == Data(bytes))
            }
            #expect(read?.count == 1)
        }
    }
}
