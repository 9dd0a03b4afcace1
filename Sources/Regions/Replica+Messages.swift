/// What a replica hears and says: entries get their records, and what rests on a write of the log
/// waits for it.
internal import Base
internal import DequeModule
internal import Raft
internal import Storage

extension Replica {
    /// What is addressed to somebody else is lost on the way, like any message.
    mutating func receive(_ message: PeerMessage, at now: Instant) {
        guard message.group == group, message.message.to == raft.id else { return }
        raft.step(.received(message.message), at: now, into: &raftEffects)
        switch message.message.body {
        case .append(let append): keep(message.entries, append)
        case .snapshot: adoptSnapshot()
        default: break
        }
    }

    /// A snapshot has taken the place of the log, as far as the core is concerned.
    private mutating func adoptSnapshot() {
        let base = raft.trail.base
        guard base.index > handedOver else { return }
        items.removeAll()
        itemBytes = 0
        firstItem = base.index + 1
        handedOver = base.index
        snapshotsUnderWay.append((base, nil))
    }

    /// The data is what the snapshot says from now on.
    mutating func finishSnapshot(
        through token: DurabilityToken, into effects: inout [ReplicaEffect]
    ) {
        var inPlace: LogIndex?
        while let (position, write) = snapshotsUnderWay.first, let write, write <= token {
            inPlace = position.index
            snapshotsUnderWay.removeFirst()
        }
        guard let inPlace else { return }
        hasStagedFact = true
        settle(through: inPlace, into: &effects)
    }

    mutating func send(
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
        guard let token else {
            effects.append(.send(peer))
            return
        }
        // A disk that stands still must not fill the memory; the core sends again what it needs.
        guard held.count < Limits.messagesHeldForLog else { return }
        held.append((token, peer))
    }

    mutating func release(
        through token: DurabilityToken, into effects: inout [ReplicaEffect]
    ) {
        while let first = held.first, first.after <= token {
            effects.append(.send(first.message))
            held.removeFirst()
        }
    }
}
