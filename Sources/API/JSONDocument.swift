/// Strict JSON in, by simdjson: a document is parsed whole, then looked at through `JSONValue`s.
///
/// simdjson refuses what is not JSON or not UTF-8, lone surrogates and nesting past the limit;
/// unknown and repeated members are refused by `Fields`, which knows the names. Values point into
/// the parser's memory and are valid only inside `read`.
private import Base
private import CSimdjson

package struct JSONValue {
    package enum Kind {
        case object, array, string, integer, fraction, boolean, null
    }

    private let tape: UnsafePointer<UInt64>
    private let strings: UnsafePointer<UInt8>
    private let index: Int

    /// Calls `body` with the top value of a document.
    package static func read<Result>(
        _ document: [UInt8], _ body: (JSONValue) throws(Problem) -> Result
    ) throws(Problem) -> Result {
        var tape: UnsafePointer<UInt64>?
        var strings: UnsafePointer<UInt8>?
        let status = document.withUnsafeBufferPointer {
            csimdjson_parse($0.baseAddress, $0.count, Limits.jsonDepth, &tape, &strings)
        }
        defer { csimdjson_release(Limits.jsonWorkspaceBytes) }
        guard status == CSIMDJSON_OK, let tape, let strings else {
            throw problem(status, document)
        }
        // Word 0 is the root; the top value follows it.
        return try body(JSONValue(tape: tape, strings: strings, index: 1))
    }

    private init(tape: UnsafePointer<UInt64>, strings: UnsafePointer<UInt8>, index: Int) {
        self.tape = tape
        self.strings = strings
        self.index = index
    }

    package var kind: Kind {
        switch UInt8(tape[index] >> 56) {
        case UInt8(ascii: "{"): .object
        case UInt8(ascii: "["): .array
        case UInt8(ascii: "\""): .string
        case UInt8(ascii: "l"), UInt8(ascii: "u"): .integer
        case UInt8(ascii: "d"): .fraction
        case UInt8(ascii: "t"), UInt8(ascii: "f"): .boolean
        default: .null
        }
    }

    /// The bytes of a string: UTF-8, escapes undone.
    package var text: UnsafeRawBufferPointer? {
        guard kind == .string else { return nil }
        let start = UnsafeRawPointer(strings) + Int(payload)
        return UnsafeRawBufferPointer(
            start: start + 4, count: Int(start.loadUnaligned(as: UInt32.self)))
    }

    package var boolean: Bool? {
        switch UInt8(tape[index] >> 56) {
        case UInt8(ascii: "t"): true
        case UInt8(ascii: "f"): false
        default: nil
        }
    }

    /// A number written without sign, fraction and exponent.
    package var unsigned: UInt64? {
        switch UInt8(tape[index] >> 56) {
        case UInt8(ascii: "u"): tape[index + 1]
        case UInt8(ascii: "l"): UInt64(exactly: Int64(bitPattern: tape[index + 1]))
        default: nil
        }
    }

    /// The members of an object, in the order written; nothing for other kinds.
    package func forEachMember(
        _ body: (UnsafeRawBufferPointer, JSONValue) throws(Problem) -> Void
    ) throws(Problem) {
        guard kind == .object else { return }
        var name = at(index + 1)
        while let text = name.text {
            let value = at(name.index + 1)
            try body(text, value)
            name = at(value.indexAfter)
        }
    }

    /// The elements of an array, in order; nothing for other kinds.
    package func forEachElement(
        _ body: (JSONValue) throws(Problem) -> Void
    ) throws(Problem) {
        guard kind == .array else { return }
        let end = indexAfter - 1
        var element = at(index + 1)
        while element.index < end {
            try body(element)
            element = at(element.indexAfter)
        }
    }

    /// How many elements an array or members an object has; stops counting at 2^24 - 1.
    package var count: Int {
        kind == .array || kind == .object ? Int(payload >> 32) : 0
    }

    private var payload: UInt64 { tape[index] & 0x00FF_FFFF_FFFF_FFFF }

    private func at(_ index: Int) -> JSONValue {
        JSONValue(tape: tape, strings: strings, index: index)
    }

    private var indexAfter: Int {
        switch kind {
        case .object, .array: Int(payload & 0xFFFF_FFFF)
        case .integer, .fraction: index + 2
        case .string, .boolean, .null: index + 1
        }
    }

    private static func problem(_ status: csimdjson_status, _ document: Bytes) -> Problem {
        let kind =
            switch status {
            case CSIMDJSON_TOO_DEEP: "is nested deeper than \(Limits.jsonDepth) levels"
            case CSIMDJSON_NOT_UTF8: "is not UTF-8; bytes that are not text go into *_base64 fields"
            case CSIMDJSON_BAD_STRING:
                "has a string with a bad escape, a lone surrogate or an unescaped control character"
            case CSIMDJSON_BAD_NUMBER: "has a malformed number, or one beyond 64 bits"
            case CSIMDJSON_BAD_LITERAL: "has a word that is not true, false or null"
            case CSIMDJSON_UNFINISHED_STRING: "ends inside a string"
            case CSIMDJSON_EMPTY: "is empty; an object is expected"
            case CSIMDJSON_NO_MEMORY: "needs more memory than is left"
            default: "is not well-formed"
            }
        if status == CSIMDJSON_NO_MEMORY {
            return Problem(.overloaded, "The JSON body \(kind).", retryAfter: 1)
        }
        let place = status == CSIMDJSON_EMPTY ? nil : JSONDiagnosis.find(in: document)
        let detail = place.map { "\(kind): \($0)" } ?? kind
        return Problem(
            .malformedJSON, "The JSON body \(detail).",
            errors: [Problem.FieldError(pointer: "", detail: detail)])
    }
}
