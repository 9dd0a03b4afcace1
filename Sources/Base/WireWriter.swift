/// Writes the Protocol Buffers wire format, field by field, at the end of an array of bytes; the
/// counterpart of `WireReader`.
///
/// As in proto3, a number that is 0 and bytes that are empty are not written, so a record has one
/// form as long as its writer keeps to the order of its field numbers; golden bytes rely on it. A
/// nested message is written even if it is empty: that it is there tells something.

extension Bytes {
    package mutating func appendTag(_ number: UInt32, _ type: WireReader.WireType) {
        appendVarint(UInt64(number) << 3 | UInt64(type.rawValue))
    }

    package mutating func appendField(_ number: UInt32, varint value: UInt64) {
        guard value != 0 else { return }
        appendTag(number, .varint)
        appendVarint(value)
    }

    /// proto3's `optional`: written whatever it is, unless it is nil.
    package mutating func appendField(_ number: UInt32, optionalVarint value: UInt64?) {
        guard let value else { return }
        appendTag(number, .varint)
        appendVarint(value)
    }

    /// proto3's `sint64`.
    package mutating func appendField(_ number: UInt32, zigzag value: Int64) {
        appendField(number, varint: UInt64(bitPattern: value << 1 ^ value >> 63))
    }

    package mutating func appendField(_ number: UInt32, bool value: Bool) {
        appendField(number, varint: value ? 1 : 0)
    }

    package mutating func appendField(_ number: UInt32, fixed64 value: UInt64) {
        guard value != 0 else { return }
        appendTag(number, .fixed64)
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }

    package mutating func appendField(_ number: UInt32, bytes: Bytes) {
        guard !bytes.isEmpty else { return }
        appendHeader(number, byteCount: bytes.count)
        append(contentsOf: bytes)
    }

    package mutating func appendField(_ number: UInt32, packed list: some Collection<UInt64>) {
        guard !list.isEmpty else { return }
        appendHeader(number, byteCount: list.reduce(0) { $0 + Self.varintByteCount($1) })
        for value in list { appendVarint(value) }
    }

    /// What stands before that many bytes, or before a nested message of that length.
    package mutating func appendHeader(_ number: UInt32, byteCount: Int) {
        appendTag(number, .bytes)
        appendVarint(UInt64(byteCount))
    }

    /// A nested message of unknown length; a long one is moved once more when its length is known.
    package mutating func appendMessage(_ number: UInt32, _ write: (inout Bytes) -> Void) {
        appendTag(number, .bytes)
        append(0)
        let start = count
        write(&self)
        var length = Bytes()
        length.appendVarint(UInt64(count - start))
        replaceSubrange(start - 1..<start, with: length)
    }

    /// Bytes that a varint of that value takes.
    package static func varintByteCount(_ value: UInt64) -> Int {
        (70 - (value | 1).leadingZeroBitCount) / 7
    }

    /// Bytes that `appendHeader` and what follows it take, for a field number below 16.
    package static func fieldByteCount(_ byteCount: Int) -> Int {
        1 + varintByteCount(UInt64(byteCount)) + byteCount
    }
}
