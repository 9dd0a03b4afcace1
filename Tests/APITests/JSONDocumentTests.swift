// Strict JSON: Foundation's parser is the reference for what is JSON at all.
import API
import Base
import Foundation
import Testing

@Suite struct JSONDocumentTests {
    /// A document as text again, to compare by eye.
    private static func shown(_ value: JSONValue) throws(Problem) -> String {
        switch value.kind {
        case .object:
            var members: [String] = []
            try value.forEachMember { (name, value) throws(Problem) in
                members.append("\(String(decoding: name, as: UTF8.self)):\(try shown(value))")
            }
            return "{\(members.joined(separator: " "))}"
        case .array:
            var elements: [String] = []
            try value.forEachElement { (value) throws(Problem) in
                elements.append(try shown(value))
            }
            return "[\(elements.joined(separator: " "))]"
        case .string: return "'\(value.text.map { String(decoding: $0, as: UTF8.self) } ?? "?")'"
        case .integer: return value.unsigned.map { "\($0)" } ?? "negative"
        case .fraction: return "fraction"
        case .boolean: return "\(value.boolean == true)"
        case .null: return "null"
        }
    }

    private func read(_ text: String) -> Result<String, Problem> {
        do throws(Problem) {
            return .success(try JSONValue.read(Bytes(text.utf8), Self.shown))
        } catch {
            return .failure(error)
        }
    }

    @Test(arguments: [
        ("{}", "{}"), ("[]", "[]"), (" [ [] , {} ] ", "[[] {}]"),
        ("{\"a\":{\"b\":[1,2]},\"c\":3}", "{a:{b:[1 2]} c:3}"),
        (
            "[0,18446744073709551615,9223372036854775808]",
            "[0 18446744073709551615 9223372036854775808]"
        ),
        ("[-1,-0,1.0,1e3,1E-3]", "[negative 0 fraction fraction fraction]"),
        ("[true,false,null]", "[true false null]"),
        ("[\"\",\"é\",\"\\u00e9\\ud83d\\ude00\\/\\n\"]", "['' 'é' 'é😀/\n']"),
        ("{\"\":1,\"a\":1,\"a\":2}", "{:1 a:1 a:2}"), ("3", "3"), ("\"x\"", "'x'"),
    ]) func documents(_ text: String, _ expected: String) {
        #expect(read(text) == .success(expected))
    }

    /// What is wrong and at which byte, so that whoever typed it finds it.
    @Test(arguments: [
        ("{\"a\":1,}", "a name in double quotes at byte 7"), ("[1,]", "a value at byte 3"),
        ("{'a':1}", "a name in double quotes or } at byte 1"), ("[1 2]", "a comma or ] at byte 3"),
        ("{\"a\" 1}", "a colon after the name at byte 5"), ("{\"a\":1", "a comma or } at byte 6"),
        ("{}{}", "nothing after the document at byte 2"), ("[1}", "a comma or ] at byte 2"),
        ("[tru]", "true at byte 1"), ("[01]", "no zero before other digits at byte 1"),
        ("[1.]", "a digit at byte 3"), ("[-]", "a digit at byte 2"),
        ("[+1]", "a value or ] at byte 1"),
        ("[\"\\x\"]", "one of \"\\/bfnrtu after the backslash at byte 3"),
        ("[\"\\u12g4\"]", "four hexadecimal digits at byte 4"),
        ("[\"a\nb\"]", "an escape for a control character at byte 3"),
        ("[\"ab", "an end to the string that begins at byte 1"),
        ("[NaN]", "a value or ] at byte 1"),
        ("// x\n{}", "a value at byte 0"), ("\u{FEFF}{}", "a value at byte 0"),
    ]) func mistakesAreLocated(_ text: String, _ expected: String) {
        guard case .failure(let problem) = read(text) else {
            Issue.record("\(text) was taken")
            return
        }
        #expect(problem.code == .malformedJSON)
        #expect(problem.detail.hasSuffix("expected \(expected)."), "\(problem.detail)")
    }

    @Test(arguments: ["", " ", "[\"\\ud800\"]", "[\"\\udc00\\ud800\"]", "[18446744073709551616]"])
    func refusedWithoutAPlace(_ text: String) {
        guard case .failure(let problem) = read(text) else {
            Issue.record("\(text) was taken")
            return
        }
        #expect(problem.code == .malformedJSON)
    }

    @Test func depthIsLimited() {
        func nested(_ levels: Int) -> String {
            String(repeating: "[", count: levels) + String(repeating: "]", count: levels)
        }
        #expect((try? read(nested(Limits.jsonDepth - 1)).get()) != nil)
        #expect((try? read(nested(Limits.jsonDepth + 1)).get()) == nil)
        #expect((try? read(nested(1_000_000)).get()) == nil)
    }

    /// Buffers grow, shrink and are used again.
    @Test func bigAndSmallDocumentsTakeTurns() {
        for count in [1, 70_000, 3, 2_000_000, 5] {
            let text = "[" + Array(repeating: "\"x\"", count: count).joined(separator: ",") + "]"
            #expect(
                read(text)
                    == .success(
                        "[" + Array(repeating: "'x'", count: count).joined(separator: " ") + "]"))
            #expect(read("{\"a\":[1]}") == .success("{a:[1]}"))
        }
    }

    /// Every document of up to four tokens over the alphabet of JSON is judged as the reference
    /// judges it, and what is refused for its structure has a place.
    @Test func shortDocumentsAgreeWithTheReference() {
        let tokens = ["{", "}", "[", "]", ",", ":", "\"a\"", "1", "true", "-", "\""]
        var documents = [""]
        for _ in 0..<4 {
            documents = documents.flatMap { document in tokens.map { document + $0 } }
            for document in documents {
                // Foundation lets a comma stand before a closing bracket; RFC 8259 does not.
                if document.contains(",]") { continue }
                let isJSON =
                    (try? JSONSerialization.jsonObject(
                        with: Data(document.utf8), options: .fragmentsAllowed)) != nil
                switch read(document) {
                case .success: #expect(isJSON, "\(document)")
                case .failure(let problem):
                    #expect(!isJSON, "\(document)")
                    #expect(problem.detail.contains(" at byte "), "\(document)")
                }
            }
        }
    }
}
