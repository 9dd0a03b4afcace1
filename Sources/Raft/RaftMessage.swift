/// What replicas of a group say to each other. Each message may be lost, delayed, doubled and
/// overtaken; none relies on a reply.
package import Base

package struct RaftMessage: Hashable, Sendable {
    package var from: ReplicaID
    package var to: ReplicaID
    /// The sender's term. A candidate for a pre-vote is still in its old one.
    package var term: Term
    package var body: Body

    package init(from: ReplicaID, to: ReplicaID, term: Term, body: Body) {
        self.from = from
        self.to = to
        self.term = term
        self.body = body
    }

    package enum Body: Hashable, Sendable {
        /// Would you vote for me in the next term (Raft thesis §9.6)?
        case preVote(Candidacy)
        case preVoteReply(PreVote)
        case vote(Candidacy)
        case voteReply(isGranted: Bool)
        case append(Append)
        case appendReply(AppendReply)
        case heartbeat(Heartbeat)
        case heartbeatReply(Beat, isAsleep: Bool, FollowerMark)
        /// The whole snapshot is there, staged by the host and not yet looked at.
        case snapshot(SnapshotIdentity, Beat)
        /// Campaign at once: the leader hands over.
        case timeoutNow
        case readIndex(ReadContext)
        case readIndexReply(ReadIndexReply)
        /// To a leader that hibernates: someone needs the group.
        case wakeUp
    }
}

package enum PreVote: Hashable, Sendable {
    case granted
    case refused
    /// The voter has a higher priority and a log as good, and campaigns itself.
    case claimed
}

/// Marks a message of a leader. The follower sends it back as it came; only the leader that made it
/// knows the clock that it is from.
package struct Beat: Hashable, Sendable {
    /// Rises with each broadcast of the term, so that an answer to an earlier one confirms nothing
    /// later (reliability.md row 37).
    package var round: UInt64
    package var sentAt: Instant

    package init(round: UInt64, sentAt: Instant) {
        self.round = round
        self.sentAt = sentAt
    }
}

package struct Candidacy: Hashable, Sendable {
    /// The end of the candidate's log.
    package var last: LogPosition
    package var priority: Int
    /// The leader asked for it, so its own promise to that leader binds no voter.
    package var isTransfer: Bool

    package init(last: LogPosition, priority: Int, isTransfer: Bool) {
        self.last = last
        self.priority = priority
        self.isTransfer = isTransfer
    }
}

package struct Append: Hashable, Sendable {
    /// The entry before the first of `entries`.
    package var previous: LogPosition
    package var entries: [Entry]
    package var commit: LogIndex
    package var beat: Beat

    package init(previous: LogPosition, entries: [Entry], commit: LogIndex, beat: Beat) {
        self.previous = previous
        self.entries = entries
        self.commit = commit
        self.beat = beat
    }
}

package struct AppendReply: Hashable, Sendable {
    package enum Outcome: Hashable, Sendable {
        /// Everything up to here is on disk and equal to the leader's log.
        case accepted(through: LogIndex)
        /// No entry like the leader's at `at`; the logs can agree at `hint` at the latest.
        case refused(at: LogIndex, hint: LogPosition)
        /// The sender is leader of a term that is over.
        case outdated
    }

    package var outcome: Outcome
    package var beat: Beat

    package init(outcome: Outcome, beat: Beat) {
        self.outcome = outcome
        self.beat = beat
    }
}

package struct Heartbeat: Hashable, Sendable {
    /// Committed, as far as the follower is known to have it.
    package var commit: LogIndex
    package var beat: Beat
    /// Nothing is left to do: forget the election deadline until something happens.
    package var asksSleep: Bool
    /// nil while the leader is not sure to lead, or has not heard of the follower.
    package var view: LeaderView?

    package init(
        commit: LogIndex, beat: Beat, asksSleep: Bool, view: LeaderView? = nil
    ) {
        self.commit = commit
        self.beat = beat
        self.asksSleep = asksSleep
        self.view = view
    }
}

/// A follower's place in its own time. The leader gives it back as it came; only the follower that
/// made it knows the clock that it is from. The incarnation is drawn anew at each start, so that
/// one from before a restart, whose clock may have been another, is recognised.
package struct FollowerMark: Hashable, Sendable {
    package var incarnation: UInt64
    package var madeAt: Instant

    package init(incarnation: UInt64, madeAt: Instant) {
        self.incarnation = incarnation
        self.madeAt = madeAt
    }
}

/// What a leader knew that nobody could have followed, after it had heard a follower's mark: so
/// everything that anyone had acknowledged when the mark was made is in it.
package struct LeaderView: Hashable, Sendable {
    package var commit: LogIndex
    package var heard: FollowerMark

    package init(commit: LogIndex, heard: FollowerMark) {
        self.commit = commit
        self.heard = heard
    }
}

/// Names a follower's request for a read index. The incarnation is drawn anew at each start, so
/// that an answer to a request from before a restart is recognised (reliability.md row 38).
package struct ReadContext: Hashable, Sendable {
    package var incarnation: UInt64
    /// Rises by one with each request: an answer serves every read that came before the request.
    package var number: UInt64

    package init(incarnation: UInt64, number: UInt64) {
        self.incarnation = incarnation
        self.number = number
    }
}

package struct ReadIndexReply: Hashable, Sendable {
    package var context: ReadContext
    /// What has to be applied before the reads.
    package var index: LogIndex
    /// Committed, as far as the follower is known to have it: saves it the wait for a heartbeat.
    package var commit: LogIndex

    package init(context: ReadContext, index: LogIndex, commit: LogIndex) {
        self.context = context
        self.index = index
        self.commit = commit
    }
}
