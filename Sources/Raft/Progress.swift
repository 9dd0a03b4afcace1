/// A follower's progress as its leader sees it, and the window of what is on its way there.
///
/// Pure bookkeeping: it decides what may be sent next; `RaftGroup` sends.
package import Base

/// What a leader knows of one follower's log, and how much it may send.
///
/// *Probing*: the place where the logs agree is not known; one append at a time. *Replicating*: it
/// is known; appends follow one another without waiting, as many as the window allows.
/// *AwaitingSnapshot*: what it needs is compacted; nothing goes until it has a snapshot.
/// (The three states are those of etcd's raft.)
package struct Progress: Hashable, Sendable {
    package enum State: Hashable, Sendable {
        case probing
        case replicating
        case awaitingSnapshot
    }

    package let id: ReplicaID
    package private(set) var state = State.probing
    /// Known to be on the follower's disk and equal to the leader's log.
    package private(set) var match: LogIndex = 0
    /// The next entry to send; always above `match`.
    package private(set) var next: LogIndex
    /// While probing: an append is on its way and nothing has been heard since.
    package private(set) var isWaiting = false
    /// While replicating: look once whether something was lost.
    package private(set) var wantsProbe = false
    package private(set) var window: SendWindow

    /// Of the newest beat that the follower has answered in this term.
    package private(set) var answeredRound: UInt64 = 0
    /// When that beat was sent: from then on the follower grants no vote for an election timeout.
    package private(set) var promisedSince = Instant.origin
    /// When it was last heard of, whatever it said.
    package var heardAt: Instant
    /// The last that came with an answer; one that was overtaken only makes it seem older.
    package var mark: FollowerMark?
    /// The commit index that it was last told.
    package var toldCommit: LogIndex = 0
    /// What it had when it last answered a heartbeat.
    private var matchAtHeartbeat: LogIndex = 0
    /// Whether anything was sent since then.
    private var hasSent = false
    /// It sleeps since that round.
    package var asleepSince: UInt64?

    package init(id: ReplicaID, next: LogIndex, window: SendWindow, at now: Instant) {
        self.id = id
        self.next = next
        self.window = window
        heardAt = now
    }

    package var maySend: Bool {
        switch state {
        case .probing: !isWaiting
        case .replicating: !window.isFull
        case .awaitingSnapshot: false
        }
    }

    package mutating func sent(_ entries: [Entry]) {
        switch state {
        case .probing: isWaiting = true
        case .replicating:
            next += LogIndex(entries.count)
            if !entries.isEmpty {
                window.add(
                    through: next - 1, bytes: entries.reduce(0) { $0 + $1.byteCount },
                    count: entries.count)
            }
        case .awaitingSnapshot: invariant(false, "nothing is sent beside a snapshot")
        }
        wantsProbe = false
        hasSent = true
    }

    /// The follower has everything up to `index` on disk. True if that is news.
    package mutating func accepted(through index: LogIndex, logBegins first: LogIndex) -> Bool {
        let isNews = index > match
        match = max(match, index)
        next = max(next, match + 1)
        switch state {
        case .probing: replicate()
        case .replicating: window.free(through: match)
        case .awaitingSnapshot:
            // Whatever brought it there, the log goes on from where it is.
            if match + 1 >= first { replicate() }
        }
        return isNews
    }

    /// The follower has no entry like the leader's at `index`; the logs may agree at `hint`. A
    /// refusal of what has been settled since is not looked at (reliability.md row 15).
    package mutating func refused(at index: LogIndex, hint: LogIndex) {
        switch state {
        case .probing:
            guard index + 1 == next else { return }
        case .replicating:
            guard index > match else { return }
        case .awaitingSnapshot: return
        }
        probe(from: min(hint + 1, index))
    }

    /// What was on its way may be lost.
    package mutating func lost() {
        if state == .replicating { probe(from: match + 1) }
        isWaiting = false
    }

    package mutating func answered(_ beat: Beat) {
        answeredRound = max(answeredRound, beat.round)
        promisedSince = max(promisedSince, beat.sentAt)
    }

    /// A heartbeat was answered. If nothing was sent and nothing has arrived there since the answer
    /// before it, although entries are missing, then what was sent before may be lost.
    package mutating func answeredHeartbeat(lastIndex: LogIndex) {
        let isQuiet = match == matchAtHeartbeat && !hasSent
        matchAtHeartbeat = match
        hasSent = false
        guard match < lastIndex, isQuiet else { return }
        isWaiting = false
        wantsProbe = state == .replicating
    }

    package mutating func needsSnapshot() {
        state = .awaitingSnapshot
        window.removeAll()
        isWaiting = false
        wantsProbe = false
    }

    /// The transfer is over: of a snapshot at `index`, or nil if it failed. Once the follower is
    /// heard of, a probe behind that place shows whether it has it; if not, it is sent another.
    package mutating func snapshotEnded(at index: LogIndex?) {
        guard state == .awaitingSnapshot else { return }
        probe(from: max(match, index ?? 0) + 1)
        isWaiting = true
    }

    private mutating func probe(from index: LogIndex) {
        state = .probing
        next = max(match + 1, index)
        isWaiting = false
        wantsProbe = false
        window.removeAll()
    }

    private mutating func replicate() {
        state = .replicating
        next = match + 1
        isWaiting = false
        window.removeAll()
    }
}

/// Appends on their way to a follower, bounded in entries and in bytes. One always fits.
package struct SendWindow: Hashable, Sendable {
    private struct Append: Hashable, Sendable {
        var through: LogIndex
        var bytes: Int
        var count: Int
    }

    private let entryLimit: Int
    private let byteLimit: Int
    /// Oldest first.
    private var appends: [Append] = []
    package private(set) var entryCount = 0
    package private(set) var byteCount = 0

    package init(entryLimit: Int, byteLimit: Int) {
        self.entryLimit = entryLimit
        self.byteLimit = byteLimit
    }

    package var isFull: Bool { entryCount >= entryLimit || byteCount >= byteLimit }
    /// What another append may hold, so that the window is exceeded by one entry at most.
    package var entryRoom: Int { max(1, entryLimit - entryCount) }
    package var byteRoom: Int { max(0, byteLimit - byteCount) }

    package mutating func add(through index: LogIndex, bytes: Int, count: Int) {
        appends.append(Append(through: index, bytes: bytes, count: count))
        byteCount += bytes
        entryCount += count
    }

    package mutating func free(through index: LogIndex) {
        let freed = appends.prefix { $0.through <= index }
        for append in freed {
            byteCount -= append.bytes
            entryCount -= append.count
        }
        appends.removeFirst(freed.count)
    }

    package mutating func removeAll() {
        appends.removeAll(keepingCapacity: true)
        byteCount = 0
        entryCount = 0
    }
}
