/// At most one leader in a term, at most one vote of a replica in a term, and terms that never
/// fall, whatever crashes (Raft §5.2, §5.4; reliability.md rows 1, 2 and 4).
internal import Base
package import Raft

/// Who leads in each term, as the replicas themselves see it.
package struct ElectionSafety {
    private var leaders: [Term: ReplicaID] = [:]

    package init() {}

    /// What is wrong with `id` leading in `term`; nil if nothing is.
    package mutating func leads(_ id: ReplicaID, in term: Term) -> String? {
        guard let other = leaders[term] else {
            leaders[term] = id
            lastTerm = max(lastTerm, term)
            return nil
        }
        return other == id ? nil : "replicas \(other) and \(id) both lead in term \(term)"
    }

    package var leaderCount: Int { leaders.count }
    package private(set) var lastTerm: Term = 0
}

/// What replicas promise each other, as others can hear it.
package struct VoteOnce {
    private struct Voter: Hashable {
        var id: ReplicaID
        var term: Term
    }

    private var votes: [Voter: ReplicaID] = [:]
    private var terms: [ReplicaID: Term] = [:]

    package init() {}

    /// What is wrong with a message that leaves; nil if nothing is.
    package mutating func sends(_ message: RaftMessage) -> String? {
        let last = terms[message.from] ?? 0
        guard message.term >= last else {
            return "replica \(message.from) speaks in term \(message.term) and spoke in \(last)"
        }
        terms[message.from] = message.term
        let candidate: ReplicaID? =
            switch message.body {
            case .voteReply(isGranted: true): message.to
            // Who asks for votes has given its own.
            case .vote: message.from
            default: nil
            }
        guard let candidate else { return nil }
        let voter = Voter(id: message.from, term: message.term)
        guard let other = votes[voter], other != candidate else {
            votes[voter] = candidate
            return nil
        }
        return "replica \(voter.id) votes for \(other) and for \(candidate) in term \(voter.term)"
    }
}
