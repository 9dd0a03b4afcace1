/// The node's traffic with other stores: a connection to each that is talked to, the streams that
/// they have opened here, and the way of every envelope between those and the cores.
///
/// It lives on the loop of the core that has the shard with the replica, so that Raft's messages
/// take no hop; what gateways of other cores send and hear takes one. Whoever is not connected is
/// sent nothing: Raft sends again what it needs, and a request that never left is refused at once,
/// which says that nothing has happened.
internal import API
internal import Base
internal import HTTP
internal import Injection
internal import Logging
internal import NIOCore
internal import NIOPosix
internal import Node
internal import Peers
internal import Raft
internal import Regions
internal import Storage
internal import Telemetry

/// `@unchecked Sendable`: every stored property that changes is touched only on `loop`, which each
/// entry asserts or hops to.
final class PeerHub: @unchecked Sendable {
    struct Settings: Sendable {
        var identity: PeerIdentity
        var trust: PeerTrust
        /// What others are called with, as its files are now; nil: in clear.
        var makeContext: @Sendable () -> TLSContext?
        /// Where snapshots that come are kept.
        var depot: SnapshotDepot
        /// Reads those that go and writes those that come.
        var snapshotThread: NIOThreadPool
        var failpoints: FailpointRegistry
    }

    let loop: any EventLoop
    let settings: Settings
    let addresses: PeerAddresses
    let logger: Logger
    let switchboard: Switchboard
    var counters = PeerCounters()
    /// Where other stores reach this one; nil until it listens.
    private(set) var ownAddress: String?

    private var clients: [StoreID: PeerClient] = [:]
    var senders: [StoreID: SnapshotSender] = [:]
    private var snapshotPace = SnapshotPace()
    /// Looks what nobody speaks of any more.
    var depotTimer: Scheduled<Void>?
    var table: PeerTable
    var inbound: [PeerTable.StreamID: InboundStream] = [:]
    var streamNames: [StreamPlace: PeerTable.StreamID] = [:]
    var connectionNumbers: [StreamPlace: UInt32] = [:]
    var lastStream: UInt64 = 0
    var lastConnection: UInt32 = 0
    private var isRemoved = false
    private var generator: SeededGenerator

    init(
        loop: any EventLoop, settings: Settings, addresses: PeerAddresses,
        switchboard: Switchboard, generator: SeededGenerator, logger: Logger
    ) {
        self.loop = loop
        self.settings = settings
        self.addresses = addresses
        self.switchboard = switchboard
        self.generator = generator
        self.logger = logger
        table = PeerTable(own: settings.identity)
    }

    /// From now on others are called, and all that are known at once. History: a store was
    /// restarted; nobody called it, since it had just been gone, and it called nobody before it
    /// wanted to be elected; the leader died, and the first campaign was lost for want of a
    /// connection.
    func start(address: String) {
        onLoop { hub in
            hub.ownAddress = address
            // Of those that the log knows, if it knows any: others were removed, or call by
            // themselves.
            let members = hub.switchboard.all.first?.groupStatus?.membership.everyone ?? []
            for store in hub.addresses.stores
            where members.isEmpty || members.contains(where: { $0.store == store }) {
                hub.client(for: store)?.want()
            }
        }
    }

    func stop() {
        onLoop { hub in
            hub.ownAddress = nil
            for sender in hub.senders.values { sender.stop() }
            hub.senders = [:]
            hub.depotTimer?.cancel()
            for client in hub.clients.values { client.stop() }
            hub.clients = [:]
        }
    }

    func onLoop(_ body: @escaping @Sendable (PeerHub) -> Void) {
        if loop.inEventLoop { body(self) } else { loop.execute { body(self) } }
    }

    // MARK: Out

    /// Envelopes for other stores, in order, from any loop of the node.
    func send(_ envelopes: [Envelope]) { onLoop { $0.take(envelopes) } }

    private func take(_ envelopes: [Envelope]) {
        let now = Clocks.monotonic()
        var touched: Set<StoreID> = []
        var answers: [StreamPlace: PeerReplies] = [:]
        for envelope in envelopes {
            guard let store = envelope.to.store else { continue }
            if case .reply(let reply) = envelope.body {
                answer(reply, envelope.to, at: now, into: &answers)
            } else if deliver(envelope, to: store, at: now) {
                touched.insert(store)
            }
        }
        for store in touched { clients[store]?.flush() }
        for (place, replies) in answers { answer(replies, by: place) }
    }

    /// True if it is on its way.
    private func deliver(_ envelope: Envelope, to store: StoreID, at now: Instant) -> Bool {
        guard let body = PeerEnvelope(envelope.body, core: envelope.from.core) else { return false }
        guard let client = client(for: store) else {
            lose(envelope, .unreachable)
            return false
        }
        client.want()
        guard client.isOpen else {
            lose(envelope, .unreachable)
            return false
        }
        var record = Bytes()
        record.appendRecord { body.encode(into: &$0, at: now) }
        let lane = body.lane(byteCount: record.count)
        guard
            client.unsent(lane) + record.count <= Limits.peerQueueBytes
                || client.unsent(lane) == 0
        else {
            lose(envelope, .full)
            return false
        }
        counters.bytesSent += UInt64(record.count)
        client.send(record, lane)
        return true
    }

