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
    private var changes = StoreChanges()
    private var timer: Scheduled<Void>?
    private var ending: EventLoopPromise<Void>?

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
            let change: StoreChanges.Change
            switch command {
            case .list: return .success(.stores(report(status, try readTable(), about: own)))
            case .regions(let number):
                let region = report(status)
                guard let number else { return .success(.regions([region])) }
                guard number == region.region else {
                    throw Problem(.regionNotFound, "There is no region \(number).")
                }
                return .success(.region(region))
            case .join(let address, let nonce, let shown):
                try mayAsk(shown)
                change = .join(address: address, nonce: nonce)
            case .remove(let store): change = .remove(store)
            case .drain(let store): change = .drain(store)
            case .transfer(let region, let store): change = .transfer(region: region, to: store)
            }
            let asker = StoreChanges.Asker(core: core, token: token)
            step(.asked(change, asker, try view(status)))
            return nil
        } catch {
            return .failure(error)
        }
    }

    private func view(_ status: GroupStatus) throws(Problem) -> StoreChanges.View {
        let table = try readTable()
        var addresses: [StoreID: String] = [:]
        for replica in status.membership.everyone {
            addresses[replica.store] =
                peers.addresses.address(of: replica.store) ?? table[replica.store]
        }
        return StoreChanges.View(
            own: own, ownAddress: peers.ownAddress, status: status, table: table,
            addresses: addresses, called: peers.table.called)
    }

    // MARK: Changes

    private func step(_ event: StoreChanges.Event) {
        var effects: [StoreChanges.Effect] = []
        changes.step(event, at: Clocks.monotonic(), into: &effects)
        for effect in effects { execute(effect) }
        timer?.cancel()
        timer = changes.nextDeadline.map { deadline in
            let left = max(deadline.since(Clocks.monotonic()), .zero)
            return peers.loop.scheduleTask(in: TimeAmount(left)) { self.step(.deadlineReached) }
        }
    }

    private func execute(_ effect: StoreChanges.Effect) {
        switch effect {
        case .change(let group, let id, let change, let table):
            switchboard.post(0, [Delivery(to: .shard, .change(group, id, change, table))])
        case .learn(let store, let address): peers.addresses.learn(store, address)
        case .forget(let store): peers.forget(store)
        case .done(let asker, let store): answer(outcome(about: store), asker)
        case .refused(let asker, let problem): answer(.failure(problem), asker)
        case .yielded:
            ending?.succeed()
            ending = nil
        }
    }

    private func answer(
        _ result: Result<ClusterReport, Problem>, _ asker: StoreChanges.Asker
    ) {
        answer(result, core: asker.core, asker.token)
    }

    /// The shard's word about a change; on the loop of the core with the replica.
    func changed(_ id: GroupChangeID, _ result: GroupChangeResult) {
        peers.loop.execute { self.step(.told(id, result)) }
    }

    private func outcome(about store: StoreID?) -> Result<ClusterReport, Problem> {
        guard let status = switchboard.all.first?.groupStatus else {
            return .failure(
                Problem(.outcomeUnknown, "It was done, and this node is stopping."))
        }
        guard let store else { return .success(.region(report(status))) }
        do throws(Problem) {
            return .success(.stores(report(status, try readTable(), about: store)))
        } catch {
            return .failure(error)
        }
    }

    /// Who joins gets everything that is stored: with TLS it has to show who it is.
    private func mayAsk(_ shown: ShownCertificate) throws(Problem) {
        guard let fault = peers.settings.trust.fault(of: .init(shown)) else { return }
        peers.note(refusal: fault)
        throw fault.problem
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
        _ status: GroupStatus, _ table: StoreTable, about store: StoreID
    ) -> StoresReport {
        let stores = status.membership.everyone.map { replica -> StoreReport in
            let address =
                replica.store == own
                ? peers.ownAddress : peers.addresses.address(of: replica.store)
            return StoreReport(
                store: replica.store, address: address ?? table[replica.store] ?? "",
                role: role(of: replica, status),
                isDraining: replica.store == own ? status.hasYielded : nil)
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
    func isAlone() async throws -> Bool {
        try await peers.loop.submit {
            let status = self.switchboard.all.first?.groupStatus
            return status.map { $0.membership.everyone == [$0.replica] } ?? true
        }.get()
    }

    /// Lets another store lead, so that nobody has to notice first that this one has gone. Returns
    /// when that is done, cannot be, or takes too long.
    func yield() async throws {
        try await peers.loop.flatSubmit { self.beginToYield() }.get()
    }

    private func beginToYield() -> EventLoopFuture<Void> {
        guard let status = switchboard.all.first?.groupStatus else {
            return peers.loop.makeSucceededVoidFuture()
        }
        if let ending { return ending.futureResult }
        let promise = peers.loop.makePromise(of: Void.self)
        ending = promise
        step(.ends(status))
        return promise.futureResult
    }
}
