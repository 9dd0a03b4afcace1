/// One event as a line of log: logfmt for a terminal, a JSON object for everything that reads
/// lines.
///
/// Keys of the store are hashed and values never appear, whoever logs them: the names under which
/// such things travel are listed here, and a text under one of them does not leave in clear. A line
/// is one line: control characters are escaped, so that no request can forge an entry.
package import Base

package struct LogRecord: Hashable, Sendable {
    package enum Field: Hashable, Sendable {
        case text(String)
        case number(Int)
        case boolean(Bool)
    }

    package var time: WallTime
    package var level: String
    package var message: String
    /// `event` and `request_id` come first, the others in the order of their names.
    package var fields: [String: Field]

    package init(time: WallTime, level: String, message: String, fields: [String: Field]) {
        self.time = time
        self.level = level
        self.message = message
        self.fields = fields
    }

    /// Names whose texts are keys or hold keys: shown as a hash, so that equal ones can be told
    /// equal.
    package static let hashedNames: Set<String> = [
        "key", "start", "end", "prefix", "delimiter", "target", "path", "uri", "url", "query",
    ]

    /// Names whose texts are data or secrets: never shown.
    package static let withheldNames: Set<String> = [
        "value", "body", "previous_value", "cursor", "authorization", "cookie", "token",
        "password", "secret",
    ]

    private var guardedFields: [(name: String, field: Field)] {
        let leading = ["event", "request_id"].filter { fields[$0] != nil }
        let others = fields.keys.filter { !leading.contains($0) }.sorted()
        return (leading + others).compactMap { name in
            guard let field = fields[name] else { return nil }
            if LogRecord.withheldNames.contains(name) { return (name, .text("withheld")) }
            if LogRecord.hashedNames.contains(name), case .text(let text) = field {
                return ("\(name)_hash", .text(LogRecord.hash(text)))
            }
            return (name, field)
        }
    }

    /// 16 hexadecimal digits.
    package static func hash(_ text: String) -> String {
        let digits = String(Fingerprint(of: Bytes(text.utf8)).low, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    private var timestamp: String { String(decoding: time.rfc3339, as: UTF8.self) }

    package var json: String {
        var object = JSONObject()
        object.add("ts", timestamp)
        object.add("level", level)
        let fields = guardedFields
        for (name, field) in fields where name == "event" { object.add(name, field) }
        object.add("msg", message)
        for (name, field) in fields where name != "event" { object.add(name, field) }
        return object.text
    }

    package var logfmt: String {
        var words = ["ts=\(timestamp)", "level=\(level)"]
        let fields = guardedFields
        for (name, field) in fields where name == "event" { words.append(name + "=" + field.word) }
        words.append("msg=" + Field.text(message).word)
        for (name, field) in fields where name != "event" { words.append(name + "=" + field.word) }
        return words.joined(separator: " ")
    }
}

extension LogRecord.Field {
    /// Bare if that is unambiguous in logfmt, else as a JSON string.
    fileprivate var word: String {
        switch self {
        case .number(let number): return "\(number)"
        case .boolean(let flag): return "\(flag)"
        case .text(let text):
            let isBare =
                !text.isEmpty
                && text.unicodeScalars.allSatisfy {
                    $0.value > 0x20 && !$0.isControl && $0 != "\"" && $0 != "=" && $0 != "\\"
                }
            return isBare ? text : JSONObject.quoted(text)
        }
    }
}

extension JSONObject {
    fileprivate mutating func add(_ name: String, _ field: LogRecord.Field) {
        switch field {
        case .text(let text): add(name, text)
        case .number(let number): add(name, number)
        case .boolean(let flag): add(name, flag)
        }
    }
}
