/// The properties of a replicated log (Raft, Figure 3): two logs that agree on the term of an entry
/// agree on it and on all before it; what is committed is in the log of every later leader; and
/// every replica applies the same entry at the same place.
package import Base
package import Raft
internal import Regions

/// Log Matching: an index and a term name one entry, and one predecessor.
package struct LogMatching {
    private struct Place: Hashable {
        var index: LogIndex
        var term: Term
    }

    private struct Seen {
        var record: Bytes
        /// Of the entry before it; nil if nobody who has this one knows.
        var before: Term?
    }

    private var entries: [Place: Seen] = [:]

    package init() {}

    /// What is wrong with an entry that a replica takes into its log; nil if nothing is.
    package mutating func takes(
        _ record: Bytes, at index: LogIndex, term: Term, after before: Term?, by id: ReplicaID
    ) -> String? {
        let place = Place(index: index, term: term)
        guard let seen = entries[place] else {
            entries[place] = Seen(record: record, before: before)
            return nil
        }
        if seen.record != record {
            return "replica \(id) has another entry \(index) of term \(term) than others"
        }
        if let known = seen.before, let before, known != before {
            return "entry \(index) of term \(term) stands behind term \(known), and behind "
                + "term \(before) at replica \(id)"
        }
        if seen.before == nil { entries[place]?.before = before }
        return nil
    }
}

/// State Machine Safety and, with it, Leader Completeness: both go by what anyone has applied.
package struct CommittedLog {
    /// By index: what was applied there first.
    package private(set) var records: [LogIndex: Bytes] = [:]
    package private(set) var last: LogIndex = 0

    package init() {}

    /// What is wrong with a replica's applying an entry; nil if nothing is.
    package mutating func applies(
        _ record: Bytes, at index: LogIndex, by id: ReplicaID
    ) -> String? {
        guard let first = records[index] else {
            records[index] = record
            last = max(last, index)
            return nil
        }
        return first == record ? nil : "replica \(id) applies another entry \(index) than others"
    }

    /// What a new leader lacks; nil if it has everything.
    /// - Parameter entries: its log, by index, from its base on.
    package func missing(
        from entries: [LogIndex: Bytes], base: LogIndex, end: LogIndex
    ) -> String? {
        if end < last { return "its log ends at entry \(end), and entry \(last) is committed" }
        for index in base + 1..<max(base, last) + 1 where records[index] != nil {
            if entries[index] != records[index] { return "its entry \(index) is not the committed" }
        }
        return nil
    }
}
