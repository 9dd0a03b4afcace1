/// A store whose disk is full gives the lead to one that has room: writes of a group are refused
/// for want of space only if nobody else can take them.
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
}
