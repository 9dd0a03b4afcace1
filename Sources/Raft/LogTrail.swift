/// What the core remembers of a log: the term and size of each entry, and the memberships.
///
/// Terms are kept as runs, for they seldom change; sizes one by one, for the flow of entries is
/// bounded in bytes. Everything up to `base` is compacted: only the position of its last entry is
/// known. The entries' bytes, and whether they are on disk, are not known here.
package struct LogTrail: Hashable, Sendable {
    private struct TermRun: Hashable, Sendable {
        var first: LogIndex
        var term: Term
    }

    private struct MembershipEntry: Hashable, Sendable {
        var index: LogIndex
        var membership: Membership
    }

    /// The last entry that is compacted.
    package private(set) var base: LogPosition
    private var baseMembership: Membership
    /// Ascending; the first begins at `base.index + 1`.
    private var runs: [TermRun] = []
    /// Byte counts from `base.index + 1` on.
    private var sizes: [UInt32] = []
    /// Membership entries behind the base, ascending.
    private var memberships: [MembershipEntry] = []

    package init(_ snapshot: SnapshotIdentity) {
        base = snapshot.position
        baseMembership = snapshot.membership
    }

    package var first: LogIndex { base.index + 1 }
    package var lastIndex: LogIndex { base.index + LogIndex(sizes.count) }
    package var last: LogPosition {
        LogPosition(index: lastIndex, term: runs.last?.term ?? base.term)
    }

    /// Nil for what is compacted and for what is not there: a caller has to tell the two apart, for
    /// a compacted term is no mismatch (reliability.md rows 21 and 22).
    package func term(at index: LogIndex) -> Term? {
        if index == base.index { return base.term }
        guard index > base.index, index <= lastIndex else { return nil }
        return runs.last { $0.first <= index }?.term
    }

    /// In force at the end of the log.
    package var membership: Membership { memberships.last?.membership ?? baseMembership }
    /// Of the entry that brought `membership`; the base's, if that is compacted.
    package var membershipIndex: LogIndex { memberships.last?.index ?? base.index }

    /// In force at an index that is not below the base.
    package func membership(at index: LogIndex) -> Membership {
        memberships.last { $0.index <= index }?.membership ?? baseMembership
    }

    /// Whether one of the memberships in force at `index` or behind it is such.
    package func hasMembership(
        since index: LogIndex, where isSuch: (Membership) -> Bool
    ) -> Bool {
        isSuch(membership(at: index))
            || memberships.contains { $0.index > index && isSuch($0.membership) }
    }

    package func entry(at index: LogIndex) -> Entry? {
        guard index > base.index, let term = term(at: index) else { return nil }
        if let found = memberships.first(where: { $0.index == index }) {
            return Entry(term: term, .membership(found.membership))
        }
        let size = sizes[Int(index - first)]
        return Entry(term: term, size == 0 ? .blank : .command(byteCount: Int(size)))
    }

    /// Entries from `index` on: at most so many, and so many bytes except that one always fits.
    package func entries(
        from index: LogIndex, countLimit: Int = .max, byteLimit: Int = .max
    ) -> [Entry] {
        var result: [Entry] = []
        var bytes = 0
        var next = index
        while result.count < countLimit, let entry = entry(at: next) {
            bytes += entry.byteCount
            if bytes > byteLimit, !result.isEmpty { break }
            result.append(entry)
            next += 1
        }
        return result
    }

    /// Bytes of the entries behind `index` up to `end`, as far as they are still in the log.
    package func byteCount(after index: LogIndex, through end: LogIndex) -> Int {
        let index = max(index, base.index)
        guard index < end else { return 0 }
        return sizes[Int(index - base.index)..<Int(end - base.index)].reduce(0) { $0 + Int($1) }
    }

    /// The first index, not below the base, behind which there are so many bytes at most up to
    /// `end`.
    package func index(before byteCount: Int, through end: LogIndex) -> LogIndex {
        var index = end
        var bytesLeft = byteCount
        while index > base.index {
            // One that holds nothing takes a place all the same.
            bytesLeft -= max(1, Int(sizes[Int(index - base.index) - 1]))
            if bytesLeft < 0 { break }
            index -= 1
        }
        return max(index, base.index)
    }

    /// The last position up to `index` whose term is at most `term`; a position below the base
    /// keeps its index and has the base's term. Answers one refused append in one round for a whole
    /// term of mismatches.
    package func last(through index: LogIndex, termAtMost term: Term) -> LogPosition {
        let end = min(index, lastIndex)
        if end <= base.index { return LogPosition(index: end, term: min(term, base.term)) }
        var upper = end
        for run in runs.reversed() where run.first <= upper {
            if run.term <= term { return LogPosition(index: upper, term: run.term) }
            upper = run.first - 1
        }
        return base
    }

    package mutating func append(_ entry: Entry) {
        let index = lastIndex + 1
        if runs.last?.term != entry.term { runs.append(TermRun(first: index, term: entry.term)) }
        sizes.append(UInt32(clamping: entry.byteCount))
        if case .membership(let membership) = entry.content {
            memberships.append(MembershipEntry(index: index, membership: membership))
        }
    }

    /// Drops `index` and everything behind it.
    package mutating func truncate(from index: LogIndex) {
        guard index <= lastIndex else { return }
        sizes.removeLast(Int(lastIndex - index) + 1)
        while let run = runs.last, run.first >= index { runs.removeLast() }
        while let entry = memberships.last, entry.index >= index { memberships.removeLast() }
    }

    /// Forgets everything up to `index`.
    package mutating func compact(through index: LogIndex) {
        guard index > base.index, let term = term(at: index) else { return }
        baseMembership = membership(at: index)
        memberships.removeAll { $0.index <= index }
        sizes.removeFirst(Int(index - base.index))
        base = LogPosition(index: index, term: term)
        while runs.count > 1, runs[1].first <= first { runs.removeFirst() }
        if sizes.isEmpty { runs.removeAll() } else { runs[0].first = max(runs[0].first, first) }
    }
}
