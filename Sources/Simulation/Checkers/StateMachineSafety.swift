/// State Machine Safety (Raft, Figure 3): every replica applies the same entry at the same place
/// (reliability.md rows 3, 17, 23 and 58).
package import Base
package import Raft

/// What is known to be committed: what anyone has applied.
package struct CommittedLog {
    /// By index: what was applied there first.
    package private(set) var records: [LogIndex: Bytes] = [:]
    /// By index: no leader of a later term can have committed it.
    private var terms: [LogIndex: Term] = [:]
    package private(set) var last: LogIndex = 0

    package init() {}

    /// What is wrong with a replica's applying an entry; nil if nothing is.
    /// - Parameter lastTerm: the latest in which anyone has led so far.
    package mutating func applies(
        _ record: Bytes, at index: LogIndex, by id: ReplicaID, lastTerm: Term
    ) -> String? {
        guard let first = records[index] else {
            records[index] = record
            terms[index] = lastTerm
            last = max(last, index)
            return nil
        }
        return first == record ? nil : "replica \(id) applies another entry \(index) than others"
    }

    /// Whether every leader of that term has to have it: one of an earlier term committed it.
    func isCommitted(_ index: LogIndex, before term: Term) -> Bool {
        terms[index].map { $0 < term } ?? false
    }
}
