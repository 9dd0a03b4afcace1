/// What a replica keeps while it leads, and forgets when it no longer does.
internal import Base

struct Leadership: Sendable {
    /// The blank entry of this term. Once it is committed everything before it is, and the leader
    /// knows what is (Raft §5.4.2, §8).
    let firstIndex: LogIndex
    /// All but the leader itself, by id.
    var followers: [Progress]
    /// Of the newest broadcast.
    var round: UInt64 = 0
    /// A broadcast at the end of this turn.
    var isBroadcastDue = true
    /// Nil while the group sleeps.
    var heartbeatDeadline: Instant?
    /// Silence counts from here: the start, or when the group woke up.
    var activeSince: Instant
    var reads: [LeaderRead] = []
    var transfer: Transfer?
    /// Someone may campaign at any time without asking for anyone's promise: no lease in this term.
    var isLeaseGivenUp = false
    /// Bytes of commands behind the commit index.
    var uncommittedBytes: Int
    /// Heartbeats in a row at which nothing was left to do.
    var quietRounds = 0
    var asksSleep = false

    struct Transfer: Sendable {
        var target: ReplicaID
        var deadline: Instant
    }

    func progress(of id: ReplicaID) -> Progress? { followers.first { $0.id == id } }
    func place(of id: ReplicaID) -> Int? { followers.firstIndex { $0.id == id } }
}

/// A read that waits for the leader to be confirmed.
struct LeaderRead: Sendable {
    enum Origin: Sendable {
        case local(ReadID)
        case remote(ReplicaID, ReadContext)
    }

    var origin: Origin
    /// The commit index when the read came; nil until this term has committed something.
    var index: LogIndex?
    /// A majority has to answer this round or a later one.
    var round: UInt64
}

/// The votes of one campaign.
struct Campaign: Sendable {
    let isTransfer: Bool
    private(set) var granted: [ReplicaID] = []
    private(set) var refused: [ReplicaID] = []
    /// The candidate's own vote counts when it is on disk.
    var ownVote: DurabilityToken?

    init(isTransfer: Bool) { self.isTransfer = isTransfer }

    mutating func record(_ id: ReplicaID, isGranted: Bool) {
        guard !granted.contains(id), !refused.contains(id) else { return }
        if isGranted { granted.append(id) } else { refused.append(id) }
    }

    func vote(of id: ReplicaID) -> Bool? {
        granted.contains(id) ? true : refused.contains(id) ? false : nil
    }
}
