/// What `/v1/stores` asks for: the stores as this node sees them, and, where the group is led,
/// their changes, one at a time.
///
/// Lives on the loop of the core with the replica. A new store is written into the table of stores
/// and becomes a learner in the log behind that; the leader makes it a voter when it has caught up.
internal import API
internal import Base
internal import NIOCore
internal import Node
internal import Peers
internal import Raft
internal import Regions
internal import RocksStorage
internal import Storage

/// `@unchecked Sendable`: what changes is touched only on the loop of `peers`.
final class StoreDirectory: @unchecked Sendable {
    private let identity: StoreIdentity
    private let engine: any KeyValueEngine
    private let peers: PeerHub
    private let switchboard: Switchboard
    private var changes: UInt64 = 0
    private var underWay: Change?
    private var yielding:
        (id: GroupChangeID, promise: EventLoopPromise<Void>, cutOff: Scheduled<Void>)?

    private struct Change {
        var id: GroupChangeID
        var core: Int
        var token: ScrapeToken
        /// Whom the answer is about; nil: the region.
        var store: StoreID?
    }

    init(
        identity: StoreIdentity, engine: any KeyValueEngine, peers: PeerHub,
        switchboard: Switchboard
    ) {
        self.identity = identity
        self.engine = engine
        self.peers = peers
        self.switchboard = switchboard
    }

    private var own: StoreID { StoreID(UInt32(clamping: identity.store)) }

    /// From any core, not from within a step of its units.
    func perform(_ command: StoreCommand, core: Int, _ token: ScrapeToken) {
        peers.loop.execute {
            if let result = self.begin(command, core: core, token) {
                self.answer(result, core: core, token)
            }
        }
    }

    private func answer(
        _ result: Result<ClusterReport, Problem>, core: Int, _ token: ScrapeToken
    ) {
        switchboard.post(core, [Delivery(to: .gateway, .stores(token, result))])
    }

    /// nil if it takes its time.
    private func begin(
        _ command: StoreCommand, core: Int, _ token: ScrapeToken
    ) -> Result<ClusterReport, Problem>? {
        guard let status = switchboard.all.first?.groupStatus else {
            return .failure(Problem(.notReady, "The node is stopping.", retryAfter: 1))
        }
        do throws(Problem) {
            var table = try readTable()
            switch command {
            case .list: return .success(.stores(report(status, table, about: own)))
            case .join(let address, let shown):
                try mayAsk(shown)
                try mayChange(status, table)
                try mayJoin(status)
                let greatest = status.membership.everyone.map(\.store.number).max() ?? 0
                let store = StoreID(max(table.next, greatest + 1))
                table.next = store.number + 1
                table[own] = peers.ownAddress
                table[store] = address
                peers.addresses.learn(store, address)
                change(.add(store), status.group, table, about: store, core: core, token)
            case .remove(let store):
                try mayChange(status, table)
                guard status.membership.everyone.contains(where: { $0.store == store }) else {
                    throw Problem(.storeNotFound, "Store \(store) is not one of the cluster's.")
                }
                guard store != own else {
                    throw Problem(
                        .membershipConflict,
                        "Store \(store) leads; a leader does not remove itself.")
                }
                table[store] = nil
                change(.remove(store), status.group, table, about: own, core: core, token)
            case .drain(let store):
                guard store == own else {
                    let place = peers.addresses.address(of: store).map { ", at \($0)" } ?? ""
                    throw Problem(
                        .membershipConflict,
                        "A store yields by itself: ask store \(store)\(place).")
                }
                change(.yield, status.group, about: own, core: core, token)
            case .regions(let number):
                let region = report(status)
                guard let number else { return .success(.regions([region])) }
                guard number == region.region else { throw Self.noRegion(number) }
                return .success(.region(region))
            case .transfer(let region, let store):
                guard region == status.group.number else { throw Self.noRegion(region) }
                try mayChange(status, table)
                guard status.membership.everyone.contains(where: { $0.store == store }) else {
                    throw Problem(.storeNotFound, "Store \(store) is not one of the cluster's.")
                }
                change(.transfer(to: store), status.group, about: nil, core: core, token)
            }
            return nil
        } catch {
            return .failure(error)
        }
    }

    /// - Parameter table: to be written down before it.
    private func change(
        _ change: GroupChange, _ group: GroupID, _ table: StoreTable? = nil,
        about store: StoreID?, core: Int, _ token: ScrapeToken
    ) {
        let id = nextChange()
        underWay = Change(id: id, core: core, token: token, store: store)
        let kept = table.map { Delivery(to: .shard, .keepStores(group, $0)) }
        switchboard.post(
            0, [kept, Delivery(to: .shard, .change(group, id, change))].compactMap { $0 })
    }

    private func nextChange() -> GroupChangeID {
        changes += 1
        return GroupChangeID(changes)
    }

    /// The shard's word about a change; on the loop of the core with the replica.
    func changed(_ id: GroupChangeID, _ result: GroupChangeResult) {
        peers.loop.execute {
            self.yielded(id, result)
            guard let change = self.underWay, change.id == id else { return }
            self.underWay = nil
            self.answer(self.outcome(of: change, result), core: change.core, change.token)
        }
    }

    private func outcome(
        of change: Change, _ result: GroupChangeResult
    ) -> Result<ClusterReport, Problem> {
        switch result {
        case .done:
            guard let status = switchboard.all.first?.groupStatus else {
                return .failure(Problem(.outcomeUnknown, "The node is stopping."))
            }
            do throws(Problem) {
                return .success(try report(status, on: change))
            } catch {
                return .failure(error)
            }
        case .notLeader(let leader):
            return .failure(elsewhere(leader))
        case .underWay:
            return .failure(
                Problem(.membershipConflict, "Another change of the stores is not over yet."))
        case .impossible(let reason):
            return .failure(Problem(.membershipConflict, "The stores cannot change so: \(reason)."))
        case .timedOut:
            return .failure(Problem(.deadlineExceeded, "It did not get so far in time."))
        case .unknown:
            return .failure(
                Problem(
                    .outcomeUnknown, "This store lost its lead meanwhile; GET /v1/stores tells."))
        }
    }

