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
