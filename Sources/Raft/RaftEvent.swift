/// What can happen to a replica of a group, and what it can want done.
///
/// The host puts the bytes to the entries: a command is proposed by its size, and its bytes stay
/// with the host under the position that `accepted` tells. Whatever comes or goes as an `Entry` of
/// (index, term) has its bytes in the message that carried it.
package import Base

package typealias RaftEffects = [RaftEffect]

package enum RaftEvent: Sendable {
    case received(RaftMessage)
    /// Everything up to that token is on disk.
    case persisted(DurabilityToken)
    /// A command of at least one byte.
    case propose(ProposalID, byteCount: Int)
    case changeMembership(ProposalID, [MembershipChange])
    case transferLeadership(to: ReplicaID)
    /// A linearizable read, on whatever replica.
    case read(ReadID)
    /// What was sent there may be lost: its connection broke.
    case unreachable(ReplicaID)
    /// The snapshot that `sendSnapshot` asked for was handed over in full, at that index; nil: it
    /// was not.
    case snapshotEnded(to: ReplicaID, at: LogIndex?)
    /// The host keeps the log's entries only behind that index.
    case compacted(through: LogIndex)
    case setPriority(Int)
    /// Someone needs the group, or a store of its members is in doubt: end hibernation.
    case wake
    /// Everything that arrived in this turn of the loop has been handed over.
    case turnEnded
    /// `nextDeadline` has come.
    case deadlineReached
}

package enum RaftEffect: Hashable, Sendable {
    case persist(LogWrite)
    /// Only when that token, and every earlier one, is on disk.
    case send(RaftMessage, after: DurabilityToken?)
    /// Build a snapshot of what is applied, at `atLeast` or behind, hand it to that replica with a
    /// `snapshot` message of this term, and report `snapshotEnded`.
    case sendSnapshot(to: ReplicaID, term: Term, beat: Beat, atLeast: LogIndex)
    /// A staged snapshot is of no use: the log has all of it.
    case discardSnapshot(LogPosition)
    /// Committed and on this replica's disk, up to and with that index.
    case apply(through: LogIndex)
    /// In the log at that place; committed when `apply` reaches it with the same term.
    case accepted(ProposalID, LogPosition)
    case refused(ProposalID, RaftRefusal)
    /// Read when everything up to that index is applied.
    case readReady(ReadID, LogIndex)
    case readRefused(ReadID, RaftRefusal)
    /// Everything that anyone had acknowledged at that moment of this replica's clock is at that
    /// index or before it.
    case viewed(LogIndex, asOf: Instant)
    /// This replica leads on. A transfer that works ends with `roleChanged`.
    case transferFailed(to: ReplicaID, RaftRefusal)
    case roleChanged(RoleReport)
}

/// Names a write of a group; rises by one with each.
package struct DurabilityToken: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var number: UInt64
    package init(number: UInt64) { self.number = number }
    package static func < (a: Self, b: Self) -> Bool { a.number < b.number }
    package var description: String { String(number) }
}

package struct ProposalID: Hashable, Sendable {
    package var number: UInt64
    package init(_ number: UInt64) { self.number = number }
}

package struct ReadID: Hashable, Sendable {
    package var number: UInt64
    package init(_ number: UInt64) { self.number = number }
}

/// One atomic write. Either all of it is on disk or nothing: a term without its vote would be a
/// second vote (reliability.md row 1), a snapshot without the cut of the log a false log (row 56).
package struct LogWrite: Hashable, Sendable {
    package var token: DurabilityToken
    package var hardState: HardState?
    /// Put that staged snapshot in place of the state and of the whole log, and take its position
    /// as applied.
    package var snapshot: SnapshotIdentity?
    /// Drop every entry from there on, then write `entries` there.
    package var firstIndex: LogIndex
    package var entries: [Entry]
    /// Whether entries were overwritten, or only added.
    package var truncates: Bool

    package init(
        token: DurabilityToken, hardState: HardState? = nil, snapshot: SnapshotIdentity? = nil,
        firstIndex: LogIndex, entries: [Entry] = [], truncates: Bool
    ) {
        self.token = token
        self.hardState = hardState
        self.snapshot = snapshot
        self.firstIndex = firstIndex
        self.entries = entries
        self.truncates = truncates
    }
}

/// What a replica must never forget.
package struct HardState: Hashable, Sendable {
    package var term: Term
    /// Whom it voted for in that term.
    package var vote: ReplicaID?

    package init(term: Term, vote: ReplicaID?) {
        self.term = term
        self.vote = vote
    }

    package static let initial = HardState(term: 0, vote: nil)
}

/// What a replica finds on its disk when it starts. A new group begins with a snapshot at index 0
/// that holds its first membership; a replica that joins, with one that holds none.
package struct RecoveredState: Sendable {
    package var hardState: HardState
    package var snapshot: SnapshotIdentity
    /// From `snapshot.position.index + 1` on.
    package var entries: [Entry]
    /// Known to be committed: what the state on disk has applied.
    package var applied: LogIndex

    package init(
        hardState: HardState = .initial, snapshot: SnapshotIdentity, entries: [Entry] = [],
        applied: LogIndex = 0
    ) {
        self.hardState = hardState
        self.snapshot = snapshot
        self.entries = entries
        self.applied = applied
    }
}

package enum Role: String, CaseIterable, Hashable, Sendable {
    case follower
    case preCandidate = "pre_candidate"
    case candidate, leader
}

package struct RoleReport: Hashable, Sendable {
    package var role: Role
    package var term: Term
    package var leader: ReplicaID?

    package init(role: Role, term: Term, leader: ReplicaID?) {
        self.role = role
        self.term = term
        self.leader = leader
    }
}

/// Why something was not done. Nothing has happened in any of these cases.
package enum RaftRefusal: Hashable, Sendable {
    /// Ask that one, if it is known: the core forwards nothing.
    case notLeader(ReplicaID?)
    case transferring(to: ReplicaID)
    /// Too many bytes in the log that are not committed.
    case tooMuchUncommitted
    case tooManyReads
    /// The leader's term has nothing committed, or an earlier change is not done.
    case changeUnderWay
    case membership(MembershipError)
    /// No voter, or this replica itself.
    case noTransferTarget
    case timedOut
}
