/// Percent-encoding (RFC 3986 §2.1) and the form rules of query strings.
///
/// Decodes once, to bytes: nothing is normalised, no character set is assumed, and a broken escape
/// is an error rather than literal text, because a key guessed wrong is another key.
package enum PercentCoding {
    /// - Parameter plusIsSpace: as in the query of a URL (`application/x-www-form-urlencoded`); in
    ///   a path a plus sign stands for itself.
    package static func decode(
        _ text: ArraySlice<UInt8>, plusIsSpace: Bool
    ) throws(DecodeError) -> Bytes {
        // Hot path: most keys have nothing to decode.
        let isPlain = !text.contains { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }
        if isPlain { return Bytes(text) }
        var bytes = Bytes()
        bytes.reserveCapacity(text.count)
        var index = text.startIndex
        while index < text.endIndex {
            switch text[index] {
            case UInt8(ascii: "%"):
                guard index + 2 < text.endIndex, let high = hexDigit(text[index + 1]),
                    let low = hexDigit(text[index + 2])
                else {
                    throw DecodeError(
                        expected: "two hexadecimal digits after %", offset: index - text.startIndex)
                }
                bytes.append(high << 4 | low)
                index += 3
            case UInt8(ascii: "+") where plusIsSpace:
                bytes.append(UInt8(ascii: " "))
                index += 1
            case let byte:
                bytes.append(byte)
                index += 1
            }
        }
        return bytes
    }

    /// Escapes every byte that is not unreserved (RFC 3986 §2.3): safe in any part of a URL.
    package static func encode(_ bytes: Bytes) -> Bytes {
        let digits = Bytes("0123456789ABCDEF".utf8)
        var text = Bytes()
        text.reserveCapacity(bytes.count)
        for byte in bytes {
            if isUnreserved(byte) {
                text.append(byte)
            } else {
                text.append(UInt8(ascii: "%"))
                text.append(digits[Int(byte >> 4)])
                text.append(digits[Int(byte & 15)])
            }
        }
        return text
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "_"), UInt8(ascii: "~"):
            true
        default: false
        }
    }

    package static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
