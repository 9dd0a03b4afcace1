/// Keys and ranges of keys: byte strings in bytewise order.
///
/// Never `String`: two different byte strings can be "equal" as Swift strings (canonical
/// equivalence), and a key may be any bytes at all.

package typealias Bytes = [UInt8]

package struct Key: Hashable, Sendable, Comparable {
    package var bytes: Bytes

    @inlinable package init(_ bytes: Bytes) { self.bytes = bytes }

    package init(utf8 string: String) { bytes = Bytes(string.utf8) }

    /// The least key of all; as a range's start it means "unbounded".
    package static let least = Key([])

    @inlinable package static func < (a: Key, b: Key) -> Bool {
        a.bytes.withUnsafeBytes { x in
            b.bytes.withUnsafeBytes { y in compareBytes(x, y) < 0 }
        }
    }

    /// The least key greater than this one.
    package var successor: Key { Key(bytes + [0]) }

    /// The least key greater than every key with this prefix; nil if there is none (all bytes
    /// 0xFF).
    package var prefixSuccessor: Key? {
        guard let last = bytes.lastIndex(where: { $0 != 0xFF }) else { return nil }
        var next = Bytes(bytes[...last])
        next[last] += 1
        return Key(next)
    }
}

/// Half-open: `start` belongs to it, `end` does not; no `end` means unbounded.
package struct KeyRange: Hashable, Sendable {
    package var start: Key
    package var end: Key?

    package init(start: Key = .least, end: Key? = nil) {
        self.start = start
        self.end = end
    }

    package init(prefix: Key) {
        self.init(start: prefix, end: prefix.prefixSuccessor)
    }

    package static let all = KeyRange()

    package var isEmpty: Bool {
        guard let end else { return false }
        return end <= start
    }

    package func contains(_ key: Key) -> Bool {
        guard key >= start else { return false }
        guard let end else { return true }
        return key < end
    }

    package func overlaps(_ other: KeyRange) -> Bool {
        guard !isEmpty, !other.isEmpty else { return false }
        let endsBeforeOther = end.map { $0 <= other.start } ?? false
        let startsAfterOther = other.end.map { $0 <= start } ?? false
        return !endsBeforeOther && !startsAfterOther
    }

    package func intersection(_ other: KeyRange) -> KeyRange {
        let start = max(self.start, other.start)
        switch (end, other.end) {
        case (let a?, let b?): return KeyRange(start: start, end: min(a, b))
        case (let a, let b): return KeyRange(start: start, end: a ?? b)
        }
    }
}
