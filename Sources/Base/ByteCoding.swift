/// Reading and writing small binary records: fixed-width big-endian integers, varints (protobuf's),
/// and length-prefixed bytes.
///
/// Decoding is total: any bytes give a value or a `DecodeError`, never a trap; lengths are checked
/// before anything is allocated. An offset cursor over an array rather than a stored `RawSpan`,
/// which would need the experimental lifetime annotations.

package struct DecodeError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was expected, for a person.
    package var expected: String
    /// Byte offset at which it was expected.
    package var offset: Int

    package init(expected: String, offset: Int) {
        self.expected = expected
        self.offset = offset
    }

    package var description: String { "expected \(expected) at byte \(offset)" }
}

package struct ByteCursor: Sendable {
    package let bytes: Bytes
    package private(set) var offset: Int

    package init(_ bytes: Bytes, at offset: Int = 0) {
        self.bytes = bytes
        self.offset = offset
    }

    package var remaining: Int { bytes.count - offset }
    package var isAtEnd: Bool { offset == bytes.count }

    package mutating func readByte(_ what: String = "a byte") throws(DecodeError) -> UInt8 {
        guard remaining >= 1 else { throw DecodeError(expected: what, offset: offset) }
        defer { offset += 1 }
        return bytes[offset]
    }

    /// Big-endian.
    package mutating func readUInt64(
        _ what: String = "8 bytes"
    ) throws(DecodeError) -> UInt64 {
        guard remaining >= 8 else { throw DecodeError(expected: what, offset: offset) }
        defer { offset += 8 }
        return bytes[offset..<offset + 8].reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// Little-endian groups of seven bits, at most ten bytes, the shortest form not demanded.
    package mutating func readVarint(_ what: String = "a varint") throws(DecodeError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        let start = offset
        while shift < 64 {
            let byte = try readByte(what)
            if shift == 63, byte > 1 { throw DecodeError(expected: what, offset: start) }
            value |= UInt64(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
            shift += 7
        }
        throw DecodeError(expected: what, offset: start)
    }

    package mutating func readBytes(
        count: Int, _ what: String = "bytes"
    ) throws(DecodeError) -> Bytes {
        guard count >= 0, remaining >= count else {
            throw DecodeError(expected: "\(count) \(what)", offset: offset)
        }
        defer { offset += count }
        return Bytes(bytes[offset..<offset + count])
    }

    package mutating func readPrefixed(_ what: String = "bytes") throws(DecodeError) -> Bytes {
        let start = offset
        let count = try readVarint("the length of \(what)")
        guard count <= UInt64(remaining) else {
            throw DecodeError(expected: "\(count) \(what)", offset: start)
        }
        return try readBytes(count: Int(count), what)
    }

    package mutating func expectEnd() throws(DecodeError) {
        guard isAtEnd else { throw DecodeError(expected: "the end", offset: offset) }
    }
}

extension Bytes {
    package mutating func appendUInt64(_ value: UInt64) {
        for shift in stride(from: UInt64(56), through: 0, by: -8) {
            append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    package mutating func appendVarint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(rest))
    }

    package mutating func appendPrefixed(_ bytes: some Collection<UInt8>) {
        appendVarint(UInt64(bytes.count))
        append(contentsOf: bytes)
    }
}
