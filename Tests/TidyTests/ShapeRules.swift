// How long things are, and how a file begins.

enum Shape {
    static let rules: [Rule] = [
        lineLength, fileLength, functionLength, openingComment, noTypeNamedLikeItsModule,
        plainNames,
    ]

    static let lineLength = Rule(name: "lines have at most 100 columns") { file in
        file.lines.indices.filter { file.lines[$0].count > 100 }.map {
            ($0 + 1, "\(file.lines[$0].count) columns")
        }
    }

    static let fileLength = Rule(name: "files have at most 400 lines") { file in
        file.lines.count > 400 ? [(file.lines.count, "\(file.lines.count) lines")] : []
    }

    static let functionLength = Rule(name: "functions have at most 70 lines") { file in
        functions(in: file).filter { $0.lines > 70 }.map {
            ($0.first, "\($0.name) has \($0.lines) lines")
        }
    }

    static let openingComment = Rule(name: "files open with what they are") { file in
        guard let first = file.lines.first else { return [(1, "an empty file")] }
        let opening =
            switch file.path {
            case let path where path.hasSuffix(".swift") && file.isSource: "/// "
            case let path where path.hasSuffix(".swift"): "//"
            case let path where path.hasSuffix(".h") || path.hasSuffix(".c"): "//"
            case let path where path.hasSuffix(".cpp") || path.hasSuffix(".modulemap"): "//"
            default: "#"
            }
        return first.hasPrefix(opening) || file.path.hasSuffix(".modulemap")
            ? [] : [(1, "does not open with a comment that begins with \(opening)")]
    }

    static let noTypeNamedLikeItsModule = Rule(name: "no type is named like its module") { file in
        guard let target = file.target, file.isSource else { return [] }
        return declaredTypes(in: file).filter { $0.name == target }.map {
            ($0.line, "the type \($0.name) hides its module")
        }
    }

    static let plainNames = Rule(name: "types are named after what they are") { file in
        declaredTypes(in: file).filter { type in
            ["Manager", "Helper", "Helpers", "Util", "Utils", "Impl"].contains {
                type.name.hasSuffix($0)
            }
        }.map { ($0.line, "\($0.name) says nothing") }
    }

    private static func declaredTypes(in file: SourceText) -> [(line: Int, name: String)] {
        let words = ["struct ", "class ", "enum ", "actor ", "protocol ", "typealias "]
        return file.code.enumerated().flatMap { index, line in
            words.contains { line.contains($0) } ? Shape.types(in: line, index) : []
        }
    }

    private static func types(in line: String, _ index: Int) -> [(line: Int, name: String)] {
        line.matches(of: /\b(?:struct|class|enum|actor|protocol|typealias) +([A-Z]\w*)/)
            .map { (index + 1, String($0.1)) }
    }

    struct Function {
        var name: String
        /// Line of the declaration, from 1.
        var first: Int
        /// From the declaration to the closing brace.
        var lines: Int
    }

    /// Every function with a body, nested ones too. A declaration is open from its keyword to its
    /// `{`; one that meets a closing brace or a blank line first has no body (a protocol's
    /// requirement).
    static func functions(in file: SourceText) -> [Function] {
        guard file.path.hasSuffix(".swift") else { return [] }
        var result: [Function] = []
        var depth = 0
        var declared: (name: String, line: Int)?
        var open: [(name: String, line: Int, depth: Int)] = []
        for (index, line) in file.code.enumerated() {
            if line.allSatisfy(\.isWhitespace), file.comments[index].allSatisfy(\.isWhitespace) {
                declared = nil
            }
            if let name = declaredFunction(in: line) { declared = (name, index + 1) }
            for character in line.utf8 {
                if character == UInt8(ascii: "{") {
                    depth += 1
                    if let name = declared {
                        open.append((name.name, name.line, depth))
                        declared = nil
                    }
                } else if character == UInt8(ascii: "}") {
                    if let last = open.last, last.depth == depth {
                        result.append(
                            Function(
                                name: last.name, first: last.line, lines: index + 2 - last.line))
                        open.removeLast()
                    }
                    depth -= 1
                    declared = nil
                }
            }
        }
        return result
    }

    private static func declaredFunction(in line: String) -> String? {
        guard ["func ", "init", "subscript"].contains(where: { line.contains($0) }),
            let match = line.firstMatch(
                of: /\bfunc +([^ (<]+)|\b(init|deinit|subscript)\b *[?(<{]/),
            !line.contains(/\.init\b/)
        else { return nil }
        return String(match.1 ?? match.2 ?? "")
    }
}
