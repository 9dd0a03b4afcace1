/// Writes JSON (RFC 8259) straight into bytes: compact, or indented for people.
///
/// No tree is built and nothing is allocated per field. The caller keeps the grammar (a name
/// before each member of an object, every `begin` ended); the writer puts commas, escapes and
/// indentation. Bytes that are not UTF-8 cannot stand in a JSON string: `twin` writes them as
/// base64 under the name's twin.
package struct JSONWriter: Sendable {
    package private(set) var bytes: Bytes
    private let isPretty: Bool
    private var depth = 0
    private var needsComma = false
    /// A name was written and its value comes next, on the same line.
    private var isAfterName = false

    package init(pretty: Bool = false, reservingCapacity capacity: Int = 256) {
        isPretty = pretty
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    // MARK: Structure

    package mutating func beginObject() { begin(UInt8(ascii: "{")) }
    package mutating func endObject() { end(UInt8(ascii: "}")) }
    package mutating func beginArray() { begin(UInt8(ascii: "[")) }
    package mutating func endArray() { end(UInt8(ascii: "]")) }

    /// A member's name; names are constants of the contract and plain ASCII.
    // Hot path: twice per entry of a page.
    package mutating func name(_ name: StaticString) {
        startValue()
        bytes.append(UInt8(ascii: "\""))
        appendLiteral(name)
        appendLiteral(isPretty ? "\": " : "\":")
        isAfterName = true
    }

    /// The newline after a whole document; also between the documents of NDJSON.
    package mutating func endLine() {
        bytes.append(UInt8(ascii: "\n"))
        needsComma = false
    }

    // MARK: Values

    package mutating func string(_ text: UnsafeRawBufferPointer) {
        startValue()
        bytes.append(UInt8(ascii: "\""))
        appendEscaped(text)
        bytes.append(UInt8(ascii: "\""))
    }

    package mutating func string(_ text: Bytes) { text.withUnsafeBytes { string($0) } }

    package mutating func string(_ text: String) {
        var text = text
        text.withUTF8 { string(UnsafeRawBufferPointer($0)) }
    }

    package mutating func integer(_ value: Int) {
        startValue()
        bytes.appendDecimal(value)
    }

    package mutating func integer(_ value: UInt64) {
        startValue()
        bytes.appendDecimal(value)
    }

    package mutating func boolean(_ value: Bool) {
        startValue()
        appendLiteral(value ? "true" : "false")
    }

    /// Standard base64, padded.
    package mutating func base64(_ value: UnsafeRawBufferPointer) {
        startValue()
        bytes.append(UInt8(ascii: "\""))
        Base64.append(value, to: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    // MARK: Members

    package mutating func member(_ name: StaticString, _ value: Int) {
        self.name(name)
        integer(value)
    }

    package mutating func member(_ name: StaticString, _ value: UInt64) {
        self.name(name)
        integer(value)
    }

    package mutating func member(_ name: StaticString, _ value: Bool) {
        self.name(name)
        boolean(value)
    }

    package mutating func member(_ name: StaticString, _ value: String) {
        self.name(name)
        string(value)
    }

    package mutating func member(_ name: StaticString, _ value: Bytes) {
        self.name(name)
        string(value)
    }

    /// Bytes under `name` if they are text, else in base64 under `twin`, which is the name with
    /// `_base64`.
    // Hot path: twice per entry of a page. Plain ASCII, the common case, is scanned once and
    // copied.
    package mutating func twin(
        _ name: StaticString, _ twin: StaticString, _ value: UnsafeRawBufferPointer,
        alwaysBase64: Bool = false
    ) {
        if alwaysBase64 {
            self.name(twin)
            base64(value)
            return
        }
        let plain = TextScan.plainPrefix(value)
        let rest = UnsafeRawBufferPointer(rebasing: value[plain...])
        guard rest.isEmpty || TextScan.isUTF8(rest) else {
            self.name(twin)
            base64(value)
            return
        }
        self.name(name)
        startValue()
        bytes.append(UInt8(ascii: "\""))
        bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: value[..<plain]))
        if !rest.isEmpty { appendEscaped(rest) }
        bytes.append(UInt8(ascii: "\""))
    }

    package mutating func twin(
        _ name: StaticString, _ twin: StaticString, _ value: Bytes, alwaysBase64: Bool = false
    ) {
        value.withUnsafeBytes { self.twin(name, twin, $0, alwaysBase64: alwaysBase64) }
    }

    // MARK: Leaves

    private mutating func begin(_ bracket: UInt8) {
        startValue()
        bytes.append(bracket)
        depth += 1
        needsComma = false
    }

    private mutating func end(_ bracket: UInt8) {
        depth -= 1
        if isPretty, needsComma { startLine() }
        bytes.append(bracket)
        needsComma = true
    }

    private mutating func startValue() {
        if isAfterName {
            isAfterName = false
        } else {
            if needsComma { bytes.append(UInt8(ascii: ",")) }
            if isPretty, depth > 0 { startLine() }
        }
        needsComma = true
    }

    private mutating func startLine() {
        bytes.append(UInt8(ascii: "\n"))
        bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: depth * 2))
    }

    private mutating func appendLiteral(_ text: StaticString) {
        bytes.append(
            contentsOf: UnsafeRawBufferPointer(
                start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    private mutating func appendEscaped(_ text: UnsafeRawBufferPointer) {
        var start = 0
        while true {
            let rest = UnsafeRawBufferPointer(rebasing: text[start...])
            let plain = TextScan.plainPrefix(rest, isASCIIOnly: false)
            bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: rest[..<plain]))
            guard plain < rest.count else { return }
            appendEscape(rest[plain])
            start += plain + 1
        }
    }

    private mutating func appendEscape(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): appendLiteral("\\\"")
        case UInt8(ascii: "\\"): appendLiteral("\\\\")
        case 0x08: appendLiteral("\\b")
        case 0x09: appendLiteral("\\t")
        case 0x0A: appendLiteral("\\n")
        case 0x0C: appendLiteral("\\f")
        case 0x0D: appendLiteral("\\r")
        case 0..<0x20:
            appendLiteral(byte < 0x10 ? "\\u000" : "\\u001")
            bytes.append(Bytes("0123456789abcdef".utf8)[Int(byte & 15)])
        default: bytes.append(byte)
        }
    }
}
