// Keys and ranges: the order, successors and intersections, by trying all small ones.
import Base
import Testing

@Suite struct KeyTests {
    /// Every byte string of at most two bytes over a small alphabet that holds the extremes.
    static let small: [Key] = {
        let alphabet: [UInt8] = [0, 1, 0x61, 0xFE, 0xFF]
        var keys: [Key] = [Key([])]
        for a in alphabet {
            keys.append(Key([a]))
            for b in alphabet { keys.append(Key([a, b])) }
        }
        return keys
    }()

    @Test func orderIsBytewise() {
        for a in Self.small {
            for b in Self.small {
                #expect((a < b) == a.bytes.lexicographicallyPrecedes(b.bytes))
            }
        }
    }

    @Test func prefixRangeHoldsExactlyTheKeysWithThePrefix() {
        for prefix in Self.small {
            let range = KeyRange(prefix: prefix)
            for key in Self.small {
                #expect(range.contains(key) == key.bytes.starts(with: prefix.bytes))
            }
        }
    }

    @Test func successorIsTheLeastGreaterKey() {
        for key in Self.small {
            #expect(key < key.successor)
            for other in Self.small where other > key { #expect(key.successor <= other) }
        }
    }

    @Test func overlapAndIntersectionAgreeWithMembership() {
        let bounds = Self.small.filter { $0.bytes.count < 2 }
        let probes = Self.small + Self.small.map(\.successor)
        let ends = bounds.map(Optional.some) + [nil]
        let ranges = bounds.flatMap { start in ends.map { KeyRange(start: start, end: $0) } }
        for x in ranges {
            for y in ranges {
                let both = x.intersection(y)
                let agreed = probes.allSatisfy {
                    both.contains($0) == (x.contains($0) && y.contains($0))
                }
                #expect(agreed, "\(x) and \(y)")
                #expect(x.overlaps(y) == !both.isEmpty)
            }
        }
    }
}
