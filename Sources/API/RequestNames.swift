/// Names for requests that came without one: a part that is its owner's own, then a count.
///
/// Short enough for a log line, unique over restarts for all that a person will ever compare, and
/// cheap: two dozen bytes and no random draw per request.
package import Base

package struct RequestNames: Sendable {
    /// Crockford's base 32: no letter that is read as a digit.
    private static let alphabet = Bytes("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)
    private static let digits = 8

    private let prefix: UInt64
    private var count: UInt64 = 0

    package init(generator: inout SeededGenerator) {
        prefix = generator.next()
    }

    package mutating func next() -> Bytes {
        count += 1
        var name = Bytes(repeating: UInt8(ascii: "-"), count: 2 * Self.digits + 1)
        name.withUnsafeMutableBufferPointer { buffer in
            Self.write(prefix, to: buffer, at: 0)
            Self.write(count, to: buffer, at: Self.digits + 1)
        }
        return name
    }

    private static func write(
        _ number: UInt64, to buffer: UnsafeMutableBufferPointer<UInt8>, at start: Int
    ) {
        for index in 0..<digits {
            let digit = Int(number >> UInt64((digits - 1 - index) * 5) & 31)
            buffer[start + index] = alphabet[digit]
        }
    }
}
