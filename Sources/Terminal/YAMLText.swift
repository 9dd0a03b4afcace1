/// A JSON document as YAML 1.2 in block style, for `--output yaml`: the same names and values with
/// one line each, for people and for tools that read nothing else.
///
/// Texts stay in JSON's quotation marks, which YAML reads alike (YAML 1.2.2 §7.3.1), so that no
/// value turns into a number, a date or `no`. It rearranges and does not judge: numbers and texts
/// are passed on as they stand.

package enum YAMLText {
    /// Nil if the bytes are no JSON document, or nested deeper than anything a node answers.
    package static func text(ofJSON document: [UInt8]) -> String? {
        var reader = Reader(rest: document[...])
        guard let form = reader.value(depth: 0), reader.next() == nil else { return nil }
        switch form {
        case .inline(let text): return text + "\n"
        case .block(let lines): return lines.joined(separator: "\n") + "\n"
        }
    }

    private enum Form {
        case inline(String)
        case block([String])
    }

    private struct Reader {
        static let depthMax = 64

        var rest: ArraySlice<UInt8>

        /// The next byte that is no white space, not taken.
        mutating func next() -> UInt8? {
            rest = rest.drop { $0 == 0x20 || (0x09...0x0D).contains($0) }
            return rest.first
        }

        mutating func take(_ byte: Unicode.Scalar) -> Bool {
            guard next() == UInt8(ascii: byte) else { return false }
            rest.removeFirst()
            return true
        }

        mutating func value(depth: Int) -> Form? {
            guard depth < Reader.depthMax else { return nil }
            switch next() {
            case UInt8(ascii: "{"): return object(depth: depth + 1)
            case UInt8(ascii: "["): return array(depth: depth + 1)
            case UInt8(ascii: "\""): return string().map { .inline($0) }
            default:
                let word = rest.prefix { !",]} \n\r\t".utf8.contains($0) }
                rest = rest.dropFirst(word.count)
                return word.isEmpty ? nil : .inline(String(decoding: word, as: UTF8.self))
            }
        }

        /// With its quotation marks and escapes.
        mutating func string() -> String? {
            guard next() == UInt8(ascii: "\"") else { return nil }
            var end = rest.startIndex + 1
            while end < rest.endIndex, rest[end] != UInt8(ascii: "\"") {
                end += rest[end] == UInt8(ascii: "\\") ? 2 : 1
            }
            guard end < rest.endIndex else { return nil }
            defer { rest = rest[(end + 1)...] }
            return String(decoding: rest[...end], as: UTF8.self)
        }

        private mutating func object(depth: Int) -> Form? {
            var lines: [String] = []
            guard take("{") else { return nil }
            if take("}") { return .inline("{}") }
            repeat {
                guard let name = string(), take(":"), let value = value(depth: depth) else {
                    return nil
                }
                switch value {
                case .inline(let text): lines.append("\(YAMLText.plain(name)): \(text)")
                case .block(let inner):
                    lines.append("\(YAMLText.plain(name)):")
                    lines += inner.map { "  " + $0 }
                }
            } while take(",")
            return take("}") ? .block(lines) : nil
        }

        private mutating func array(depth: Int) -> Form? {
            var lines: [String] = []
            guard take("[") else { return nil }
            if take("]") { return .inline("[]") }
            repeat {
                guard let item = value(depth: depth) else { return nil }
                switch item {
                case .inline(let text): lines.append("- \(text)")
                case .block(let inner):
                    lines += inner.enumerated().map { ($0.offset == 0 ? "- " : "  ") + $0.element }
                }
            } while take(",")
            return take("]") ? .block(lines) : nil
        }
    }

    /// A name without its quotation marks, if it is one that YAML 1.1 does not take for a truth
    /// value or for nothing either.
    private static func plain(_ name: String) -> String {
        let inner = name.dropFirst().dropLast()
        let isWord = inner.utf8.allSatisfy {
            $0 == 0x5F || (0x61...0x7A).contains($0) || (0x30...0x39).contains($0)
        }
        return isWord && inner.first?.isLetter == true && !reserved.contains(String(inner))
            ? String(inner) : name
    }

    private static let reserved: Set = [
        "y", "n", "yes", "no", "on", "off", "true", "false", "null",
    ]
}
