/// The lines of HTTP/1.1 taken apart: request line, field line, chunk size (RFC 9112 §3, §5, §7.1).
///
/// Pure and strict; whatever is not in the grammar is refused with a sentence.
internal import Base

enum HTTP1Grammar {
    typealias Text = UnsafeBufferPointer<UInt8>

    private static let space = UInt8(ascii: " ")
    private static let tab = UInt8(ascii: "\t")

    /// `method SP request-target SP HTTP-version`. The target is only cut out: what it may hold is
    /// `Target`'s to say.
    static func requestLine(
        _ line: UnsafeRawBufferPointer
    ) throws(HTTP1Parser.Failure) -> (method: Text, target: Text, isVersion10: Bool) {
        let bytes = line.assumingMemoryBound(to: UInt8.self)
        guard let first = bytes.firstIndex(of: space), first > 0,
            bytes[..<first].allSatisfy(isToken)
        else { throw .malformed("The request line does not begin with a method and one space.") }
        let rest = bytes[(first + 1)...]
        let malformed = HTTP1Parser.Failure.malformed(
            "The request line is not a method, a target and HTTP/1.1 with one space between them.")
        guard let second = rest.firstIndex(of: space) else {
            // HTTP/0.9 has no version.
            throw rest.contains { $0 < space } ? malformed : .versionNotSupported
        }
        let version = bytes[(second + 1)...]
        guard second > first + 1, version.starts(with: "HTTP/".utf8) else { throw malformed }
        guard version.count == 8, version.dropLast().elementsEqual("HTTP/1.".utf8),
            let minor = version.last, minor == UInt8(ascii: "0") || minor == UInt8(ascii: "1")
        else { throw .versionNotSupported }
        return (
            Text(rebasing: bytes[..<first]), Text(rebasing: bytes[(first + 1)..<second]),
            minor == UInt8(ascii: "0")
        )
    }

    /// `field-name ":" OWS field-value OWS`
    // Hot path: every field of every request.
    static func field(
        _ line: UnsafeRawBufferPointer
    ) throws(HTTP1Parser.Failure) -> (name: Text, value: Text) {
        let bytes = line.assumingMemoryBound(to: UInt8.self)
        var colon = 0
        while colon < bytes.count, isToken(bytes[colon]) { colon += 1 }
        guard colon > 0, colon < bytes.count, bytes[colon] == UInt8(ascii: ":") else {
            throw .malformed(
                "A header field is not a name, a colon and a value on one line, or there is white "
                    + "space before its colon.")
        }
        var start = colon + 1
        var end = bytes.count
        while start < end, bytes[start] == space || bytes[start] == tab { start += 1 }
        while end > start, bytes[end - 1] == space || bytes[end - 1] == tab { end -= 1 }
        for index in start..<end {
            let byte = bytes[index]
            if isControl(byte) {
                throw .malformed("The value of a header field holds a control character.")
            }
        }
        return (Text(rebasing: bytes[..<colon]), Text(rebasing: bytes[start..<end]))
    }

    /// `1*HEXDIG [ chunk-ext ]`: the size and its number of digits. "Bad" white space around the
    /// semicolon, which RFC 9112 §7.1.1 lets pass, is refused: no client sends it, and readers
    /// differ about it.
    static func chunkSize(
        _ line: UnsafeRawBufferPointer
    ) throws(HTTP1Parser.Failure) -> (size: Int, digits: Int) {
        let malformed = HTTP1Parser.Failure.malformed("The size of a chunk is malformed.")
        var size = 0
        var digits = 0
        while digits < line.count, let value = hexValue(line[digits]) {
            // Fifteen digits fit an Int; a client that pads with more is none.
            guard digits < 15 else { throw malformed }
            size = size << 4 | value
            digits += 1
        }
        guard digits > 0 else { throw malformed }
        guard areExtensions(line[digits...]) else { throw malformed }
        return (size, digits)
    }

    /// `*( ";" token [ "=" ( token / quoted-string ) ] )`
    private static func areExtensions(_ text: Slice<UnsafeRawBufferPointer>) -> Bool {
        var rest = text
        func takeToken() -> Bool {
            let count = rest.prefix(while: isToken).count
            rest.removeFirst(count)
            return count > 0
        }
        func takeQuoted() -> Bool {
            rest.removeFirst()
            var isEscaped = false
            while let byte = rest.popFirst(), !isControl(byte) {
                if byte == UInt8(ascii: "\""), !isEscaped { return true }
                isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
            }
            return false
        }
        while let semicolon = rest.popFirst() {
            guard semicolon == UInt8(ascii: ";"), takeToken() else { return false }
            guard rest.first == UInt8(ascii: "=") else { continue }
            rest.removeFirst()
            guard rest.first == UInt8(ascii: "\"") ? takeQuoted() : takeToken() else {
                return false
            }
        }
        return true
    }

    /// `1*DIGIT`; nil for anything else, and for what no Int holds.
    static func number(_ text: Text) -> Int? {
        guard !text.isEmpty else { return nil }
        var number = 0
        for byte in text {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            let (tens, overflow) = number.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.addingReportingOverflow(Int(byte - UInt8(ascii: "0")))
            if overflow || carry { return nil }
            number = sum
        }
        return number
    }

    /// Visits the members of a comma-separated list, without white space around them.
    static func forEachMember(_ list: Text, _ visit: (Text) -> Void) {
        for member in list.split(separator: UInt8(ascii: ",")) {
            let trimmed = member.drop { $0 == space || $0 == tab }
            let end = trimmed.lastIndex { $0 != space && $0 != tab }.map { $0 + 1 }
            visit(Text(rebasing: trimmed[..<(end ?? trimmed.startIndex)]))
        }
    }

    private static func hexValue(_ byte: UInt8) -> Int? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): Int(byte - UInt8(ascii: "a")) + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): Int(byte - UInt8(ascii: "A")) + 10
        default: nil
        }
    }

    @inline(__always)
    private static func isControl(_ byte: UInt8) -> Bool {
        byte < 0x20 && byte != tab || byte == 0x7F
    }

    /// RFC 9110 §5.6.2: letters, digits and ``!#$%&'*+-.^_`|~``.
    @inline(__always)
    private static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x30...0x39, 0x41...0x5A, 0x5E...0x7A, 0x7C,
            0x7E:
            true
        default: false
        }
    }
}
