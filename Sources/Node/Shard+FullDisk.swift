/// A store whose disk is full gives the lead to one that has room: writes of a group are refused
/// for want of space only if nobody else can take them. Nor does it take entries of others that it
/// could not write out: to the leader they are lost, and are sent again until there is room.
///
/// Nobody knows of the others' disks, so the one that is given the lead may have no room either and
/// give it on; that it does so only once in a while keeps a cluster that is full everywhere from
/// doing nothing else. Until it has room again, the store stands back in elections.
internal import Base
internal import Raft
internal import Regions
internal import Storage

/// Why a replica leaves the lead to others, and when it offered it last.
struct StandingBack: Sendable {
    /// Asked for by a drain; until the store starts anew.
    var isDrained = false
    var hasNoRoom = false
    /// nil: not since there was room.
    var offeredAt: Instant?

    /// Below that of all who do not stand back.
    var priority: Int { isDrained || hasNoRoom ? -1 : 0 }
}

extension Shard {
    /// After each look at the disk.
    mutating func standBackWhileFull(at now: Now, into effects: inout Effects) {
        let isFull = disk?.isFull == true
        if isFull != standingBack.hasNoRoom {
            standingBack.hasNoRoom = isFull
            standingBack.offeredAt = nil
            stepReplica(.setPriority(standingBack.priority), at: now, into: &effects)
        }
        guard isFull, isServing, changeUnderWay == nil, let replica else { return }
        if let last = standingBack.offeredAt, now.instant < last + Limits.leadOfferPause { return }
        guard let heir = heir(of: replica.raft, at: now) else { return }
        standingBack.offeredAt = now.instant
        counters.leadsOffered += 1
        begin(nil, .transfer(heir.id), at: now, into: &effects)
    }

    /// Whether the entries of a message find room, in the log and as data: what others have decided
    /// is taken while deletes are. The blank entry with which a leader begins takes next to nothing
    /// and always finds room, so that where no store has any the group still has a leader to read
    /// from. History: (1) others fill the disk of a follower, (2) it goes on
    /// taking what its leader sends, (3) its log has to be written out, and the store ends.
    mutating func hasRoom(for message: PeerMessage, into effects: inout Effects) -> Bool {
        guard case .append(let append) = message.message.body else { return true }
        let byteCount = append.entries.reduce(0) { $0 + $1.byteCount }
        guard byteCount > 0, disk?.admitReplicated(byteCount) == false else { return true }
        if !hasReportedShortage { effects.append(.refusedForSpace) }
        hasReportedShortage = true
        counters.appendsWithoutRoom += 1
        return false
    }

    /// What is on its way is not on the disk that was looked at.
    mutating func observe(_ seen: DiskGuard) {
        disk = seen
        hasReportedShortage = false
        // It is added up entry by entry, so only where it matters.
        let unapplied = seen.hasPlenty ? 0 : replica?.unappliedByteCount ?? 0
        disk?.charge(max(unapplied, unappliedBytes) + turnBatch.byteCount)
    }
}
