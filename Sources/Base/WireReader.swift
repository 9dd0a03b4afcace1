/// Reads the Protocol Buffers wire format, for records and messages that are too hot for generated
/// code. Each record says next to its `.proto` schema what its fields mean; here are only tags,
/// varints, fixed-width numbers and lengths.
///
/// A cursor over an array that several readers share: a field of bytes is the range where it
/// stands, a nested message another reader over that range, so nothing is copied or allocated on
/// the way. Decoding is total: any bytes give fields or a `DecodeError`, never a trap, and a length
/// is compared with what is there before it is used.
///
/// As in proto3, a field that is not known is skipped, fields come in any order, and of a single
/// field that comes twice the last counts; nested messages that come twice are not merged. Left
/// out: groups (wire types 3 and 4), which proto3 cannot declare.
package struct WireReader: Sendable {
    /// How a field's value is written; the raw value is the tag's lowest three bits.
    package enum WireType: UInt8, Hashable, Sendable {
        case varint = 0
        case fixed64 = 1
        case bytes = 2
        case fixed32 = 5
    }

    package struct Field: Hashable, Sendable {
        package var number: UInt32
        package var type: WireType
    }

    package let bytes: Bytes
    package private(set) var offset: Int
    /// Where the message ends.
    package let end: Int

    package init(_ bytes: Bytes) {
        self.init(bytes, in: 0..<bytes.count)
    }

    /// Over a part of the bytes; offsets in errors still count from the first of them.
    package init(_ bytes: Bytes, in range: Range<Int>) {
        invariant(range.upperBound <= bytes.count, "a message lies within its bytes")
        self.bytes = bytes
        offset = range.lowerBound
        end = range.upperBound
    }

    /// The next field's tag; nil at the end. Its value must be read or skipped before the next.
    package mutating func next() throws(DecodeError) -> Field? {
        guard offset < end else { return nil }
        let start = offset
        let tag = try readVarint("a field's tag")
        guard let type = WireType(rawValue: UInt8(truncatingIfNeeded: tag & 7)) else {
            throw DecodeError(expected: "a field of wire type 0, 1, 2 or 5", offset: start)
        }
        let number = tag >> 3
        guard number >= 1, number < 1 << 29 else {
            throw DecodeError(expected: "a field number from 1 to 536870911", offset: start)
        }
        return Field(number: UInt32(number), type: type)
    }

    package mutating func varint(_ field: Field) throws(DecodeError) -> UInt64 {
        try expect(.varint, field)
        return try readVarint("a varint")
    }

    /// proto3's `sint64`: small negative numbers are short too.
    package mutating func zigzag(_ field: Field) throws(DecodeError) -> Int64 {
        let coded = try varint(field)
        return Int64(bitPattern: coded >> 1) ^ -Int64(bitPattern: coded & 1)
    }

    /// Any number but 0 is true, as in every reader of the format.
    package mutating func bool(_ field: Field) throws(DecodeError) -> Bool {
        try varint(field) != 0
    }

    package mutating func fixed64(_ field: Field) throws(DecodeError) -> UInt64 {
        try expect(.fixed64, field)
        try expect(byteCount: 8, "8 bytes of a fixed64")
        defer { offset += 8 }
        let start = offset
        return bytes.withUnsafeBytes {
            UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: start, as: UInt64.self))
        }
    }

    /// Where the field's bytes stand in `bytes`.
    package mutating func bytes(_ field: Field) throws(DecodeError) -> Range<Int> {
        try expect(.bytes, field)
        let start = offset
        let count = try readVarint("a length")
        guard count <= UInt64(end - offset) else {
            throw DecodeError(expected: "a length of at most \(end - offset)", offset: start)
        }
        let range = offset..<offset + Int(count)
        offset = range.upperBound
        return range
    }

    /// A reader of the nested message.
    package mutating func message(_ field: Field) throws(DecodeError) -> WireReader {
        WireReader(bytes, in: try bytes(field))
    }

    /// More of a repeated number: packed, as proto3 writes it, or one by one.
    package mutating func numbers(
        _ field: Field, into list: inout [UInt64]
    ) throws(DecodeError) {
        guard field.type == .bytes else {
            list.append(try varint(field))
            return
        }
        var packed = try message(field)
        while packed.offset < packed.end { list.append(try packed.readVarint("a varint")) }
    }

    /// Steps over a field that the reader does not know.
    package mutating func skip(_ field: Field) throws(DecodeError) {
        switch field.type {
        case .varint: _ = try readVarint("a varint")
        case .bytes: _ = try bytes(field)
        case .fixed64:
            try expect(byteCount: 8, "8 bytes of a fixed64")
            offset += 8
        case .fixed32:
            try expect(byteCount: 4, "4 bytes of a fixed32")
            offset += 4
        }
    }

    private func expect(_ type: WireType, _ field: Field) throws(DecodeError) {
        guard field.type == type else {
            throw DecodeError(expected: "field \(field.number) as a \(type)", offset: offset)
        }
    }

    private func expect(byteCount: Int, _ what: String) throws(DecodeError) {
        guard end - offset >= byteCount else {
            throw DecodeError(expected: what, offset: offset)
        }
    }

    // Hot path: several times for every operation of every command.
    private mutating func readVarint(_ what: StaticString) throws(DecodeError) -> UInt64 {
        let start = offset
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while offset < end, shift < 64 {
            let byte = bytes[offset]
            offset += 1
            // The tenth byte holds the 64th bit alone.
            if shift == 63, byte > 1 { break }
            value |= UInt64(byte & 0x7F) &<< shift
            if byte < 0x80 { return value }
            shift += 7
        }
        offset = start
        throw DecodeError(expected: "\(what) of at most ten bytes", offset: start)
    }
}
