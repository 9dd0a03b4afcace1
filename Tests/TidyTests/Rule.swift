// A house rule: what it forbids, where it applies, and how it finds it.

import Testing

struct Violation: Hashable, CustomStringConvertible {
    var path: String
    var line: Int
    var what: String

    var description: String { "\(path):\(line): \(what)" }
}

struct Rule: Sendable, CustomTestStringConvertible {
    let name: String
    /// Line numbers from 1, and what is wrong there.
    let check: @Sendable (SourceText) -> [(line: Int, what: String)]

    var testDescription: String { name }

    func violations(in files: [SourceText]) -> [Violation] {
        files.flatMap { file in
            check(file).map { Violation(path: file.path, line: $0.line, what: $0.what) }
        }
    }

    func finds(_ path: String, _ text: String) -> Bool {
        !check(SourceText(path: path, text)).isEmpty
    }
}

extension SourceText {
    /// Whether the line, or the run of comments right above it, says something in words.
    func isExplained(at index: Int) -> Bool {
        if !comments[index].allSatisfy(\.isWhitespace) { return true }
        guard index > 0 else { return false }
        let above = code[index - 1].allSatisfy(\.isWhitespace)
        return above && !comments[index - 1].allSatisfy(\.isWhitespace)
    }

    /// The lines that match, from 1. Regular expressions are slow and most lines hold nothing of
    /// what a rule looks for, so only those with one of `words` in them are tried.
    func matches(
        _ pattern: Regex<some Any>, in lines: [String], with words: [String]
    ) -> [Int] {
        let needles = words.map { Array($0.utf8) }
        return lines.indices.filter { index in
            let bytes = lines[index].utf8
            return needles.contains { bytes.firstRange(of: $0) != nil }
                && lines[index].contains(pattern)
        }.map { $0 + 1 }
    }
}
