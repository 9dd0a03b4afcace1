/// Who takes part, and where in a log something stands.
///
/// Raft names an entry by its index and the term in which a leader made it; by the Log Matching
/// Property (Raft §5.3) the pair names the entry's content too. That is all the core knows of an
/// entry: the bytes stay with whoever runs the group.

/// A member of one group. Never used twice: a replica that lost its data comes back under a new id,
/// for its old one has voted and acknowledged what it no longer knows.
package struct ReplicaID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var number: UInt64
    package init(_ number: UInt64) { self.number = number }
    package static func < (a: ReplicaID, b: ReplicaID) -> Bool { a.number < b.number }
    package var description: String { String(number) }
}

/// Rises with each election; 0 before the first.
package typealias Term = UInt64

/// The place of an entry; the first entry has index 1.
package typealias LogIndex = UInt64

/// An index with the term of the entry there. Ordered as votes compare logs (Raft §5.4.1): the
/// later term wins, then the longer log.
package struct LogPosition: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var index: LogIndex
    package var term: Term

    package init(index: LogIndex, term: Term) {
        self.index = index
        self.term = term
    }

    /// Before the first entry.
    package static let start = LogPosition(index: 0, term: 0)

    package static func < (a: LogPosition, b: LogPosition) -> Bool {
        (a.term, a.index) < (b.term, b.index)
    }

    package var description: String { "\(index)@\(term)" }
}

/// What the core knows of an entry.
package struct Entry: Hashable, Sendable {
    package enum Content: Hashable, Sendable {
        /// A new leader's first entry: it commits what earlier terms left (Raft §5.4.2).
        case blank
        /// A command of so many bytes; the bytes are with the host under (index, term).
        case command(byteCount: Int)
        /// The whole membership from this entry on.
        case membership(Membership)
    }

    package var term: Term
    package var content: Content

    package init(term: Term, _ content: Content) {
        self.term = term
        self.content = content
    }

    package var byteCount: Int {
        if case .command(let byteCount) = content { byteCount } else { 0 }
    }
}

/// A state that stands for every entry up to a position.
package struct SnapshotIdentity: Hashable, Sendable {
    package var position: LogPosition
    /// In force at the position, joint or not.
    package var membership: Membership

    package init(position: LogPosition, membership: Membership) {
        self.position = position
        self.membership = membership
    }
}
