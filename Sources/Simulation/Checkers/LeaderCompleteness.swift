/// Leader Completeness (Raft, Figure 3): what is committed is in the log of every leader of a later
/// term (reliability.md rows 3, 28, 29 and 57).
package import Base
package import Raft

extension CommittedLog {
    /// What a new leader lacks; nil if it has everything.
    ///
    /// One that hears late that it was elected may lead after another did in a later term: what
    /// that one has committed it need not have.
    /// - Parameter entries: its log, by index, from its base on.
    package func missing(
        from entries: [LogIndex: Bytes], base: LogIndex, end: LogIndex, in term: Term
    ) -> String? {
        for index in base + 1..<max(base, last) + 1
        where records[index] != nil && isCommitted(index, before: term) {
            if index > end {
                return "its log ends at entry \(end), and entry \(index) is committed"
            }
            if entries[index] != records[index] { return "its entry \(index) is not the committed" }
        }
        return nil
    }
}
