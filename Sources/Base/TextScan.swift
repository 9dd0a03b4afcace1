/// Two questions about bytes that may be text: are they UTF-8, and can they stand in JSON as they
/// are.
package enum TextScan {
    private static let ones: UInt64 = 0x0101_0101_0101_0101
    private static let highBits: UInt64 = 0x8080_8080_8080_8080

    /// The offset of the first byte that must be escaped in JSON (a control character, `"` or `\`)
    /// or, if `isASCIIOnly`, is part of a character beyond ASCII; the count if there is none.
    // Hot path: every key and value of every JSON answer. Eight bytes at a time, by the known carry
    // tricks: a subtraction borrows out of exactly the bytes that are smaller.
    package static func plainPrefix(
        _ bytes: UnsafeRawBufferPointer, isASCIIOnly: Bool = true
    ) -> Int {
        let refused = isASCIIOnly ? highBits : 0
        var index = 0
        while index + 8 <= bytes.count {
            let word = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            let quote = word ^ (ones &* 0x22)
            let backslash = word ^ (ones &* 0x5C)
            let control = (word &- ones &* 0x20) & ~word
            let found = control | (quote &- ones) & ~quote | (backslash &- ones) & ~backslash
            if found & highBits | word & refused != 0 { break }
            index += 8
        }
        while index < bytes.count {
            let byte = bytes[index]
            if byte < 0x20 || byte == 0x22 || byte == 0x5C { break }
            if isASCIIOnly, byte >= 0x80 { break }
            index += 1
        }
        return index
    }

    /// Well-formed UTF-8 (Unicode, table 3-7): no overlong forms, no surrogates, nothing above
    /// U+10FFFF.
    package static func isUTF8(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var index = 0
        while index < bytes.count {
            if index + 8 <= bytes.count,
                bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self) & highBits == 0
            {
                index += 8
                continue
            }
            let lead = bytes[index]
            if lead < 0x80 {
                index += 1
                continue
            }
            let length: Int
            let second: ClosedRange<UInt8>
            switch lead {
            case 0xC2...0xDF: (length, second) = (2, 0x80...0xBF)
            case 0xE0: (length, second) = (3, 0xA0...0xBF)
            case 0xE1...0xEC, 0xEE...0xEF: (length, second) = (3, 0x80...0xBF)
            case 0xED: (length, second) = (3, 0x80...0x9F)
            case 0xF0: (length, second) = (4, 0x90...0xBF)
            case 0xF1...0xF3: (length, second) = (4, 0x80...0xBF)
            case 0xF4: (length, second) = (4, 0x80...0x8F)
            default: return false
            }
            guard index + length <= bytes.count, second.contains(bytes[index + 1]) else {
                return false
            }
            var next = index + 2
            while next < index + length {
                guard bytes[next] & 0xC0 == 0x80 else { return false }
                next += 1
            }
            index += length
        }
        return true
    }

    package static func isUTF8(_ bytes: Bytes) -> Bool {
        bytes.withUnsafeBytes { isUTF8($0) }
    }
}
