/// Log Matching (Raft, Figure 3): two logs that agree on the term of an entry agree on it and on
/// all before it (reliability.md rows 22 and 56).
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