    /// When so much of a snapshot may go to whichever store.
    func pace(_ byteCount: Int) -> Instant {
        let now = Clocks.monotonic()
        let goesAt = snapshotPace.take(byteCount, at: now)
        counters.snapshotPause += goesAt.since(now)
        return goesAt
    }

    /// It is no member any more.
    func forget(_ store: StoreID) {
        loop.assertInEventLoop()
        addresses.forget(store)
        senders.removeValue(forKey: store)?.stop()
        clients.removeValue(forKey: store)?.stop()
    }

    /// Names one making of a snapshot.
    func drawOrigin() -> UInt64 { generator.next() }

    /// nil while nobody knows where it is.
    func client(for store: StoreID) -> PeerClient? {
        guard ownAddress != nil, store != settings.identity.store else { return nil }
        guard let address = addresses.address(of: store) else { return nil }
        if let client = clients[store] {
            client.move(to: address)
            return client
        }
        let client = PeerClient(
            store, at: address, hub: self, link: PeerLink(generator: generator.split()))
        clients[store] = client
        return client
    }

    /// Raft sends again; a request was not even begun, and its gateway may try elsewhere.
    private func lose(_ envelope: Envelope, _ loss: PeerCounters.Loss) {
        guard case .request(let request) = envelope.body else {
            if case .raft = envelope.body { counters.messagesLost[loss, default: 0] += 1 }
            return
        }
        counters.requestsRefused[loss, default: 0] += 1
        let refusal: Refusal =
            loss == .full ? .overloaded(resource: .peerRequests) : .noLeader
        let outcomes = request.commands.map { _ in RawOutcome.refused(refusal) }
        let reply = RegionReply(number: request.number, outcomes: outcomes)
        let answer = Envelope(from: envelope.to, to: envelope.from, body: .reply(reply))
        switchboard.post(envelope.from.core, [Delivery(to: .gateway, .received(answer))])
    }

    // MARK: In

    /// A record of the answer to our own streams; why there will be no more, if it says so.
    func received(_ record: Bytes, from store: StoreID) throws(DecodeError) -> String? {
        counters.bytesReceived += UInt64(record.count)
        let envelope = try PeerEnvelope(decoding: record, at: Clocks.monotonic())
        if case .farewell(let sentence) = envelope.body { return sentence }
        guard case .reply(let reply) = envelope.body else {
            throw DecodeError(expected: "an answer to a request", offset: 0)
        }
        let from = UnitAddress(core: 0, unit: .shard, store: store)
        let to = UnitAddress(core: envelope.core, unit: .gateway)
        let delivery = Envelope(from: from, to: to, body: .reply(reply))
        switchboard.post(envelope.core, [Delivery(to: .gateway, .received(delivery))])
        return nil
    }

    /// What was sent there and not answered is lost.
    func broke(_ store: StoreID) {
        counters.connectionsLost += 1
        for core in switchboard.all.indices {
            switchboard.post(core, [Delivery(to: .gateway, .peerLost(store))])
        }
        switchboard.post(0, [Delivery(to: .shard, .peerLost(store))])
    }

    /// Another store says that the cluster has removed this one, which is for good.
    func isRemoved(_ reason: String) {
        guard !isRemoved else { return }
        isRemoved = true
        logger.error("\(reason)", metadata: ["event": "store_removed"])
        for core in switchboard.all.indices {
            switchboard.post(core, [Delivery(to: .gateway, .removed(reason))])
        }
    }

    func measure(into scrape: inout Scrape) {
        loop.assertInEventLoop()
        let open = clients.values.count { $0.isOpen }
        counters.measure(into: &scrape, open: open, streams: table.streamCount)
        settings.depot.counts.measure(into: &scrape)
    }

    /// Whoever calls this store is called by it too, so that both can ask.
    func call(_ store: StoreID) { client(for: store)?.called() }

    func hello(to store: StoreID, _ lane: PeerLane) -> PeerHello? {
        guard let ownAddress else { return nil }
        return PeerHello(
            cluster: settings.identity.cluster, store: settings.identity.store,
            addressee: store, incarnation: settings.identity.incarnation, address: ownAddress,
            wall: Clocks.wall(), lane: lane)
    }
}

/// Where a stream of another store arrives.
struct StreamPlace: Hashable, Sendable {
    var core: Int
    var exchange: ExchangeID

    /// Of all streams of its connection.
    var connection: StreamPlace {
        let exchange = ExchangeID(
            slot: exchange.slot, generation: exchange.generation, stream: 0)
        return StreamPlace(core: core, exchange: exchange)
    }
}
