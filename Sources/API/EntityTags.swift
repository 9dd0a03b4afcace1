/// Entity tags and preconditions (RFC 9110 §8.8.3 and §13) in the raw space, where a tag is the
/// value's fingerprint: 32 lower-case hexadecimal digits in quotes.
///
/// Quotes may be left off on input, because a shell eats them. A tag that is none of ours is a
/// legal tag that matches nothing.
package import Base
internal import Regions

extension Fingerprint {
    /// 32 lower-case hexadecimal digits, without quotes: as JSON carries it.
    package var tag: Bytes {
        Bytes(unsafeUninitializedCapacity: 32) { text, count in
            guard let start = text.baseAddress else { return }
            writeDigits(to: start)
            count = 32
        }
    }

    /// With quotes: as the ETag field carries it.
    package var quotedTag: Bytes {
        Bytes(unsafeUninitializedCapacity: Self.quotedCount) { text, count in
            guard let start = text.baseAddress else { return }
            writeQuoted(to: start)
            count = Self.quotedCount
        }
    }

    package static let quotedCount = 34

    /// Writes `quotedCount` bytes.
    package func writeQuoted(to text: UnsafeMutablePointer<UInt8>) {
        text[0] = UInt8(ascii: "\"")
        writeDigits(to: text + 1)
        text[33] = UInt8(ascii: "\"")
    }

    // Hot path: once per raw GET.
    private func writeDigits(to text: UnsafeMutablePointer<UInt8>) {
        for place in 0..<16 {
            let shift = UInt64(60 - 4 * place)
            text[place] = Self.digit(high >> shift & 15)
            text[16 + place] = Self.digit(low >> shift & 15)
        }
    }

    private static func digit(_ value: UInt64) -> UInt8 {
        UInt8(truncatingIfNeeded: value) &+ (value < 10 ? 0x30 : 0x57)
    }

    /// nil for anything but 32 lower-case hexadecimal digits: tags are compared byte for byte.
    package init?(tag: ArraySlice<UInt8>) {
        guard tag.count == 32 else { return nil }
        var words: (UInt64, UInt64) = (0, 0)
        for (index, byte) in tag.enumerated() {
            guard let digit = PercentCoding.hexDigit(byte), byte > 0x60 || byte < 0x3A else {
                return nil
            }
            if index < 16 {
                words.0 = words.0 << 4 | UInt64(digit)
            } else {
                words.1 = words.1 << 4 | UInt64(digit)
            }
        }
        self.init(high: words.0, low: words.1)
    }
}

/// The value of If-Match or If-None-Match.
package enum EntityTagList: Hashable, Sendable {
    package struct Tag: Hashable, Sendable {
        package var isWeak: Bool
        /// nil for a tag that this service cannot have given.
        package var fingerprint: Fingerprint?
        /// For the strong comparison, in which a weak tag matches nothing.
        package var strongFingerprint: Fingerprint? { isWeak ? nil : fingerprint }
    }

    /// `*`
    case any
    case tags([Tag])

    /// nil if it is not a list of entity tags.
    package init?(_ text: ArraySlice<UInt8>) {
        var rest = text.trimmingSpace
        if rest.elementsEqual("*".utf8) {
            self = .any
            return
        }
        var tags: [Tag] = []
        while true {
            // Empty elements of a list are legal (§5.6.1.2).
            while rest.first == UInt8(ascii: ",") || rest.first?.isSpace == true {
                rest = rest.dropFirst()
            }
            guard !rest.isEmpty else { break }
            guard let tag = Self.readTag(&rest) else { return nil }
            tags.append(tag)
            rest = rest.drop { $0.isSpace }
            guard rest.isEmpty || rest.first == UInt8(ascii: ",") else { return nil }
        }
        guard !tags.isEmpty else { return nil }
        self = .tags(tags)
    }

    private static func readTag(_ rest: inout ArraySlice<UInt8>) -> Tag? {
        let isWeak = rest.starts(with: "W/".utf8)
        if isWeak { rest = rest.dropFirst(2) }
        let opaque: ArraySlice<UInt8>
        if rest.first == UInt8(ascii: "\"") {
            rest = rest.dropFirst()
            opaque = rest.prefix { $0 != UInt8(ascii: "\"") }
            rest = rest.dropFirst(opaque.count)
            guard rest.popFirst() != nil, opaque.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
                return nil
            }
        } else {
            opaque = rest.prefix {
                $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: "\"")
                    && $0 != UInt8(ascii: "*")
            }
            rest = rest.dropFirst(opaque.count)
            guard !opaque.isEmpty else { return nil }
        }
        return Tag(isWeak: isWeak, fingerprint: Fingerprint(tag: opaque))
    }

    /// Weak comparison: for If-None-Match.
    package func matchesWeakly(_ actual: Fingerprint) -> Bool {
        switch self {
        case .any: true
        case .tags(let tags): tags.contains { $0.fingerprint == actual }
        }
    }

    /// Strong comparison: for If-Match.
    package func matchesStrongly(_ actual: Fingerprint) -> Bool {
        switch self {
        case .any: true
        case .tags(let tags): tags.contains { $0.strongFingerprint == actual }
        }
    }
}

/// The two conditional fields that mean something here.
package struct Preconditions: Hashable, Sendable {
    package var ifMatch: EntityTagList?
    package var ifNoneMatch: EntityTagList?

    package var isEmpty: Bool { ifMatch == nil && ifNoneMatch == nil }

    init(_ headers: RequestHeaders) throws(Problem) {
        ifMatch = try Self.list(headers, .ifMatch)
        ifNoneMatch = try Self.list(headers, .ifNoneMatch)
    }

    /// A field that came several times is one list (RFC 9110 §5.3).
    private static func list(
        _ headers: RequestHeaders, _ name: HeaderName
    ) throws(Problem) -> EntityTagList? {
        var joined: Bytes?
        for field in headers.fields where field.name == name {
            joined = joined.map { $0 + [UInt8(ascii: ",")] + field.value } ?? field.value
        }
        guard let joined else { return nil }
        guard let list = EntityTagList(joined[...]) else {
            throw .mistake(
                .invalidArgument, at: name.rawValue,
                "Must be * or a list of entity tags, such as \"0123…\", each in double quotes.")
        }
        return list
    }

    /// What a write must find, both fields holding (RFC 9110 §13.2.2: If-Match first, then
    /// If-None-Match).
    func writeCondition() -> RawCondition {
        switch (ifMatch, ifNoneMatch) {
        case (nil, nil): return .none
        case (.any, nil): return .present
        case (.tags(let tags), nil): return .matchesAny(tags.compactMap(\.strongFingerprint))
        case (nil, .any): return .absent
        case (nil, .tags(let tags)): return .matchesNone(tags.compactMap(\.fingerprint))
        // Something must be there and nothing may be: never true.
        case (_?, .any): return .matchesAny([])
        case (.tags(let wanted), .tags(let refused)):
            let refused = refused.compactMap(\.fingerprint)
            return .matchesAny(
                wanted.compactMap(\.strongFingerprint).filter { !refused.contains($0) })
        case (.any, .tags(let refused)):
            return .presentMatchingNone(refused.compactMap(\.fingerprint))
        }
    }
}

extension UInt8 {
    /// Optional white space of HTTP (RFC 9110 §5.6.3).
    var isSpace: Bool { self == 0x20 || self == 0x09 }
}

extension ArraySlice<UInt8> {
    var trimmingSpace: ArraySlice<UInt8> {
        var trimmed = drop { $0.isSpace }
        while trimmed.last?.isSpace == true { trimmed.removeLast() }
        return trimmed
    }
}
