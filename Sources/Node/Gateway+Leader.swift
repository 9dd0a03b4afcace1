/// Where a gateway sends commands when several stores have the group, and what it does when nobody
/// takes them.
///
/// Commands go to whoever leads, here or on another store, and never from there to a third. A run
/// that was refused as a whole, because nobody led there, has not happened: it waits a little for a
/// leader and is sent again, and its client notices nothing of an election. What is not known to
/// have been refused is answered as unknown.
internal import Base
internal import DequeModule
internal import Regions

extension Gateway {
    mutating func follow(
        _ place: LeaderPlace, at now: Now, into effects: inout Effects
    ) {
        leader = place
        if place != .unknown { sendParked(at: now, into: &effects) }
    }

    /// Everything that waits, to whoever leads now; whoever does not refuses it again.
    mutating func sendParked(at now: Now, into effects: inout Effects) {
        retryAt = .distantFuture
        var waiting: Deque<RawExchange.Handle> = []
        swap(&waiting, &parked)
        for handle in waiting {
            // nil: its time was over, or its client left.
            guard let exchange = exchanges[handle], exchange.target == nil else { continue }
            send(
                exchange.run, by: exchange.rule, of: handle, until: exchange.deadline,
                into: &effects)
        }
    }

    /// From another store. One that comes behind its request's time counts as expired already.
    mutating func count(_ reply: RegionReply) {
        guard exchanges[RawExchange.Handle(number: reply.number)]?.target?.store != nil else {
            return
        }
        let isRefused = reply.outcomes.allSatisfy { if case .refused = $0 { true } else { false } }
        counters.forwarded[isRefused ? .refused : .answered, default: 0] += 1
    }

    /// Whether the run goes somewhere else, or waits, after a reply that nothing has happened.
    mutating func movesOn(
        _ refusal: Refusal, _ reply: RegionReply, _ handle: RawExchange.Handle,
        from store: StoreID?, at now: Now, into effects: inout Effects
    ) -> Bool {
        if let rule = exchanges[handle]?.rule,
            detours(refusal, rule, handle, from: store, into: &effects)
        {
            return true
        }
        return refusal == .noLeader && parks(reply, handle, from: store, at: now)
    }

    /// A read that may be answered by a store that was not asked: by a follower, when a leader was;
    /// by the leader, when the store here cannot and any will do.
    private mutating func detours(
        _ refusal: Refusal, _ rule: ReadRule, _ handle: RawExchange.Handle, from store: StoreID?,
        into effects: inout Effects
    ) -> Bool {
        guard let exchange = exchanges[handle], let target = exchange.target,
            target.store == store, !exchange.isExpired, !exchange.run[0].isWrite,
            exchange.detours < Limits.readDetours
        else { return false }
        let next: UnitAddress
        switch (refusal, rule.replica) {
        case (.notFollower(let other?), .follower):
            next = other == facts.store ? shard : UnitAddress(core: 0, unit: .shard, store: other)
        case (.noLeader, .any), (.replicaTooStale, .any):
            guard store == nil, case .store(let leading) = leader else { return false }
            next = UnitAddress(core: 0, unit: .shard, store: leading)
        default: return false
        }
        exchanges[handle]?.detours += 1
        exchanges[handle]?.target = next
        let request = RegionRequest(
            number: handle.number, deadline: exchange.deadline, commands: exchange.run, rule: rule)
        effects.append(.send(Envelope(from: address, to: next, body: .request(request))))
        return true
    }

    /// Whether the reply says that nothing has happened, and a leader may yet be found in time.
    mutating func parks(
        _ reply: RegionReply, _ handle: RawExchange.Handle, from store: StoreID?, at now: Now
    ) -> Bool {
        guard let exchange = exchanges[handle], exchange.target?.store == store,
            !exchange.isExpired, reply.outcomes.allSatisfy({ $0 == .refused(.noLeader) })
        else { return false }
        let since = exchange.leaderlessSince ?? now.instant
        guard now.instant < since + Limits.leaderWait else { return false }
        counters.leaderWaits += 1
        exchanges[handle]?.leaderlessSince = since
        exchanges[handle]?.target = nil
        retryAt = min(retryAt, now.instant + Limits.leaderRetry)
        parked.append(handle)
        return true
    }

    /// What is on its way there and back does not arrive.
    mutating func lost(_ store: StoreID, at now: Now, into effects: inout Effects) {
        for handle in exchanges.handles where exchanges[handle]?.target?.store == store {
            counters.forwarded[.lost, default: 0] += 1
            answerUnknown(handle, reads: .noLeader, at: now, into: &effects)
        }
    }

    /// Goes on as if the other store had said that it does not know.
    mutating func answerUnknown(
        _ handle: RawExchange.Handle, reads: Refusal, at now: Now, into effects: inout Effects
    ) {
        guard let exchange = exchanges[handle], let target = exchange.target,
            let store = target.store
        else { return }
        let writes = Refusal.outcomeUnknown("store \(store) had the write and did not answer")
        let outcomes = exchange.run.map { RawOutcome.refused($0.isWrite ? writes : reads) }
        let reply = RegionReply(number: handle.number, outcomes: outcomes)
        // What may still be carried out must not come after what follows it in its request.
        let ends = exchange.run.contains(where: \.isWrite)
        received(reply, from: store, endsRequest: ends, at: now, into: &effects)
    }
}
