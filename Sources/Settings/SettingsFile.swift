/// The configuration file: `key = value` lines in TOML 1.0, each key at the top level.
///
/// A reader of its own because an unknown key must be refused with its line. swift-configuration
/// looks values up by name and cannot list the keys that nobody asked for; TOMLKit lists keys and
/// keeps no positions. What is accepted here means the same to every TOML reader; sections, dates,
/// floating point and values over several lines are refused, because no setting needs them.

package struct SettingsFile: Hashable, Sendable {
    package enum Value: Hashable, Sendable {
        case text(String)
        case integer(Int)
        case boolean(Bool)
        case list([String])
    }

    package struct Entry: Hashable, Sendable {
        package var key: String
        package var value: Value
        /// From 1.
        package var line: Int
    }

    package var path: String
    package var entries: [Entry]

    package init(path: String, text: String) throws(SettingsError) {
        self.path = path
        entries = []
        // A byte order mark is what some editors put there; TOML allows none, and it costs nothing
        // to skip.
        let text = text.hasPrefix("\u{FEFF}") ? text.dropFirst() : text[...]
        // `\r\n` is one Character, so the split sees the line ends of both worlds.
        let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        for (index, line) in lines.enumerated() {
            var reader = LineReader(line, path: path, number: index + 1)
            guard let (key, value) = try reader.entry() else { continue }
            if let first = entries.first(where: { $0.key == key }) {
                throw .syntax(
                    path: path, line: index + 1,
                    "\(key) is set a second time (first in line \(first.line))")
            }
            entries.append(Entry(key: key, value: value, line: index + 1))
        }
    }
}

/// One line, read from left to right; every failure names what was expected.
private struct LineReader {
    private var rest: Substring
    private let path: String
    private let number: Int

    init(_ line: Substring, path: String, number: Int) {
        rest = line
        self.path = path
        self.number = number
    }

    /// Nil for a line that is blank or a comment.
    mutating func entry() throws(SettingsError) -> (String, SettingsFile.Value)? {
        skipBlanks()
        if rest.isEmpty || rest.first == "#" { return nil }
        if rest.first == "[" {
            throw fault("sections are not used: every key stands at the top level")
        }
        let key = rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || "_-".contains($0)) }
        guard !key.isEmpty else { throw fault("a key was expected") }
        rest = rest[key.endIndex...]
        skipBlanks()
        guard take("=") else { throw fault("`=` was expected after \(key)") }
        skipBlanks()
        let value = try value(of: String(key))
        skipBlanks()
        guard rest.isEmpty || rest.first == "#" else {
            throw fault("nothing but a comment may follow the value of \(key)")
        }
        return (String(key), value)
    }

    private mutating func value(of key: String) throws(SettingsError) -> SettingsFile.Value {
        switch rest.first {
        case "\"", "'": return .text(try text())
        case "[": return .list(try list())
        default:
            let word = rest.prefix { !" \t#,]".contains($0) }
            rest = rest[word.endIndex...]
            switch word {
            case "true": return .boolean(true)
            case "false": return .boolean(false)
            case "": throw fault("\(key) has no value")
            default:
                guard let integer = LineReader.integer(word) else {
                    throw fault("a text needs quotation marks: \(key) = \"\(word)\"")
                }
                return .integer(integer)
            }
        }
    }

    /// Decimal, with `_` between digits, and no leading zero, as TOML has it.
    private static func integer(_ word: Substring) -> Int? {
        let digits = word.drop { $0 == "+" || $0 == "-" }
        guard word.count - digits.count <= 1, digits.first != "_", digits.last != "_",
            !digits.contains("__"), digits == "0" || digits.first != "0"
        else { return nil }
        return Int(word.replacing("_", with: ""))
    }

    private mutating func list() throws(SettingsError) -> [String] {
        invariantTake("[")
        var items: [String] = []
        while true {
            skipBlanks()
            if take("]") { return items }
            guard rest.first == "\"" || rest.first == "'" else {
                throw fault("a list holds texts in quotation marks and ends with `]` on its line")
            }
            items.append(try text())
            skipBlanks()
            if take(",") { continue }
            guard take("]") else { throw fault("`,` or `]` was expected in the list") }
            return items
        }
    }

    private mutating func text() throws(SettingsError) -> String {
        if rest.hasPrefix("\"\"\"") || rest.hasPrefix("'''") {
            throw fault("a text over several lines is not taken")
        }
        guard let quote = rest.popFirst() else { throw fault("a text was expected") }
        var text = ""
        while let character = rest.popFirst() {
            if character == quote { return text }
            if character == "\\", quote == "\"" {
                text.unicodeScalars.append(try escaped())
            } else {
                let isControl = character.unicodeScalars.contains {
                    ($0.value < 0x20 && $0 != "\t") || $0.value == 0x7F
                }
                if isControl { throw fault("a control character in a text") }
                text.append(character)
            }
        }
        throw fault("the text has no closing quotation mark")
    }

    private mutating func escaped() throws(SettingsError) -> Unicode.Scalar {
        switch rest.popFirst() {
        case "b": return "\u{8}"
        case "t": return "\t"
        case "n": return "\n"
        case "f": return "\u{C}"
        case "r": return "\r"
        case "\"": return "\""
        case "\\": return "\\"
        case "u": return try scalar(digits: 4)
        case "U": return try scalar(digits: 8)
        default: throw fault("an unknown escape; a backslash itself is written `\\\\`")
        }
    }

    private mutating func scalar(digits count: Int) throws(SettingsError) -> Unicode.Scalar {
        let digits = rest.prefix(count)
        guard digits.count == count, digits.allSatisfy({ $0.isASCII && $0.isHexDigit }),
            let number = UInt32(digits, radix: 16), let scalar = Unicode.Scalar(number)
        else { throw fault("\(count) hexadecimal digits of a Unicode scalar were expected") }
        rest = rest.dropFirst(count)
        return scalar
    }

    private mutating func skipBlanks() { rest = rest.drop { $0 == " " || $0 == "\t" } }

    private mutating func take(_ character: Character) -> Bool {
        guard rest.first == character else { return false }
        rest = rest.dropFirst()
        return true
    }

    private mutating func invariantTake(_ character: Character) {
        precondition(take(character), "the caller saw \(character)")
    }

    private func fault(_ what: String) -> SettingsError {
        .syntax(path: path, line: number, what)
    }
}
