/// Terms, commit indices and what is applied never go back while a replica lives (Raft §5.1, §5.3;
/// reliability.md rows 17 and 57). What it has told others outlives it: `VoteOnce` looks at that.
internal import Base
internal import Node
package import Raft

package struct MonotonicProgress {
    package struct Place: Sendable {
        var term: Term
        var commit: LogIndex
        var applied: LogIndex

        package init(term: Term, commit: LogIndex, applied: LogIndex) {
            self.term = term
            self.commit = commit
            self.applied = applied
        }

        init(_ status: GroupStatus) {
            self.init(term: status.term, commit: status.commit, applied: status.applied)
        }
    }

    package init() {}

    /// What is wrong with how a replica stands; nil if nothing is.
    /// - Parameter last: how it stood before; nil for the first time in a life.
    package func goesOn(_ status: Place, from last: Place?) -> String? {
        guard let last else { return nil }
        if status.term < last.term {
            return "goes back from term \(last.term) to \(status.term)"
        }
        if status.commit < last.commit {
            return "goes back from commit \(last.commit) to \(status.commit)"
        }
        if status.applied < last.applied {
            return "goes back from applied \(last.applied) to \(status.applied)"
        }
        return nil
    }
}
