/// Names for requests that came without one: a part that is this gateway's own, then a count.
///
/// Short enough for a log line, unique over restarts for all that a person will ever compare, and cheap: two
/// dozen bytes and no random draw per request.
internal import Base

struct RequestNames: Sendable {
    /// Crockford's base 32: no letter that is read as a digit.
    private static let alphabet = Bytes("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)
    private static let digits = 8

    private let prefix: Bytes
    private var count: UInt64 = 0

    init(generator: inout SeededGenerator) {
        var prefix = Self.text(generator.next())
        prefix.append(UInt8(ascii: "-"))
        self.prefix = prefix
    }

    mutating func next() -> Bytes {
        count += 1
        var name = Bytes()
        name.reserveCapacity(prefix.count + Self.digits)
        name.append(contentsOf: prefix)
        name.append(contentsOf: Self.text(count))
        return name
    }

    private static func text(_ number: UInt64) -> Bytes {
        (0..<UInt64(digits)).reversed().map { alphabet[Int(number >> ($0 * 5) & 31)] }
    }
}
