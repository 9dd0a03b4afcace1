/// One replica of a group on this node: the Raft core, the bytes of its entries, and the order in
/// which they reach the data.
///
/// The core (`RaftGroup`) knows an entry by its position and size. Here each position has its
/// record, until it is applied. A batch of writes goes: propose → record → `append` → `persisted`
/// → committed → `apply` → `applied` → `settled`. What was proposed is settled only when its place
/// in the log is applied: with its own entry, or with that of a later leader, which shows that it
/// never happened. Between the two nobody knows, so nobody is told anything.
///
/// It leaves out what a batch means, who waits for it, and every disk and socket.
package import Base
internal import DequeModule
package import Raft
package import Storage

package enum ReplicaEvent: Sendable {
    /// Put that batch into the log as one entry.
    case propose(ProposalID, WriteBatch)
    /// The log, up to that write, is on disk.
    case persisted(DurabilityToken)
    /// The data holds every entry up to that index; not necessarily on disk.
    case applied(through: LogIndex)
    /// The data has every entry up to that index on disk.
    case flushed(through: LogIndex)
    case received(PeerMessage)
    /// A linearizable read, on whatever replica; then `readReady` or `readRefused`.
    case read(ReadID)
    /// Settled like a proposal.
    case changeMembership(ProposalID, [MembershipChange])
    case transferLeadership(to: ReplicaID)
    case setPriority(Int)
    /// What was sent there may be lost, and nobody knows whether the replica lives.
    case unreachable(ReplicaID)
    /// See `RaftEvent`.
    case snapshotEnded(to: ReplicaID, at: LogIndex?)
    /// Everything that arrived in this turn of the loop has been handed over.
    case turnEnded
    /// `nextDeadline` has come.
    case deadlineReached
}

package enum ReplicaEffect: Sendable {
    /// Write it to the log and sync; then `persisted`, in order. If the write takes a snapshot, put
    /// that in place of the data first, behind every `apply` before it.
    case append(LogAppend)
    /// Write it to the data, in order; then `applied`.
    case apply(LogApply)
    case send(PeerMessage)
    /// An append whose entries' records are in the log only: read them there, then send it.
    case sendFromLog(RaftMessage)
    /// See `RaftEffect`.
    case sendSnapshot(to: ReplicaID, term: Term, beat: Beat, atLeast: LogIndex)
    case discardSnapshot(LogPosition)
    /// Let the log begin behind that base: nobody reads again what is before it.
    case compact(GroupBase)
    case settled(ProposalID, ProposalFate)
    /// The data has everything that was committed when the read came.
    case readReady(ReadID)
    case readRefused(ReadID, RaftRefusal)
    /// This replica leads on.
    case transferFailed(to: ReplicaID, RaftRefusal)
    case roleChanged(RoleReport)
    /// A committed entry cannot be read: this replica's log is damaged, and the node has to end.
    case failed(StorageError)
}

/// A write of the core, with the record of each of its entries.
package struct LogAppend: Sendable {
    package var group: GroupID
    package var write: LogWrite
    package var records: [Bytes]
}

/// Entries that are committed, as one batch that holds the fact that they are applied.
package struct LogApply: Sendable {
    package var group: GroupID
    package var through: LogIndex
    package var batch: WriteBatch
}

package enum ProposalFate: Hashable, Sendable {
    case applied(LogIndex)
    /// Certain not to have happened: another entry stands in its place.
    case superseded
    /// A snapshot has taken its place in the log, and does not tell.
    case unknown
    /// Not in any log.
    case refused(RaftRefusal)
}

/// How much of the log a replica keeps that it has on disk as data.
package struct LogBytesKept: Sendable {
    /// A leader, for those that lag; past it they get a snapshot.
    package var byLeader: Int
    /// Any other, should it come to lead.
    package var byFollower: Int

    package init(
        byLeader: Int = Limits.logBytesForFollowers,
        byFollower: Int = Limits.logBytesOfFollower
    ) {
        self.byLeader = byLeader
        self.byFollower = byFollower
    }
}

