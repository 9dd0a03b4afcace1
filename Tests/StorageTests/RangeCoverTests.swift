// The set of ranges against a set of numbers, every sequence of three.
import Base
import Storage
import Testing

@Suite struct RangeCoverTests {
    private func range(_ start: UInt8, _ end: UInt8?) -> KeyRange {
        KeyRange(start: Key([start]), end: end.map { Key([$0]) })
    }

    private func members(_ range: KeyRange) -> Set<UInt8> {
        Set((0..<6 as Range<UInt8>).filter { range.contains(Key([$0])) })
    }

    @Test func eachInsertionGivesWhatWasNotThere() {
        var all: [KeyRange] = []
        for start in 0..<5 as Range<UInt8> {
            for end in start...5 { all.append(range(start, end)) }
            all.append(range(start, nil))
        }
        for first in all {
            for second in all {
                for third in all {
                    var cover = RangeCover()
                    var seen: Set<UInt8> = []
                    for range in [first, second, third] {
                        let gaps = cover.insert(range)
                        #expect(gaps.allSatisfy { !$0.isEmpty })
                        let new = gaps.reduce(into: Set()) { $0.formUnion(members($1)) }
                        #expect(new == members(range).subtracting(seen))
                        #expect(gaps.map { members($0).count }.reduce(0, +) == new.count)
                        seen.formUnion(members(range))
                    }
                }
            }
        }
    }
}
