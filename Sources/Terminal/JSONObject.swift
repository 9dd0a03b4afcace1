/// One flat JSON object on one line, its members in the order they were added.
///
/// For log lines and `--json` answers that a command makes by itself. What the server answered is
/// passed on unchanged and never goes through here.

package struct JSONObject: Hashable, Sendable {
    private var members = ""

    package init() {}

    package mutating func add(_ name: String, _ value: String) {
        addRaw(name, JSONObject.quoted(value))
    }

    package mutating func add(_ name: String, _ value: Int) { addRaw(name, "\(value)") }

    package mutating func add(_ name: String, _ value: Bool) { addRaw(name, "\(value)") }

    package mutating func add(_ name: String, _ values: [String]) {
        addRaw(name, "[" + values.map(JSONObject.quoted).joined(separator: ",") + "]")
    }

    package mutating func add(_ name: String, _ objects: [JSONObject]) {
        addRaw(name, "[" + objects.map(\.text).joined(separator: ",") + "]")
    }

    private mutating func addRaw(_ name: String, _ value: String) {
        if !members.isEmpty { members += "," }
        members += JSONObject.quoted(name) + ":" + value
    }

    package var text: String { "{" + members + "}" }

    /// RFC 8259 §7; also escapes DEL and the C1 controls, which a terminal would obey, and
    /// U+2028/2029.
    package static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            default:
                if scalar.isControl {
                    let hex = String(scalar.value, radix: 16)
                    result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
                } else {
                    result.unicodeScalars.append(scalar)
                }
            }
        }
        return result + "\""
    }
}

extension Unicode.Scalar {
    /// What must not reach a terminal or a line-based reader as it is.
    package var isControl: Bool {
        value < 0x20 || (0x7F...0x9F).contains(value) || value == 0x2028 || value == 0x2029
    }
}
