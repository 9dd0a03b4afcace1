/// Where a document stops being JSON (RFC 8259), and what would have been right there.
///
/// simdjson tells that a document is malformed and not where. This plain reader looks for the
/// place, only in documents already refused and only near their start: a person who typed the
/// document is helped, and a hostile one of megabytes costs no more than its parse. It judges
/// structure, not UTF-8, escapes of surrogates or the size of numbers, which simdjson's own answer
/// names.
internal import Base

struct JSONDiagnosis {
    /// Bytes that are looked at: far more than anybody types.
    private static let countMax = 64 << 10

    private enum Expectation {
        case value, valueOrEnd, name, nameOrEnd, colon, commaOrEnd, nothing
    }

    private let text: ArraySlice<UInt8>
    private let isWhole: Bool
    private var index: Int
    /// The open brackets.
    private var open: Bytes = []
    private var expectation = Expectation.value

    private init(_ document: Bytes) {
        text = document.prefix(Self.countMax)
        isWhole = document.count <= Self.countMax
        index = text.startIndex
    }

    /// nil if nothing is wrong in what was looked at.
    static func find(in document: Bytes) -> DecodeError? {
        var diagnosis = JSONDiagnosis(document)
        do throws(DecodeError) {
            while try diagnosis.step() {}
            return nil
        } catch {
            return error.offset < diagnosis.text.endIndex || diagnosis.isWhole ? error : nil
        }
    }

    /// Reads one token; false at a legal end.
    private mutating func step() throws(DecodeError) -> Bool {
        while index < text.endIndex, [0x20, 0x09, 0x0A, 0x0D].contains(text[index]) { index += 1 }
        guard index < text.endIndex else {
            if expectation == .nothing { return false }
            throw wrong
        }
        let byte = text[index]
        switch (expectation, byte) {
        case (.nameOrEnd, UInt8(ascii: "}")), (.valueOrEnd, UInt8(ascii: "]")):
            close()
        case (.commaOrEnd, UInt8(ascii: "}")) where open.last == UInt8(ascii: "{"),
            (.commaOrEnd, UInt8(ascii: "]")) where open.last == UInt8(ascii: "["):
            close()
        case (.commaOrEnd, UInt8(ascii: ",")):
            index += 1
            expectation = open.last == UInt8(ascii: "{") ? .name : .value
        case (.colon, UInt8(ascii: ":")):
            index += 1
            expectation = .value
        case (.name, UInt8(ascii: "\"")), (.nameOrEnd, UInt8(ascii: "\"")):
            try string()
            expectation = .colon
        case (.value, _), (.valueOrEnd, _): try value(byte)
        default: throw wrong
        }
        return true
    }

    private mutating func value(_ byte: UInt8) throws(DecodeError) {
        switch byte {
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            open.append(byte)
            index += 1
            expectation = byte == UInt8(ascii: "{") ? .nameOrEnd : .valueOrEnd
            return
        case UInt8(ascii: "\""): try string()
        case UInt8(ascii: "t"): try word("true")
        case UInt8(ascii: "f"): try word("false")
        case UInt8(ascii: "n"): try word("null")
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): try number()
        default: throw wrong
        }
        expectation = open.isEmpty ? .nothing : .commaOrEnd
    }

    private mutating func close() {
        open.removeLast()
        index += 1
        expectation = open.isEmpty ? .nothing : .commaOrEnd
    }

    private mutating func string() throws(DecodeError) {
        let start = index
        index += 1
        while index < text.endIndex {
            let byte = text[index]
            guard byte >= 0x20 else {
                throw DecodeError(expected: "an escape for a control character", offset: index)
            }
            index += 1
            if byte == UInt8(ascii: "\"") { return }
            if byte == UInt8(ascii: "\\") { try escape() }
        }
        guard isWhole else { return }
        throw DecodeError(expected: "an end to the string that begins", offset: start)
    }

    private mutating func escape() throws(DecodeError) {
        guard index < text.endIndex else { return }
        let byte = text[index]
        index += 1
        if byte == UInt8(ascii: "u") {
            let digits = text[index...].prefix(4)
            guard digits.count < 4 || digits.allSatisfy({ PercentCoding.hexDigit($0) != nil })
            else { throw DecodeError(expected: "four hexadecimal digits", offset: index) }
            index += digits.count
        } else if !"\"\\/bfnrt".utf8.contains(byte) {
            throw DecodeError(expected: "one of \"\\/bfnrtu after the backslash", offset: index - 1)
        }
    }

    private mutating func word(_ word: String) throws(DecodeError) {
        guard text[index...].starts(with: word.utf8) else {
            throw DecodeError(expected: word, offset: index)
        }
        index += word.utf8.count
    }

    private mutating func number() throws(DecodeError) {
        if text[index] == UInt8(ascii: "-") { index += 1 }
        let start = index
        try digits()
        guard text[start] != UInt8(ascii: "0") || index == start + 1 else {
            throw DecodeError(expected: "no zero before other digits", offset: start)
        }
        if index < text.endIndex, text[index] == UInt8(ascii: ".") {
            index += 1
            try digits()
        }
        if index < text.endIndex, text[index] | 0x20 == UInt8(ascii: "e") {
            index += 1
            if index < text.endIndex, "+-".utf8.contains(text[index]) { index += 1 }
            try digits()
        }
    }

    private mutating func digits() throws(DecodeError) {
        let start = index
        while index < text.endIndex, text[index] >= 0x30, text[index] <= 0x39 { index += 1 }
        guard index > start else { throw DecodeError(expected: "a digit", offset: index) }
    }

    private var wrong: DecodeError {
        let closing = open.last == UInt8(ascii: "{") ? "}" : "]"
        let expected =
            switch expectation {
            case .value: "a value"
            case .valueOrEnd: "a value or ]"
            case .name: "a name in double quotes"
            case .nameOrEnd: "a name in double quotes or }"
            case .colon: "a colon after the name"
            case .commaOrEnd: "a comma or \(closing)"
            case .nothing: "nothing after the document"
            }
        return DecodeError(expected: expected, offset: index)
    }
}
