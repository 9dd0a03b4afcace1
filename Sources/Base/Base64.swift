/// Base64 (RFC 4648): how bytes that are not text travel in JSON and in query parameters.
///
/// Writes the standard alphabet with padding, or the URL-safe one without. Reads both alphabets,
/// padded or not, because clients' libraries differ; refuses everything else, also bits after the
/// last whole byte, so that text cut short is noticed (§3.5).
package enum Base64 {
    private static let standard = Bytes(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let urlSafe = Bytes(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    private static let padding = UInt8(ascii: "=")
    private static let invalid: UInt8 = 0xFF

    /// The six bits that each byte stands for, in either alphabet.
    private static let values: Bytes = {
        var table = Bytes(repeating: invalid, count: 256)
        for (bits, letter) in standard.enumerated() { table[Int(letter)] = UInt8(bits) }
        for (bits, letter) in urlSafe.enumerated() { table[Int(letter)] = UInt8(bits) }
        return table
    }()

    /// In the standard alphabet, padded.
    package static func append(_ source: UnsafeRawBufferPointer, to text: inout Bytes) {
        append(source, alphabet: standard, isPadded: true, to: &text)
    }

    /// In the standard alphabet, padded.
    package static func encode(_ source: Bytes) -> Bytes {
        var text = Bytes()
        source.withUnsafeBytes { append($0, to: &text) }
        return text
    }

    /// In the URL-safe alphabet, without padding: needs no escape in a path, a query or a header
    /// field.
    package static func encodeForURL(_ source: Bytes) -> Bytes {
        var text = Bytes()
        source.withUnsafeBytes {
            append($0, alphabet: urlSafe, isPadded: false, to: &text)
        }
        return text
    }

    private static func append(
        _ source: UnsafeRawBufferPointer, alphabet: Bytes, isPadded: Bool, to text: inout Bytes
    ) {
        text.reserveCapacity(text.count + (source.count + 2) / 3 * 4)
        var index = 0
        while index + 3 <= source.count {
            let group =
                Int(source[index]) << 16 | Int(source[index + 1]) << 8 | Int(source[index + 2])
            text.append(alphabet[group >> 18])
            text.append(alphabet[group >> 12 & 63])
            text.append(alphabet[group >> 6 & 63])
            text.append(alphabet[group & 63])
            index += 3
        }
        guard index < source.count else { return }
        let hasTwo = source.count - index == 2
        let group = Int(source[index]) << 16 | (hasTwo ? Int(source[index + 1]) << 8 : 0)
        text.append(alphabet[group >> 18])
        text.append(alphabet[group >> 12 & 63])
        if hasTwo { text.append(alphabet[group >> 6 & 63]) }
        if isPadded { text.append(contentsOf: repeatElement(padding, count: hasTwo ? 1 : 2)) }
    }

    package static func decode(_ text: UnsafeRawBufferPointer) throws(DecodeError) -> Bytes {
        var end = text.count
        while end > 0, text.count - end < 2, text[end - 1] == padding { end -= 1 }
        let isPadded = end < text.count
        guard !isPadded || text.count % 4 == 0, end % 4 != 1 else {
            throw DecodeError(
                expected: isPadded ? "a padded length, a multiple of 4," : "another base64 letter",
                offset: text.count)
        }
        var bytes = Bytes()
        bytes.reserveCapacity(end / 4 * 3 + 2)
        var group: UInt32 = 0
        let values = Self.values
        for index in 0..<end {
            let bits = values[Int(text[index])]
            guard bits != invalid else {
                throw DecodeError(expected: "a base64 letter", offset: index)
            }
            group = group << 6 | UInt32(bits)
            if index & 3 == 3 {
                bytes.append(UInt8(truncatingIfNeeded: group >> 16))
                bytes.append(UInt8(truncatingIfNeeded: group >> 8))
                bytes.append(UInt8(truncatingIfNeeded: group))
                group = 0
            }
        }
        let loose: UInt32 = end % 4 == 2 ? group & 0xF : end % 4 == 3 ? group & 0x3 : 0
        guard loose == 0 else {
            throw DecodeError(expected: "no bits after the last byte", offset: end - 1)
        }
        if end % 4 == 2 { bytes.append(UInt8(truncatingIfNeeded: group >> 4)) }
        if end % 4 == 3 {
            bytes.append(UInt8(truncatingIfNeeded: group >> 10))
            bytes.append(UInt8(truncatingIfNeeded: group >> 2))
        }
        return bytes
    }

    package static func decode(_ text: Bytes) throws(DecodeError) -> Bytes {
        let result = text.withUnsafeBytes { text -> Result<Bytes, DecodeError> in
            do throws(DecodeError) {
                return .success(try decode(text))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }
}
