/// Reads that say how fresh the data has to be, and whose it is: linearizable ones on a follower,
/// stale ones, and those that want to see a version.
///
/// A linearizable read asks for an index wherever no lease makes it needless. A stale one is
/// answered from the data as it is, if that is fresh enough (`Freshness`) and has the version; if
/// not it asks for an index as well, which makes the data fresh while a leader can be reached and
/// wakes a group that sleeps. If none can be, it is refused. All of them read one view and say
/// which entry of the log was the last in it.
internal import Base
internal import Raft
internal import Regions
internal import Storage

extension Shard {
    mutating func begin(
        _ request: RegionRequest, by rule: ReadRule, from requester: UnitAddress, at now: Now,
        into effects: inout Effects
    ) {
        guard replica != nil else {
            passOn(.request(request), from: requester, into: &effects)
            return
        }
        if let refusal = refusal(of: rule, at: now) {
            let refused = request.commands.map { refuse($0, refusal) }
            reply(request.number, refused, to: requester, into: &effects)
            return
        }
        let waiting = IndexedRead(
            handle: insert(request, from: requester), request: request, cameAt: now.instant)
        if isFresh(rule, at: now), has(rule) {
            readWhenThere(waiting, at: now, into: &effects)
        } else {
            indexReads.add(.request(waiting))
        }
    }

    private mutating func refusal(of rule: ReadRule, at now: Now) -> Refusal? {
        if failure != nil { return .noLeader }
        guard indexReads.count + waitingForData.count < Limits.readsForIndex else {
            return .overloaded(resource: .readerQueue)
        }
        return roleRefusal(rule, at: now)
    }

    private mutating func roleRefusal(_ rule: ReadRule, at now: Now) -> Refusal? {
        let leads = replica?.raft.role == .leader
        switch rule.replica {
        case .any: return nil
        case .leader: return leads ? nil : .noLeader
        case .follower: return leads ? .notFollower(elsewhere: nextFollower(at: now)) : nil
        }
    }

    /// One that was heard of lately, another each time. While the group sleeps nobody is heard of,
    /// and all of them were there when it fell asleep.
    private mutating func nextFollower(at now: Now) -> StoreID? {
        guard let raft = replica?.raft else { return nil }
        let live = raft.followers.filter {
            raft.isAsleep || now.instant < $0.heardAt + raft.settings.electionTimeout
        }
        guard !live.isEmpty else { return nil }
        lastFollower = (lastFollower + 1) % live.count
        return live[lastFollower].id.store
    }

    private func isFresh(_ rule: ReadRule, at now: Now) -> Bool {
        if now.instant < leaseEnd, isCurrent { return true }
        guard let bound = rule.ageMillisecondsMax else { return false }
        if settings.mutations.has(.staleReadsHaveNoBound) { return true }
        guard let age = replica?.freshness.age(at: now.instant) else { return false }
        return age <= .milliseconds(Int64(bound))
    }

    private func has(_ rule: ReadRule) -> Bool {
        replica?.applied ?? 0 >= rule.minVersion || settings.mutations.has(.ignoresMinVersion)
    }

    /// The data has everything that was acknowledged when the read came. What it lacks even so was
    /// never acknowledged.
    mutating func readIndexed(
        _ waiting: IndexedRead, by rule: ReadRule, at now: Now, into effects: inout Effects
    ) {
        guard has(rule) else {
            refuse(waiting, .versionUnknown(at: replica?.applied ?? 0), into: &effects)
            return
        }
        readWhenThere(waiting, at: now, into: &effects)
    }

    /// Now, or when a snapshot has taken the data's place.
    mutating func readWhenThere(
        _ waiting: IndexedRead, at now: Now, into effects: inout Effects
    ) {
        guard let rule = waiting.request.rule, let replica else { return }
        guard replica.isReadable else {
            waitingForData.append(waiting)
            return
        }
        if let refusal = roleRefusal(rule, at: now) {
            refuse(waiting, refusal, into: &effects)
            return
        }
        if rule.ageMillisecondsMax == nil {
            if now.instant < leaseEnd { counters.leaseReads += 1 } else { counters.indexReads += 1 }
        } else {
            counters.staleReads += 1
            let age = ageMilliseconds(at: now)
            requests[waiting.handle]?.ageMilliseconds = age
        }
        let view = engine.view()
        let version = version(of: view)
        requests[waiting.handle]?.version = version
        // History: a reader thread took its time over what the leader was asked for, the lead went
        // elsewhere, and the answer said that a follower had served it.
        let role = servingRole
        requests[waiting.handle]?.role = role
        read(
            waiting.request, waiting.handle, of: view, isCold: false, at: now, into: &effects)
    }

    /// Rounded up.
    private func ageMilliseconds(at now: Now) -> UInt32? {
        if now.instant < leaseEnd, isCurrent { return 0 }
        guard let age = replica?.freshness.age(at: now.instant) else { return nil }
        return UInt32(clamping: (age.wholeNanoseconds + 999_999) / 1_000_000)
    }

    /// The last entry that a view has. While one is on its way into the data only the view itself
    /// knows; if that cannot be told from memory, what is certain.
    private func version(of view: any EngineView) -> LogIndex {
        guard let replica else { return 0 }
        guard !replica.isSettled else { return replica.applied }
        let key = AppliedRecord.key(of: replica.group)
        do {
            guard case .found(let bytes) = try view.get(.meta, key, tier: .cached) else {
                return replica.applied
            }
            let record = try AppliedRecord(decoding: bytes)
            return max(replica.applied, record.snapshot.position.index)
        } catch {
            // The read that follows meets the same device.
            return replica.applied
        }
    }

    /// After each step of the replica: the data may be readable again.
    mutating func goOnWithData(at now: Now, into effects: inout Effects) {
        var waiting: [IndexedRead] = []
        swap(&waiting, &waitingForData)
        // The others have been answered, because their time was over.
        for read in waiting where requests.contains(read.handle) {
            readWhenThere(read, at: now, into: &effects)
        }
    }

    /// Why a read has not begun when its time is over.
    func reasonToWait(_ request: PendingRequest) -> Refusal {
        guard let rule = request.rule, let replica, replica.applied < rule.minVersion else {
            return .deadlineExceeded
        }
        return .replicaTooStale(
            "it is at version \(replica.applied), and min_version is \(rule.minVersion)")
    }

    /// A stale read that found no leader was too old for its bound before.
    mutating func reason(_ waiting: IndexedRead, orElse refusal: Refusal) -> Refusal {
        guard let bound = waiting.request.rule?.ageMillisecondsMax, failure == nil else {
            return refusal
        }
        counters.staleRefusals += 1
        return .replicaTooStale(
            "it has heard of no leader for longer than \(bound) ms, or not since it started")
    }
}
