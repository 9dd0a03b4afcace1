// A source file taken apart into code and comments, so that a rule about calls does not trip over a
// string, and a rule about braces not over a comment. Knows Swift's nested comments, raw strings,
// multi-line strings and interpolation; what it takes for code in C is close enough for these
// rules.

struct SourceText {
    let path: String
    let lines: [String]
    /// The lines with comments and the contents of string literals blanked out.
    let code: [String]
    /// The lines with all but comments blanked out.
    let comments: [String]

    init(path: String, _ text: String) {
        self.path = path
        var lexer = Lexer(Array(text.utf8))
        lexer.run()
        lines = SourceText.split(Array(text.utf8))
        code = SourceText.split(lexer.code)
        comments = SourceText.split(lexer.comments)
    }

    /// `Sources/Base/Key.swift` belongs to `Base`.
    var target: String? {
        let parts = path.split(separator: "/")
        return parts.count >= 3 ? String(parts[1]) : nil
    }

    var isSource: Bool { path.hasPrefix("Sources/") }
    var isTest: Bool { path.hasPrefix("Tests/") }

    private static func split(_ bytes: [UInt8]) -> [String] {
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        return lines.map { String(decoding: $0, as: UTF8.self) }
    }
}

private struct Lexer {
    private enum Context {
        /// Open parentheses; a closing one too many ends an interpolation.
        case code(depth: Int)
        case string(pounds: Int, multiline: Bool)
    }

    private let text: [UInt8]
    private var index = 0
    private var contexts: [Context] = [.code(depth: 0)]
    private(set) var code: [UInt8]
    private(set) var comments: [UInt8]

    private static let specialInStrings = Set("\"\\\n".utf8)
    /// What begins a comment, a string or a nesting; anything else is code as it stands.
    private static let special = Set("/\"#()".utf8)

    init(_ text: [UInt8]) {
        self.text = text
        code = text
        comments = text.map { $0 == UInt8(ascii: "\n") ? $0 : UInt8(ascii: " ") }
    }

    mutating func run() {
        while index < text.count {
            switch contexts[contexts.count - 1] {
            case .code(let depth): stepInCode(depth)
            case .string(let pounds, let multiline): stepInString(pounds, multiline)
            }
        }
    }

    private mutating func stepInCode(_ depth: Int) {
        guard Lexer.special.contains(text[index]) else {
            index += 1
            return
        }
        if at("//") {
            while index < text.count, text[index] != UInt8(ascii: "\n") { takeComment() }
        } else if at("/*") {
            takeBlockComment()
        } else if let opening = stringOpening() {
            index += opening.length
            contexts.append(.string(pounds: opening.pounds, multiline: opening.multiline))
        } else if at("("), contexts.count > 1 {
            contexts[contexts.count - 1] = .code(depth: depth + 1)
            index += 1
        } else if at(")"), contexts.count > 1 {
            if depth == 0 {
                contexts.removeLast()
            } else {
                contexts[contexts.count - 1] = .code(depth: depth - 1)
            }
            index += 1
        } else {
            index += 1
        }
    }

    private mutating func stepInString(_ pounds: Int, _ multiline: Bool) {
        guard Lexer.specialInStrings.contains(text[index]) else { return blank() }
        let hashes = String(repeating: "#", count: pounds)
        let closing = (multiline ? "\"\"\"" : "\"") + hashes
        if at(closing) {
            index += closing.utf8.count
            contexts.removeLast()
        } else if at("\\\(hashes)(") {
            index += 2 + pounds
            contexts.append(.code(depth: 0))
        } else if at("\\\(hashes)") {
            for _ in 0..<min(2 + pounds, text.count - index) { blank() }
        } else if at("\n"), !multiline {
            contexts.removeLast()
        } else {
            blank()
        }
    }

    private func stringOpening() -> (length: Int, pounds: Int, multiline: Bool)? {
        var cursor = index
        while cursor < text.count, text[cursor] == UInt8(ascii: "#") { cursor += 1 }
        let pounds = cursor - index
        guard cursor < text.count, text[cursor] == UInt8(ascii: "\"") else { return nil }
        let quotes = text[cursor...].prefix { $0 == UInt8(ascii: "\"") }.count
        return quotes >= 3 ? (pounds + 3, pounds, true) : (pounds + 1, pounds, false)
    }

    private mutating func takeBlockComment() {
        var depth = 0
        while index < text.count {
            if at("/*") {
                depth += 1
                takeComment()
            } else if at("*/") {
                depth -= 1
                takeComment()
            }
            if index < text.count { takeComment() }
            if depth == 0 { return }
        }
    }

    private mutating func takeComment() {
        comments[index] = text[index]
        blank()
    }

    private mutating func blank() {
        if text[index] != UInt8(ascii: "\n") { code[index] = UInt8(ascii: " ") }
        index += 1
    }

    private func at(_ expected: String) -> Bool {
        text[index...].starts(with: expected.utf8)
    }
}