    private static func noRegion(_ number: UInt64) -> Problem {
        Problem(.regionNotFound, "There is no region \(number).")
    }

    private func mayChange(_ status: GroupStatus, _ table: StoreTable) throws(Problem) {
        guard status.isServing else { throw elsewhere(status.leader?.store) }
        guard underWay == nil else {
            throw Problem(.membershipConflict, "Another change of the stores is not over yet.")
        }
    }

    /// Who joins gets everything that is stored: with TLS it has to show who it is.
    private func mayAsk(_ shown: ShownCertificate) throws(Problem) {
        guard let fault = peers.settings.trust.fault(of: .init(shown)) else { return }
        peers.note(refusal: fault)
        throw fault.problem
    }

    private func mayJoin(_ status: GroupStatus) throws(Problem) {
        let learners = status.membership.learners.map(\.store.number).sorted()
        guard learners.count >= Limits.storesJoining else { return }
        let names = learners.map(String.init).joined(separator: " and ")
        throw Problem(
            .membershipConflict,
            "Stores \(names) have joined and lack entries yet. Start them, or remove those that "
                + "never will (DELETE /v1/stores/\(learners[0])).")
    }

    private func elsewhere(_ leader: StoreID?) -> Problem {
        guard let leader, leader != own else {
            return Problem(.noLeader, "No store leads just now.", retryAfter: 1)
        }
        let place = peers.addresses.address(of: leader).map { " at \($0)" } ?? ""
        return Problem(.noLeader, "Store \(leader) leads\(place); ask it.", retryAfter: 1)
    }

    private func readTable() throws(Problem) -> StoreTable {
        do throws(StorageError) {
            return try StoreDirectory.table(in: engine)
        } catch {
            throw Problem(.internal, "The table of stores cannot be read: \(error).")
        }
    }

    /// Empty while the cluster is one store that never met another.
    static func table(in engine: any KeyValueEngine) throws(StorageError) -> StoreTable {
        guard case .found(let bytes) = try engine.get(.meta, StoreTable.key, tier: .disk) else {
            return StoreTable()
        }
        do throws(DecodeError) {
            return try StoreTable(decoding: bytes)
        } catch {
            throw .corrupt("the table of stores: \(error)")
        }
    }

    private func report(
        _ status: GroupStatus, on change: Change
    ) throws(Problem) -> ClusterReport {
        guard let store = change.store else { return .region(report(status)) }
        return .stores(report(status, try readTable(), about: store))
    }

    private func report(
        _ status: GroupStatus, _ table: StoreTable, about store: StoreID
    ) -> StoresReport {
        let stores = status.membership.everyone.map { replica -> StoreReport in
            let address =
                replica.store == own
                ? peers.ownAddress : peers.addresses.address(of: replica.store)
            return StoreReport(
                store: replica.store, address: address ?? table[replica.store] ?? "",
                role: role(of: replica, status))
        }
        return StoresReport(
            cluster: identity.cluster, clusterName: identity.clusterName, store: store,
            stores: stores)
    }

    private func report(_ status: GroupStatus) -> RegionReport {
        RegionReport(
            region: status.group.number, leader: status.leader?.store, term: status.term,
            commit: status.commit, applied: status.applied,
            replicas: status.membership.everyone.map {
                RegionReport.Replica(store: $0.store, role: role(of: $0, status))
            })
    }

    private func role(of replica: ReplicaID, _ status: GroupStatus) -> StoreReport.Role {
        if replica == status.leader { return .leader }
        return status.membership.isVoter(replica) ? .voter : .learner
    }
}

// MARK: Before the end

extension StoreDirectory {
    /// Lets another store lead, so that nobody has to notice first that this one has gone. Returns
    /// when that is done, cannot be, or takes too long.
    func yield() async throws {
        try await peers.loop.flatSubmit { self.beginToYield() }.get()
    }

    private func beginToYield() -> EventLoopFuture<Void> {
        guard let status = switchboard.all.first?.groupStatus, status.role == .leader,
            status.membership.everyone.contains(where: {
                $0 != status.replica && status.membership.isVoter($0)
            })
        else { return peers.loop.makeSucceededVoidFuture() }
        let promise = peers.loop.makePromise(of: Void.self)
        let cutOff = peers.loop.scheduleTask(in: TimeAmount(Limits.leaderYields)) {
            self.yielding = nil
            promise.succeed()
        }
        yielding = (nextChange(), promise, cutOff)
        post(yielding?.id, status.group)
        return promise.futureResult
    }

    private func post(_ id: GroupChangeID?, _ group: GroupID) {
        guard let id else { return }
        switchboard.post(0, [Delivery(to: .shard, .change(group, id, .yield))])
    }

    private func yielded(_ id: GroupChangeID, _ result: GroupChangeResult) {
        guard let (now, promise, cutOff) = yielding, now == id else { return }
        switch result {
        case .underWay, .timedOut, .impossible:
            // Another change ends soon, and so does what keeps others from leading.
            peers.loop.scheduleTask(in: Self.yieldsAgain) {
                guard self.yielding?.id == id else { return }
                self.post(id, Store.group)
            }
        case .done, .notLeader, .unknown:
            yielding = nil
            cutOff.cancel()
            promise.succeed()
        }
    }

    private static let yieldsAgain = TimeAmount.milliseconds(50)
}
