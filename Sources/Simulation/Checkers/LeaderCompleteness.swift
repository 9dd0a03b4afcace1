/// Leader Completeness (Raft, Figure 3): what is committed is in the log of every later leader
/// (reliability.md rows 3, 28, 29 and 57).
package import Base
package import Raft

extension CommittedLog {
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