package struct Replica: Sendable {
    /// What is asked for at every turn and at every read. Kept since the last step, which alone can
    /// change it: worked out through an optional, each question copied the whole replica.
    package struct Standing: Hashable, Sendable {
        package var isServing = false
        package var isCurrent = true
        package var hasFollowers = false
        package var hasLearners = false
        /// See `Replica.leaseEnd`.
        package var leaseEnd: Instant?
        package var nextDeadline: Instant?

        /// Of no replica at all.
        package static let none = Standing()
    }

    package private(set) var standing = Standing.none

    package let group: GroupID
    package internal(set) var raft: RaftGroup

    let logBytesKept: LogBytesKept

    struct Item: Sendable {
        var term: Term
        var record: Bytes
        /// Of an entry that was proposed here; of any other it is decoded when it is applied.
        var batch: WriteBatch?
    }

    struct Proposal: Sendable {
        var id: ProposalID
        var position: LogPosition
    }

    /// Entries from `firstItem` on, which is not behind what is to be applied next, to the end of
    /// the log or to where the core has added entries of its own since.
    var items: Deque<Item>
    var firstItem: LogIndex
    var itemBytes = 0
    /// The host was told to apply up to here…
    var handedOver: LogIndex
    /// …and has done so up to here.
    package internal(set) var applied: LogIndex
    /// Of this replica's present term as leader, by position.
    var proposals: Deque<Proposal> = []
    /// Of terms in which it led before: others may stand in their places.
    var doubtful: [Proposal] = []
    /// Reads that wait until the data has that entry, oldest first.
    var reads: [(id: ReadID, index: LogIndex)] = []
    /// Snapshots on their way to the disk, oldest first, and the writes that put them in place. The
    /// host needs each until then, though it may come once more and be of no use.
    var snapshotsUnderWay: Deque<(position: LogPosition, token: DurabilityToken?)> = []
    /// The next apply takes the fact away that a snapshot was put in place.
    var hasStagedFact: Bool
    /// Messages that wait for a write of the log.
    var held: Deque<(after: DurabilityToken, message: PeerMessage)> = []
    package internal(set) var freshness = Freshness()
    /// The batch that the core is being asked about.
    var proposed: (command: Bytes, batch: WriteBatch)?
    var raftEffects: RaftEffects = []

    /// - Parameters:
    ///   - records: of the entries behind what is applied, in order.
    ///   - hasStagedFact: the data says that a snapshot was put in place.
    package init(
        group: GroupID, id: ReplicaID, settings: RaftSettings, recovered: RecoveredState,
        records: [Bytes], logBytesKept: LogBytesKept = LogBytesKept(),
        hasStagedFact: Bool = false, generator: SeededGenerator, at now: Instant
    ) {
        self.group = group
        self.logBytesKept = logBytesKept
        self.hasStagedFact = hasStagedFact
        let raft = RaftGroup(
            id: id, settings: settings, recovered: recovered, generator: generator, at: now)
        let applied = max(recovered.snapshot.position.index, recovered.applied)
        invariant(
            applied + LogIndex(records.count) == raft.trail.lastIndex,
            "every entry that is not applied has its record")
        items = Deque(
            records.enumerated().map { offset, record in
                let term = raft.trail.term(at: applied + 1 + LogIndex(offset)) ?? 0
                return Item(term: term, record: record)
            })
        self.raft = raft
        self.applied = applied
        handedOver = applied
        firstItem = applied + 1
        itemBytes = items.reduce(0) { $0 + $1.record.count }
        noteStanding()
    }

    package var nextDeadline: Instant? { raft.nextDeadline }

    /// Whether this replica leads and its data has everything that was ever acknowledged: an entry
    /// of its own term is applied, and with it all before it (Raft §8).
    package var isServing: Bool {
        raft.role == .leader && raft.trail.term(at: applied) == raft.term
    }

    /// Whether the group has no other replica.
    package var isAlone: Bool { raft.membership.everyone == [raft.id] }

    /// Until when the data here is everything that was ever acknowledged, without asking anyone.
    package var leaseEnd: Instant? { isServing ? raft.leaseEnd : nil }

    /// Whether the data can be read: not while a snapshot takes its place.
    package var isReadable: Bool { snapshotsUnderWay.isEmpty }

    /// Whether the data has everything that is known to be committed.
    package var isCurrent: Bool { applied >= raft.commit }

    /// Whether the data is what `applied` says, and nothing is on its way there.
    package var isSettled: Bool { applied == handedOver }

    /// A read index that was asked for then is applied: the data is no older.
    package mutating func wasCurrent(at moment: Instant) {
        freshness.learn(applied, asOf: moment, applied: applied)
    }

    /// Whether nothing is under way.
    package var isIdle: Bool {
        proposals.isEmpty && doubtful.isEmpty && reads.isEmpty
            && applied == raft.trail.lastIndex
    }

    package mutating func step(
        _ event: consuming ReplicaEvent, at now: Instant, into effects: inout [ReplicaEffect]
    ) {
        switch consume event {
        case .propose(let id, let batch):
            let command = CommandRecord.encode(batch)
            proposed = (command, batch)
            raft.step(.propose(id, byteCount: command.count), at: now, into: &raftEffects)
        case .persisted(let token):
            raft.step(.persisted(token), at: now, into: &raftEffects)
            release(through: token, into: &effects)
            finishSnapshot(through: token, into: &effects)
        case .applied(let index): settle(through: index, into: &effects)
        case .flushed(let index): compact(through: index, at: now, into: &effects)
        case .received(let message): receive(message, at: now)
        case .read(let id): raft.step(.read(id), at: now, into: &raftEffects)
        case .changeMembership(let id, let changes):
            raft.step(.changeMembership(id, changes), at: now, into: &raftEffects)
        case .transferLeadership(let target):
            raft.step(.transferLeadership(to: target), at: now, into: &raftEffects)
        case .setPriority(let priority):
            raft.step(.setPriority(priority), at: now, into: &raftEffects)
        case .unreachable(let id):
            raft.step(.unreachable(id), at: now, into: &raftEffects)
            // It may have led a group that sleeps.
            raft.step(.wake, at: now, into: &raftEffects)
        case .snapshotEnded(let id, let index):
            raft.step(.snapshotEnded(to: id, at: index), at: now, into: &raftEffects)
        case .turnEnded: raft.step(.turnEnded, at: now, into: &raftEffects)
        case .deadlineReached: raft.step(.deadlineReached, at: now, into: &raftEffects)
        }
        var made: RaftEffects = []
        swap(&made, &raftEffects)
        for effect in made { execute(effect, into: &effects) }
        made.removeAll(keepingCapacity: true)
        swap(&made, &raftEffects)
        noteStanding()
    }

    private mutating func noteStanding() {
        standing = Standing(
            isServing: isServing, isCurrent: isCurrent, hasFollowers: raft.hasFollowers,
            hasLearners: !raft.membership.learners.isEmpty, leaseEnd: leaseEnd,
            nextDeadline: nextDeadline)
    }

    private mutating func execute(_ effect: RaftEffect, into effects: inout [ReplicaEffect]) {
        switch effect {
        case .accepted(let id, let position): accepted(id, position)
        case .refused(let id, let refusal):
            proposed = nil
            effects.append(.settled(id, .refused(refusal)))
        case .persist(let write): append(write, into: &effects)
        case .send(let message, let token): send(message, after: token, into: &effects)
        case .apply(let index): apply(through: index, into: &effects)
        case .roleChanged(let report):
            if report.role != .leader {
                doubtful += proposals
                proposals = []
            }
            effects.append(.roleChanged(report))
        case .sendSnapshot(let follower, let term, let beat, let index):
            effects.append(.sendSnapshot(to: follower, term: term, beat: beat, atLeast: index))
        case .discardSnapshot(let position):
            if !snapshotsUnderWay.contains(where: { $0.position == position }) {
                effects.append(.discardSnapshot(position))
            }
        case .readReady(let id, let index):
            if index <= applied {
                effects.append(.readReady(id))
            } else {
                reads.append((id, index))
            }
        case .readRefused(let id, let refusal): effects.append(.readRefused(id, refusal))
        case .viewed(let index, let asOf):
            freshness.learn(index, asOf: asOf, applied: applied)
        case .transferFailed(let target, let refusal):
            effects.append(.transferFailed(to: target, refusal))
        }
    }
}
