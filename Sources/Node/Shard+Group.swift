/// A shard's part in its group: who leads, what that means for gateways and for the shards of other
/// cores, and what goes to other stores and comes from there.
///
/// Requests from other stores are taken by a leader only and never passed on to a third: so a
/// request makes one hop, whatever anyone believes of who leads.
internal import Base
internal import Raft
internal import Regions

extension Shard {
    // MARK: Who leads

    /// Tells those who rely on it, when it changes.
    ///
    /// What the shards of other cores may do without asking ends only when the group gets a second
    /// replica, so that they need no clock: with others in the group they pass every read on. A
    /// lease that they held would have to end before this replica may vote for somebody else.
    mutating func noteLeader(into effects: inout Effects) {
        let standing = replica?.standing ?? .none
        isServing = isLedHastily || standing.isServing
        hasFollowers = standing.hasFollowers
        leaseEnd = isLedHastily ? .distantFuture : standing.leaseEnd ?? .origin
        if isServing { caughtUp(into: &effects) }
        let place: LeaderPlace =
            if isServing {
                .here
            } else if let leader, leader != replica?.raft.id {
                .store(leader.store)
            } else {
                .unknown
            }
        if place != leaderPlace {
            leaderPlace = place
            for core in 0..<settings.cores {
                let gateway = UnitAddress(core: core, unit: .gateway)
                effects.append(.send(Envelope(from: address, to: gateway, body: .leader(place))))
            }
        }
        guard settings.cores > 1, takesRequests else { return }
        let mayRead = leaseEnd == .distantFuture && changeUnderWay == nil
        guard let number = readers.tell(mayRead) else { return }
        for core in 0..<settings.cores where core != address.core {
            let reader = UnitAddress(core: core, unit: .shard)
            let body = Envelope.Body.serving(mayRead, number: number)
            effects.append(.send(Envelope(from: address, to: reader, body: body)))
        }
    }

    var isLedHastily: Bool {
        settings.mutations.has(.servesTooEarly) && replica?.raft.role == .leader
    }

    // MARK: Other stores

    func send(_ message: PeerMessage, into effects: inout Effects) {
        let peer = UnitAddress(core: 0, unit: .shard, store: message.message.to.store)
        effects.append(.send(Envelope(from: address, to: peer, body: .raft(message))))
    }

    /// Whether there is room for it; else it is answered.
    func admits(
        _ request: RegionRequest, from requester: UnitAddress, into effects: inout Effects
    ) -> Bool {
        guard peerRequestCount >= Limits.requestsFromPeers else { return true }
        let full = RawOutcome.refused(.overloaded(resource: .peerRequests))
        let outcomes = request.commands.map { _ in full }
        reply(request.number, outcomes, to: requester, into: &effects)
        return false
    }

    /// Nobody there waits any more, and nobody knows what has arrived there.
    mutating func lost(_ store: StoreID, at now: Now, into effects: inout Effects) {
        for handle in requests.handles {
            guard let request = requests[handle], request.requester.store == store else { continue }
            expire(request.number, from: request.requester, into: &effects)
        }
        let members = replica?.raft.membership.everyone ?? []
        for member in members where member.store == store && member != replica?.raft.id {
            stepReplica(.unreachable(member), at: now, into: &effects)
        }
    }

    /// A store that is cut off cannot say that its requests' time is over.
    mutating func expirePeers(at now: Now, into effects: inout Effects) {
        guard peerDeadline <= now.instant else { return }
        peerDeadline = .distantFuture
        for handle in requests.handles {
            guard let request = requests[handle], request.requester.store != nil else { continue }
            if request.deadline <= now.instant {
                expire(request.number, from: request.requester, into: &effects)
            } else {
                peerDeadline = min(peerDeadline, request.deadline)
            }
        }
    }

    // MARK: Requests in hand

    mutating func insert(
        _ request: RegionRequest, from requester: UnitAddress
    ) -> PendingRequest.Handle {
        let handle = requests.insert(PendingRequest(request, from: requester))
        names[RequestName(requester, request.number)] = handle
        if requester.store != nil {
            peerRequestCount += 1
            peerDeadline = min(peerDeadline, request.deadline)
        }
        return handle
    }

    mutating func remove(_ handle: PendingRequest.Handle, _ request: PendingRequest) {
        requests.remove(handle)
        names[RequestName(request.requester, request.number)] = nil
        if request.requester.store != nil { peerRequestCount -= 1 }
    }

    /// To the shard that has the replica, which answers the requester itself.
    func passOn(
        _ body: Envelope.Body, from requester: UnitAddress, into effects: inout Effects
    ) {
        let owner = UnitAddress(core: 0, unit: .shard)
        effects.append(.send(Envelope(from: requester, to: owner, body: body)))
    }
}

/// What the shards of other cores were told of reading without asking, and whether they know it.
struct ReaderShards: Sendable {
    /// At such a shard: whether it was told anything.
    var isTold = false
    private let own: Int
    private var mayRead: Bool?
    private var number: UInt64 = 0
    /// By core: the last that it has seen.
    private var seen: [UInt64]

    init(cores: Int, own: Int) {
        self.own = own
        seen = Array(repeating: 0, count: cores)
    }

    /// The number under which they have to be told; nil if that is what they were told last.
    mutating func tell(_ mayRead: Bool) -> UInt64? {
        guard mayRead != self.mayRead else { return nil }
        self.mayRead = mayRead
        number += 1
        return number
    }

    mutating func saw(_ number: UInt64, core: Int) { seen[core] = max(seen[core], number) }

    /// Whether each of them acts as it was told last.
    var haveSeen: Bool {
        seen.indices.allSatisfy { $0 == own || seen[$0] == number }
    }
}
