/// The parts of a node, made and connected: event loops, fronts, cores, the two threads that write,
/// the readers.
internal import API
internal import Base
internal import Failpoints
internal import HTTP
internal import Injection
internal import Logging
internal import NIOCore
internal import NIOPosix
internal import Node
internal import Peers
internal import Raft
internal import Regions
internal import RocksStorage
internal import Storage
internal import Synchronization
internal import Telemetry

struct NodeParts {
    let engine: RocksEngine
    let storeMemoryBound: Int
    let group: MultiThreadedEventLoopGroup
    let threads = NodeThreads()
    let workers: StoreWorkers
    let cores: [Core]
    let switchboard = Switchboard()
    let peers: PeerHub
    let stores: StoreDirectory
    let logger: Logger

    init(
        _ settings: NodeSettings, directory: DataDirectory, store: Store,
        recovered: RecoveredReplica, tls: TLSAcceptor?, failpoints: FailpointRegistry,
        logger: Logger, storeFailed: @escaping @Sendable () -> Void
    ) {
        let engine = store.engine
        self.engine = engine
        storeMemoryBound = store.memoryBound
        self.logger = logger
        let coreCount = settings.cores
        group = MultiThreadedEventLoopGroup(numberOfThreads: coreCount)
        let depot = SnapshotDepot(
            directory, engine, group: Store.group, thread: threads.snapshots,
            failpoints: failpoints, logger: logger)
        let switchboard = switchboard
        let workers = StoreWorkers(
            log: store.log, engine: engine, reserve: store.reserve, replica: recovered.id,
            logBytes: recovered.logBytes, depot: depot, threads: threads, failpoints: failpoints,
            report: { core, events in
                switchboard.post(core, events.map { Delivery(to: .shard, $0) })
            },
            failed: { error in
                Self.tell(error, to: switchboard.all, logger)
                storeFailed()
            })
        self.workers = workers
        let scraper = Scraper(
            switchboard: switchboard, disk: workers, store: store,
            storeMemoryBound: storeMemoryBound, build: settings.build, tls: tls,
            failpoints: failpoints)
        var generator = SeededGenerator(seed: .random(in: 0 ... .max))
        peers = Self.peers(
            settings, directory, engine, group, switchboard, logger, depot, threads, failpoints,
            tls, using: &generator)
        stores = StoreDirectory(
            identity: directory.identity, engine: engine, peers: peers, switchboard: switchboard)
        let services = Core.Services(
            append: workers.append, apply: workers.apply, damaged: workers.fail,
            applyAtOnce: workers.applyAtOnce,
            refusedForSpace: { engine.noteRefusal() },
            readers: ReaderPool(threads: threads.readers, engine: engine, failpoints: failpoints),
            coreCount: coreCount, failpoints: failpoints,
            access: AccessLog(logger: logger, failpoints: failpoints), post: switchboard.post,
            scrape: scraper.scrape, peers: peers,
            stores: stores,
            sendFromLog: LogReader(log: store.log, threads: threads.readers, peers: peers).send,
            openView: engine.view)
        let facts = Self.facts(settings, directory, memoryBound: storeMemoryBound)
        let frontSettings = Self.front(settings, tls, failpoints)
        let replica = recovered.start(
            Self.raftSettings, generator: SeededGenerator(seed: generator.next()),
            at: Clocks.monotonic())
        cores = group.makeIterator().enumerated().map { index, loop in
            Self.core(
                index, loop, frontSettings, facts, engine, index == 0 ? replica : nil,
                coreCount: coreCount, services, logger, using: &generator)
        }
        switchboard.connect(cores)
    }

    private static func core(
        _ index: Int, _ loop: any EventLoop, _ front: FrontSettings, _ facts: NodeFacts,
        _ engine: RocksEngine, _ replica: Replica?, coreCount: Int, _ services: Core.Services,
        _ logger: Logger, using generator: inout SeededGenerator
    ) -> Core {
        let core = Core(
            index: index, loop: loop,
            front: Front(
                loop: loop, settings: front, names: RequestNames(generator: &generator),
                logger: logger),
            gateway: Gateway(
                address: UnitAddress(core: index, unit: .gateway),
                shard: UnitAddress(core: 0, unit: .shard), facts: facts, generator: &generator),
            shard: Shard(
                address: UnitAddress(core: index, unit: .shard), engine: engine,
                replica: replica, settings: ShardSettings(cores: coreCount)),
            services: services)
        core.front.serving = core
        return core
    }

