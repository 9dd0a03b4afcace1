/// Rows for a person or for a pipe: aligned columns under a header on a terminal; the same columns
/// with tabs between them otherwise, without the header, for `cut` and `awk`.
///
/// Nothing is cut off and nothing coloured. Control characters are escaped in both forms, so that
/// what is stored in the database cannot drive someone's terminal or add a column.

package struct Table: Hashable, Sendable {
    package var header: [String]
    package private(set) var rows: [[String]] = []

    package init(_ header: String...) { self.header = header }

    package mutating func add(_ cells: String...) {
        rows.append(cells.map(Table.printable))
    }

    /// Cells that went through `printable` already.
    package mutating func addPrintable(_ cells: String...) { rows.append(cells) }

    package func text(aligned: Bool) -> String {
        guard aligned else {
            return rows.map { $0.joined(separator: "\t") + "\n" }.joined()
        }
        let all = [header.map { $0.uppercased() }] + rows
        let widths = header.indices.map { column in
            all.map { column < $0.count ? $0[column].columns : 0 }.max() ?? 0
        }
        return all.map { cells in
            var line = ""
            for (column, cell) in cells.enumerated() {
                line += cell
                if column < cells.count - 1 {
                    line += String(repeating: " ", count: widths[column] - cell.columns + 2)
                }
            }
            return line + "\n"
        }.joined()
    }

    /// Backslash and control characters as in a JSON string, so that the reading is unambiguous.
    package static func printable(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.isControl || $0 == "\\" }) else {
            return text
        }
        return String(JSONObject.quoted(text).dropFirst().dropLast()).replacing("\\\"", with: "\"")
    }

    /// The same for bytes; those that are not UTF-8 as `\\x` and two hexadecimal digits.
    package static func printable(_ bytes: [UInt8]) -> String {
        if let text = String(validating: bytes, as: UTF8.self) { return printable(text) }
        var text = ""
        var rest = bytes[...]
        while !rest.isEmpty {
            // A scalar is one to four bytes long.
            let scalar = (1...4).lazy.compactMap {
                String(validating: rest.prefix($0), as: UTF8.self)
            }
            if let first = scalar.first {
                text += printable(first)
                rest = rest.dropFirst(first.utf8.count)
            } else {
                let digits = String(rest.removeFirst(), radix: 16)
                text += "\\x" + (digits.count == 1 ? "0" : "") + digits
            }
        }
        return text
    }
}
