/// A set of keys as few disjoint ranges in order: what the earlier range deletes of a batch have
/// taken already, so that a later one looks only at what is left.
package import Base

package struct RangeCover: Sendable {
    /// Sorted; no two overlap or touch.
    private var ranges: [KeyRange] = []

    package init() {}

    /// Adds a range; the parts of it that were not there before, in order.
    package mutating func insert(_ range: KeyRange) -> [KeyRange] {
        guard !range.isEmpty else { return [] }
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            let endsBefore = ranges[middle].end.map { $0 < range.start } ?? false
            if endsBefore { low = middle + 1 } else { high = middle }
        }
        var gaps: [KeyRange] = []
        var merged = range
        var next: Key? = range.start
        var end = low
        while end < ranges.count, range.end.map({ ranges[end].start <= $0 }) ?? true {
            let other = ranges[end]
            if let start = next, start < other.start {
                gaps.append(KeyRange(start: start, end: other.start))
            }
            next = next.flatMap { start in other.end.map { max(start, $0) } }
            merged.start = min(merged.start, other.start)
            merged.end = merged.end.flatMap { end in other.end.map { max(end, $0) } }
            end += 1
        }
        if let start = next {
            let gap = KeyRange(start: start, end: range.end)
            if !gap.isEmpty { gaps.append(gap) }
        }
        ranges.replaceSubrange(low..<end, with: [merged])
        return gaps
    }
}