    /// On the loop of the core that has the shard with the replica.
    private static func peers(
        _ settings: NodeSettings, _ directory: DataDirectory, _ engine: RocksEngine,
        _ group: MultiThreadedEventLoopGroup, _ switchboard: Switchboard, _ logger: Logger,
        _ depot: SnapshotDepot, _ threads: NodeThreads, _ failpoints: FailpointRegistry,
        _ tls: TLSAcceptor?, using generator: inout SeededGenerator
    ) -> PeerHub {
        let identity = directory.identity
        let addresses = PeerAddresses(
            directory, engine, told: settings.peers, logger: logger)
        let peerSettings = PeerHub.Settings(
            identity: PeerIdentity(
                cluster: identity.cluster, store: StoreID(UInt32(clamping: identity.store)),
                incarnation: generator.next(), former: identity.former),
            trust: trust(tls), makeContext: { tls?.peerContext }, depot: depot,
            snapshotThread: threads.snapshots,
            failpoints: failpoints)
        var loops = group.makeIterator()
        guard let loop = loops.next() else { fatalError("a node has a loop") }
        return PeerHub(
            loop: loop, settings: peerSettings, addresses: addresses, switchboard: switchboard,
            generator: generator.split(), logger: logger)
    }

    private static func trust(_ tls: TLSAcceptor?) -> PeerTrust {
        guard let tls else { return .anyone }
        return tls.paths.authorities == nil ? .nobody : .certified
    }

    private static func front(
        _ settings: NodeSettings, _ tls: TLSAcceptor?, _ failpoints: FailpointRegistry
    ) -> FrontSettings {
        var front = FrontSettings(
            allowedHosts: settings.allowedHosts,
            takesClearFromLoopbackOnly: tls != nil && !settings.takesClearFromAnywhere,
            connections: max(1, settings.connections / settings.cores), cores: settings.cores,
            servesPeers: true, certifiesPeers: tls != nil, failpoints: failpoints)
        if let tls { front.makeTLSHandler = { _ in tls.makeHandler() } }
        return front
    }

    private static func facts(
        _ settings: NodeSettings, _ directory: DataDirectory, memoryBound: Int
    ) -> NodeFacts {
        NodeFacts(
            version: settings.build.version, revision: settings.build.revision,
            nodeID: "\(directory.identity.cluster)-\(directory.identity.store)",
            store: StoreID(UInt32(clamping: directory.identity.store)),
            engine: "rocksdb", memoryBoundBytes: UInt64(memoryBound),
            startedAt: Clocks.now(), hasFailpoints: settings.servesFailpoints)
    }

    /// The shard bounds what is under way, and pauses clients before that; the core's own bound is
    /// for what a shard does not see.
    private static var raftSettings: RaftSettings {
        var settings = RaftSettings()
        settings.uncommittedBytes = 2 * Limits.unsyncedBytes
        return settings
    }

    private static func tell(_ error: StorageError, to cores: [Core], _ logger: Logger) {
        let advice =
            if case .full = error { "df -h; df -i   # make room, then start again" } else {
                "dmesg | tail   # mend the disk, then start again"
            }
        logger.error(
            "a write failed; only a new start can tell what is on the disk, so the node ends",
            metadata: [
                "event": "store_failed", "error": "\(error)",
                "try": "\(advice)",
            ])
        for core in cores {
            core.post([
                Delivery(to: .gateway, .storeFailed(error)),
                Delivery(to: .shard, .storeFailed(error)),
            ])
            core.serving.fail(error)
        }
    }

    func shutDown() async throws {
        peers.stop()
        engine.stopCompacting()
        try await threads.shutDown()
        try await group.shutdownGracefully()
        switchboard.disconnect()
    }
}

/// Finds a core by its number from any thread.
///
/// Cores, workers and scrapes refer to each other through it; emptied when the node has ended, it
/// lets all of them go, and with the last one the engine and the lock on the data directory.
final class Switchboard: Sendable {
    private let cores = Mutex<[Core]>([])

    func connect(_ cores: [Core]) { self.cores.withLock { $0 = cores } }

    func disconnect() { connect([]) }

    var all: [Core] { cores.withLock { $0 } }

    /// Events for a node that has ended are dropped: nobody waits for them any more.
    @Sendable func post(_ core: Int, _ events: [Delivery]) {
        let cores = all
        if core < cores.count { cores[core].post(events) }
    }
}
