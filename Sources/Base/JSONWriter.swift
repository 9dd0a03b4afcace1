/// Writes JSON (RFC 8259) straight into bytes: compact, or indented for people.
///
/// No tree is built and nothing is allocated per field. The caller keeps the grammar (a name
/// before each member of an object, every `begin` ended); the writer puts commas, escapes and
/// indentation. Bytes that are not UTF-8 cannot stand in a JSON string: `twin` writes them as
/// base64 under the name's twin.
package struct JSONWriter: Sendable {
    package private(set) var bytes: Bytes
    /// How many times longer a text may become.
    package static let growthMax = JSONEscapes.longest
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

    // MARK: Taking back

    /// A place between two members, to which what follows can be taken back.
    package struct Mark: Sendable {
        fileprivate var count: Int
        fileprivate var needsComma: Bool
    }

    package var mark: Mark {
        invariant(!isAfterName, "a name has its value")
        return Mark(count: bytes.count, needsComma: needsComma)
    }

    /// Everything since then was never written; what was begun since then has been ended.
    package mutating func revert(to mark: Mark) {
        bytes.removeLast(bytes.count - mark.count)
        needsComma = mark.needsComma
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

    /// Input of one step, so that what it may become stays on the stack.
    private static let escapedAtOnce = 1 << 10

    // Hot path: a value of a few MiB may be all escapes. What is plain is copied as it is, and
    // between two such runs each byte is looked up.
    private mutating func appendEscaped(_ text: UnsafeRawBufferPointer) {
        var rest = text
        let start = bytes.count
        while !rest.isEmpty {
            if bytes.capacity - bytes.count < rest.count {
                reserve(rest.count, as: start, of: text)
            }
            let plain = TextScan.plainPrefix(rest, isASCIIOnly: false)
            bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: rest[..<plain]))
            rest = UnsafeRawBufferPointer(rebasing: rest[plain...])
            let step = UnsafeRawBufferPointer(rebasing: rest.prefix(Self.escapedAtOnce))
            rest = UnsafeRawBufferPointer(rebasing: rest[appendEscapes(step)...])
        }
    }

    /// Room for so many more bytes of a text, growing as what was written of it so far: doubling
    /// would copy megabytes several times.
    private mutating func reserve(
        _ count: Int, as start: Int, of text: UnsafeRawBufferPointer
    ) {
        let (taken, written) = (text.count - count, bytes.count - start)
        let growth = taken == 0 ? 1 : (written + taken - 1) / taken
        bytes.reserveCapacity(bytes.count + max(count * growth, Self.escapedAtOnce))
    }

    /// Stops at a run of plain bytes that is worth a copy.
    /// - Returns: how many it has taken.
    private mutating func appendEscapes(_ text: UnsafeRawBufferPointer) -> Int {
        guard let source = text.baseAddress else { return 0 }
        return withUnsafeTemporaryAllocation(
            byteCount: text.count * JSONEscapes.longest, alignment: 1
        ) { buffer in
            guard let target = buffer.baseAddress else { return 0 }
            var (taken, written, plain) = (0, 0, 0)
            while taken < text.count, plain < 32 {
                let byte = source.load(fromByteOffset: taken, as: UInt8.self)
                let letter = JSONEscapes.letter(of: byte)
                target.storeBytes(
                    of: letter == 0 ? byte : UInt8(ascii: "\\"), toByteOffset: written,
                    as: UInt8.self)
                taken += 1
                written += 1
                plain = letter == 0 ? plain + 1 : 0
                guard letter != 0 else { continue }
                target.storeBytes(of: letter, toByteOffset: written, as: UInt8.self)
                written += 1
                guard letter == UInt8(ascii: "u") else { continue }
                target.storeBytes(
                    of: JSONEscapes.digits(of: byte), toByteOffset: written, as: UInt32.self)
                written += 4
            }
            bytes.append(contentsOf: UnsafeRawBufferPointer(start: target, count: written))
            return taken
        }
    }
}

/// How the bytes that JSON does not take as they are stand in a string (RFC 8259, section 7).
enum JSONEscapes {
    /// Bytes of the longest, `\u001f`.
    static let longest = 6

    /// What stands behind the backslash, `u` for the rest of the control characters; 0 for a byte
    /// that stands for itself.
    @inline(__always)
    static func letter(of byte: UInt8) -> UInt8 {
        if byte >= 0x20 { return byte == 0x22 || byte == 0x5C ? byte : 0 }
        return switch byte {
        case 0x08: UInt8(ascii: "b")
        case 0x09: UInt8(ascii: "t")
        case 0x0A: UInt8(ascii: "n")
        case 0x0C: UInt8(ascii: "f")
        case 0x0D: UInt8(ascii: "r")
        default: UInt8(ascii: "u")
        }
    }

    /// The four digits of a control character, the first one in the lowest byte.
    @inline(__always)
    static func digits(of byte: UInt8) -> UInt32 {
        let low = byte & 15
        let last = low < 10 ? UInt8(ascii: "0") + low : UInt8(ascii: "a") + low - 10
        let third = UInt8(ascii: "0") + byte >> 4
        return (UInt32(last) << 24 | UInt32(third) << 16 | 0x3030).littleEndian
    }
}
