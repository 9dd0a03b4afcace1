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
    /// Everything that arrived in this turn of the loop has been handed over.
    case turnEnded
    /// `nextDeadline` has come.
    case deadlineReached
}

package enum ReplicaEffect: Sendable {
    /// Write it to the log and sync; then `persisted`, in order.
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
    case applied
    /// Certain not to have happened: another entry stands in its place.
    case superseded
    /// Not in any log.
    case refused(RaftRefusal)
}

package struct Replica: Sendable {
    package let group: GroupID
    package private(set) var raft: RaftGroup

    private let logBytesForFollowers: Int

    private struct Item: Sendable {
        var term: Term
        var record: Bytes
        /// Of an entry that was proposed here; of any other it is decoded when it is applied.
        var batch: WriteBatch?
    }

    private struct Proposal: Sendable {
        var id: ProposalID
        var position: LogPosition
    }

    /// Entries from `firstItem` on, which is not behind what is to be applied next, to the end of
    /// the log or to where the core has added entries of its own since.
    private var items: Deque<Item>
    private var firstItem: LogIndex
    private var itemBytes = 0
    /// The host was told to apply up to here…
    private var handedOver: LogIndex
    /// …and has done so up to here.
    package private(set) var applied: LogIndex
    /// Of this replica's present term as leader, by position.
    private var proposals: Deque<Proposal> = []
    /// Of terms in which it led before: others may stand in their places.
    private var doubtful: [Proposal] = []
    /// Messages that wait for a write of the log.
    private var held: Deque<(after: DurabilityToken, message: PeerMessage)> = []
    /// The batch that the core is being asked about.
    private var proposed: (command: Bytes, batch: WriteBatch)?
    private var raftEffects: RaftEffects = []

    /// - Parameters:
    ///   - records: of the entries behind what is applied, in order.
    ///   - logBytesForFollowers: kept for those that lag; past it they get a snapshot.
    package init(
        group: GroupID, id: ReplicaID, settings: RaftSettings, recovered: RecoveredState,
        records: [Bytes], logBytesForFollowers: Int = Limits.logBytesForFollowers,
        generator: SeededGenerator, at now: Instant
    ) {
        self.group = group
        self.logBytesForFollowers = logBytesForFollowers
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
    }

    package var nextDeadline: Instant? { raft.nextDeadline }

    /// Whether this replica leads and its data has everything that was ever acknowledged: an entry
    /// of its own term is applied, and with it all before it (Raft §8).
    package var isServing: Bool {
        raft.role == .leader && raft.trail.term(at: applied) == raft.term
    }

    /// Whether nothing is under way.
    package var isIdle: Bool {
        proposals.isEmpty && doubtful.isEmpty && applied == raft.trail.lastIndex
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
        case .applied(let index): settle(through: index, into: &effects)
        case .flushed(let index): compact(through: index, at: now, into: &effects)
        case .received(let message):
            raft.step(.received(message.message), at: now, into: &raftEffects)
            if case .append(let append) = message.message.body { keep(message.entries, append) }
        case .turnEnded: raft.step(.turnEnded, at: now, into: &raftEffects)
        case .deadlineReached: raft.step(.deadlineReached, at: now, into: &raftEffects)
        }
        var made: RaftEffects = []
        swap(&made, &raftEffects)
        for effect in made { execute(effect, into: &effects) }
        made.removeAll(keepingCapacity: true)
        swap(&made, &raftEffects)
    }

    private mutating func execute(_ effect: RaftEffect, into effects: inout [ReplicaEffect]) {
        switch effect {
        case .accepted(let id, let position): accepted(id, position)
        case .refused(let id, let refusal):
            proposed = nil
            effects.append(.settled(id, .refused(refusal)))
        case .persist(let write):
            effects.append(.append(LogAppend(group: group, write: write, records: take(write))))
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
        case .discardSnapshot(let position): effects.append(.discardSnapshot(position))
        case .readReady, .readRefused, .transferFailed:
            invariant(false, "nobody has asked this group for \(effect)")
        }
    }

    // MARK: The log

    private mutating func accepted(_ id: ProposalID, _ position: LogPosition) {
        guard let proposed else {
            invariant(false, "what is accepted was proposed just now")
            return
        }
        let entry = Entry(term: position.term, .command(byteCount: proposed.command.count))
        let record = EntryRecord.encode(entry, command: proposed.command)
        put(Item(term: position.term, record: record, batch: proposed.batch), at: position.index)
        proposals.append(Proposal(id: id, position: position))
        self.proposed = nil
    }

    /// The records of an append's entries, where the core has taken them and they are not there.
    private mutating func keep(_ records: [Bytes], _ append: Append) {
        var index = append.previous.index
        for (entry, record) in zip(append.entries, records) {
            index += 1
            guard index > handedOver, raft.trail.term(at: index) == entry.term else { continue }
            let place = Int(index - firstItem)
            if place < items.count, items[place].term == entry.term { continue }
            put(Item(term: entry.term, record: record), at: index)
        }
    }

    private mutating func take(_ write: LogWrite) -> [Bytes] {
        guard !write.entries.isEmpty else { return [] }
        let records = records(from: write.firstIndex, count: write.entries.count)
        invariant(records != nil, "what is written to the log is not forgotten before it is")
        return records ?? []
    }

    /// nil if they are in the log only.
    private mutating func records(from index: LogIndex, count: Int) -> [Bytes]? {
        guard index >= firstItem else { return nil }
        fill(before: index + LogIndex(count))
        let place = Int(index - firstItem)
        return items[place..<place + count].map(\.record)
    }

    /// Whatever stood there and behind it was overwritten.
    private mutating func put(_ item: Item, at index: LogIndex) {
        invariant(index > handedOver, "what is committed is not overwritten")
        fill(before: index)
        let count = items.count - Int(index - firstItem)
        itemBytes -= items.suffix(count).reduce(0) { $0 + $1.record.count }
        items.removeLast(count)
        add(item)
    }

    private mutating func add(_ item: Item) {
        itemBytes += item.record.count
        items.append(item)
    }

    /// What is applied and no follower lacks, or more than is kept for followers that lag.
    private mutating func forget() {
        let needed = raft.followers.map(\.match).min() ?? handedOver
        while firstItem <= handedOver, firstItem <= needed || itemBytes > Limits.entryCacheBytes {
            guard let item = items.popFirst() else { return }
            itemBytes -= item.record.count
            firstItem += 1
        }
    }

    /// Adds the entries that the core has made by itself: a blank one, a membership.
    private mutating func fill(before index: LogIndex) {
        while firstItem + LogIndex(items.count) < index {
            let next = firstItem + LogIndex(items.count)
            guard let entry = raft.trail.entry(at: next), entry.byteCount == 0 else {
                invariant(false, "entry \(next) was put in its place when it came")
                return
            }
            add(Item(term: entry.term, record: EntryRecord.encode(entry)))
        }
    }

    /// Keeps what a follower lacks, as long as that is less to send than a snapshot.
    ///
    /// The data may be ahead of what is known here. History: (1) a worker applies an entry, (2) a
    /// flush takes it along and is reported, (3) the worker reports. What comes with the third is
    /// left for the next flush.
    private mutating func compact(
        through flushed: LogIndex, at now: Instant, into effects: inout [ReplicaEffect]
    ) {
        let flushed = min(flushed, applied)
        let needed = raft.followers.map(\.match).min() ?? flushed
        let isLarge =
            raft.trail.byteCount(after: min(needed, flushed), through: flushed)
            > logBytesForFollowers
        let index = isLarge ? flushed : min(needed, flushed)
        guard index > raft.trail.base.index else { return }
        effects.append(.compact(GroupBase(replica: raft.id, snapshot: identity(at: index))))
        raft.step(.compacted(through: index), at: now, into: &raftEffects)
    }

    private func identity(at index: LogIndex) -> SnapshotIdentity {
        guard let term = raft.trail.term(at: index) else {
            invariant(false, "\(index) is in the log")
            return SnapshotIdentity(position: .start, membership: Membership())
        }
        return SnapshotIdentity(
            position: LogPosition(index: index, term: term),
            membership: raft.trail.membership(at: index))
    }

    // MARK: Messages

    private mutating func send(
        _ message: RaftMessage, after token: DurabilityToken?, into effects: inout [ReplicaEffect]
    ) {
        var records: [Bytes]? = []
        if case .append(let append) = message.body, !append.entries.isEmpty {
            records = self.records(
                from: append.previous.index + 1, count: append.entries.count)
        }
        guard let records else {
            invariant(token == nil, "a leader's appends wait for no write of its own")
            effects.append(.sendFromLog(message))
            return
        }
        let peer = PeerMessage(group: group, message: message, entries: records)
        if let token { held.append((token, peer)) } else { effects.append(.send(peer)) }
    }

    private mutating func release(
        through token: DurabilityToken, into effects: inout [ReplicaEffect]
    ) {
        while let first = held.first, first.after <= token {
            effects.append(.send(first.message))
            held.removeFirst()
        }
    }

    // MARK: The data

    /// Hands over what is committed: whole entries, not much more at once than one write may be.
    private mutating func apply(through end: LogIndex, into effects: inout [ReplicaEffect]) {
        while handedOver < end {
            var batch = WriteBatch()
            repeat {
                handedOver += 1
                do throws(DecodeError) {
                    try take(Int(handedOver - firstItem), into: &batch)
                } catch {
                    let place = "entry \(handedOver) of group \(group)"
                    effects.append(.failed(.corrupt("\(place) cannot be read: \(error)")))
                    return
                }
            } while handedOver < end && batch.byteCount < Limits.mergedWriteBytes
            let record = AppliedRecord(group: group, snapshot: identity(at: handedOver))
            batch.put(.meta, AppliedRecord.key(of: group), record.encoded)
            effects.append(.apply(LogApply(group: group, through: handedOver, batch: batch)))
        }
        forget()
    }

    private mutating func take(_ place: Int, into batch: inout WriteBatch) throws(DecodeError) {
        if let own = items[place].batch {
            items[place].batch = nil
            if batch.isEmpty { batch = own } else { batch.append(own) }
            return
        }
        guard let command = try CommandRecord.batch(ofEntry: items[place].record) else { return }
        batch.append(command)
    }

    private mutating func settle(through index: LogIndex, into effects: inout [ReplicaEffect]) {
        invariant(index > applied && index <= handedOver, "entries are applied in order")
        applied = index
        while let first = proposals.first, first.position.index <= index {
            effects.append(.settled(first.id, fate(of: first)))
            proposals.removeFirst()
        }
        guard !doubtful.isEmpty else { return }
        for proposal in doubtful where proposal.position.index <= index {
            effects.append(.settled(proposal.id, fate(of: proposal)))
        }
        doubtful.removeAll { $0.position.index <= index }
    }

    private func fate(of proposal: Proposal) -> ProposalFate {
        let term = raft.trail.term(at: proposal.position.index)
        return term == proposal.position.term ? .applied : .superseded
    }
}
