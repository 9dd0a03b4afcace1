/// The records of a replica's entries: from where they are proposed or received until they are
/// applied and no follower lacks them; and what of the log may go.
internal import Base
internal import DequeModule
internal import Raft
internal import Storage

extension Replica {
    mutating func accepted(_ id: ProposalID, _ position: LogPosition) {
        // A membership has no bytes of its own: its record is made when it is needed.
        guard let proposed else {
            proposals.append(Proposal(id: id, position: position))
            return
        }
        let entry = Entry(term: position.term, .command(byteCount: proposed.command.count))
        let record = EntryRecord.encode(entry, command: proposed.command)
        put(Item(term: position.term, record: record, batch: proposed.batch), at: position.index)
        proposals.append(Proposal(id: id, position: position))
        self.proposed = nil
    }

    /// The records of an append's entries, where the core has taken them and they are not there.
    mutating func keep(_ records: [Bytes], _ append: Append) {
        var index = append.previous.index
        for (entry, record) in zip(append.entries, records) {
            index += 1
            guard index > handedOver, raft.trail.term(at: index) == entry.term else { continue }
            let place = Int(index - firstItem)
            if place < items.count, items[place].term == entry.term { continue }
            put(Item(term: entry.term, record: record), at: index)
        }
    }

    mutating func append(_ write: LogWrite, into effects: inout [ReplicaEffect]) {
        if write.snapshot != nil {
            for place in snapshotsUnderWay.indices where snapshotsUnderWay[place].token == nil {
                snapshotsUnderWay[place].token = write.token
            }
        }
        effects.append(.append(LogAppend(group: group, write: write, records: take(write))))
    }

    private mutating func take(_ write: LogWrite) -> [Bytes] {
        guard !write.entries.isEmpty else { return [] }
        let records = records(from: write.firstIndex, count: write.entries.count)
        invariant(records != nil, "what is written to the log is not forgotten before it is")
        return records ?? []
    }

    /// nil if they are in the log only.
    mutating func records(from index: LogIndex, count: Int) -> [Bytes]? {
        guard index >= firstItem else { return nil }
        fill(before: index + LogIndex(count))
        let place = Int(index - firstItem)
        return items[place..<place + count].map(\.record)
    }

    /// Whatever stood there and behind it was overwritten.
    mutating func put(_ item: Item, at index: LogIndex) {
        invariant(index > handedOver, "what is committed is not overwritten")
        fill(before: index)
        let count = items.count - Int(index - firstItem)
        itemBytes -= items.suffix(count).reduce(0) { $0 + $1.record.count }
        items.removeLast(count)
        add(item)
    }

    mutating func add(_ item: Item) {
        itemBytes += item.record.count
        items.append(item)
    }

    /// Of the records that are not applied. The host may have let go of some that it was told to
    /// apply.
    package var unappliedByteCount: Int {
        let applied = applied + 1 > firstItem ? Int(applied + 1 - firstItem) : 0
        return items.dropFirst(applied).reduce(0) { $0 + $1.record.count }
    }

    /// What is applied and no follower lacks, or more than is kept for followers that lag.
    mutating func forget() {
        let needed = raft.followers.map(\.match).min() ?? handedOver
        while firstItem <= handedOver, firstItem <= needed || itemBytes > Limits.entryCacheBytes {
            guard let item = items.popFirst() else { return }
            itemBytes -= item.record.count
            firstItem += 1
        }
    }

    /// Adds the entries that the core has made by itself: a blank one, a membership.
    mutating func fill(before index: LogIndex) {
        while firstItem + LogIndex(items.count) < index {
            let next = firstItem + LogIndex(items.count)
            guard let entry = raft.trail.entry(at: next), entry.byteCount == 0 else {
                invariant(false, "entry \(next) was put in its place when it came")
                return
            }
            add(Item(term: entry.term, record: EntryRecord.encode(entry)))
        }
    }

    /// Keeps what a follower lacks, as long as that is less to send than a snapshot; who does not
    /// lead does not know that and keeps a little.
    ///
    /// The data may be ahead of what is known here. History: (1) a worker applies an entry, (2) a
    /// flush takes it along and is reported, (3) the worker reports. What comes with the third is
    /// left for the next flush.
    mutating func compact(
        through flushed: LogIndex, at now: Instant, into effects: inout [ReplicaEffect]
    ) {
        let flushed = min(flushed, applied)
        let index: LogIndex
        if isAlone {
            index = flushed
        } else if let needed = raft.followers.map(\.match).min(), needed >= flushed {
            index = flushed
        } else if let needed = raft.followers.map(\.match).min(),
            raft.trail.byteCount(after: needed, through: flushed) <= logBytesKept.byLeader
        {
            index = needed
        } else {
            index = raft.trail.index(before: logBytesKept.byFollower, through: flushed)
        }
        guard index > raft.trail.base.index else { return }
        effects.append(.compact(GroupBase(replica: raft.id, snapshot: identity(at: index))))
        raft.step(.compacted(through: index), at: now, into: &raftEffects)
    }

    func identity(at index: LogIndex) -> SnapshotIdentity {
        guard let term = raft.trail.term(at: index) else {
            invariant(false, "\(index) is in the log")
            return SnapshotIdentity(position: .start, membership: Membership())
        }
        return SnapshotIdentity(
            position: LogPosition(index: index, term: term),
            membership: raft.trail.membership(at: index))
    }
}
