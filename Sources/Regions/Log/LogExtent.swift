/// Which entries of one log are on disk: those of the log, and those that a compaction has passed
/// and nobody has deleted yet.
///
/// Deleting is put off because a compaction, or a snapshot, frees any number of entries at once and
/// a write must not take any time: each write takes some of them along.
internal import Base
package import Raft

package struct LogExtent: Hashable, Sendable {
    /// The log begins behind it.
    package private(set) var base: LogIndex
    package private(set) var last: LogIndex
    /// Below the base, ascending; two entries that a snapshot has leapt over are in two ranges.
    package private(set) var garbage: [Range<LogIndex>] = []

    package init(base: LogIndex) {
        self.base = base
        last = base
    }

    package mutating func append(_ index: LogIndex) {
        invariant(index == last + 1, "entry \(index) comes behind entry \(last)")
        last = index
    }

    /// - Returns: what has to be deleted in the same write, or it would come back behind what is
    ///   written there next.
    package mutating func cut(from index: LogIndex) -> Range<LogIndex> {
        invariant(index > base, "the log is cut at \(index), behind its base \(base)")
        let dropped = index..<max(index, last + 1)
        last = min(last, index - 1)
        return dropped
    }

    package mutating func moveBase(to index: LogIndex) {
        invariant(index >= base, "a log's base never falls: from \(base) to \(index)")
        let end = min(index, last)
        if end > base { addGarbage(base + 1..<end + 1) }
        base = index
        last = max(last, index)
    }

    package mutating func foundGarbage(at index: LogIndex) { addGarbage(index..<index + 1) }

    /// At most so many entries that may be deleted now, as one range; nil if there are none.
    package mutating func takeGarbage(countLimit: Int) -> Range<LogIndex>? {
        guard countLimit > 0, let first = garbage.first else { return nil }
        let end = min(first.upperBound, first.lowerBound + LogIndex(countLimit))
        if end == first.upperBound {
            garbage.removeFirst()
        } else {
            garbage[0] = end..<first.upperBound
        }
        return first.lowerBound..<end
    }

    private mutating func addGarbage(_ range: Range<LogIndex>) {
        if let final = garbage.last, final.upperBound == range.lowerBound {
            garbage[garbage.count - 1] = final.lowerBound..<range.upperBound
        } else {
            garbage.append(range)
        }
    }
}
