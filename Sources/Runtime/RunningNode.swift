/// A node that runs: its data directory, its engine, its threads, its cores, its listeners.
///
/// Built once, in the order in which things need each other, and taken down in the opposite order:
/// listeners, requests in flight, the writers of log and data, both databases, directory. It leaves
/// out everything that a person sees while it starts, which is the command line's.
internal import Base
internal import CMalloc
internal import Failpoints
package import HTTP
package import Injection
package import Logging
package import NIOCore
internal import NIOPosix
internal import Node
private import Raft
internal import Regions
package import RocksStorage
package import Settings
internal import Storage
internal import Telemetry

package final class RunningNode: Sendable {
    package let identity: StoreIdentity
    /// Where it listens, in the order of the settings.
    package let addresses: [SocketAddress]
    /// Bytes of resident memory that the store stays below; connections and requests in flight come
    /// on top, each with bounds of its own.
    package let storeMemoryBound: Int
    private let tls: TLSAcceptor?
    private let parts: NodeParts
    private let listeners: [any Channel]
    private let diskWatch: DiskWatch
    private let failpoints: FailpointRegistry

    /// Ready means ready: when this returns, requests are served.
    /// - Parameter storeFailed: called once, from any thread, when a write has failed for good: the
    ///   node still reads, and is to be drained and ended by who started it.
    package static func start(
        _ settings: NodeSettings, directory: DataDirectory, failpoints: FailpointRegistry,
        logger: Logger,
        storeFailed: @escaping @Sendable () -> Void
    ) async throws -> RunningNode {
        Limits.checkRelations()
        keepLargeBuffersReturnable()
        let tls = try settings.tls.map { files in
            try TLSAcceptor(files.paths, now: Clocks.wall())
        }
        let diskBytes = try directory.space().capacity
        let (store, recovered) = try Store.open(
            directory,
            Self.options(settings.cacheBytes, diskBytes: diskBytes, failpoints: failpoints))
        try Self.refuseUnprovable(recovered, settings.tls)
        let parts = NodeParts(
            settings, directory: directory, store: store, recovered: recovered, tls: tls,
            failpoints: failpoints, logger: logger, storeFailed: storeFailed)
        let watch = DiskWatch(
            store: store, workers: parts.workers, cores: parts.cores, upkeep: parts.threads.upkeep,
            failpoints: failpoints, logger: logger)
        await watch.start()
        do {
            for core in parts.cores { core.start() }
            for core in parts.cores { try await core.serving.futureResult.get() }
            var listeners: [any Channel] = []
            for address in settings.listen {
                if await failpoints.reachedAside(.startListen) != nil {
                    throw IOError(errnoCode: EADDRINUSE, reason: "the failpoint start.listen")
                }
                let channel = try await Front.bind(
                    host: address.host, port: address.port, fronts: parts.cores.map(\.front),
                    group: parts.group
                ).get()
                listeners.append(channel)
            }
            await failpoints.reachedAside(.startReady)
            let node = try RunningNode(
                parts, directory: directory, tls: tls, listeners: listeners, diskWatch: watch,
                failpoints: failpoints)
            parts.peers.start(address: settings.advertise ?? node.defaultAddress)
            return node
        } catch {
            await watch.stop()
            try await parts.shutDown()
            throw error
        }
    }

    /// A store of several that has TLS, and nothing to tell the others from anybody by.
    private static func refuseUnprovable(
        _ recovered: RecoveredReplica, _ tls: ServeSettings.TLSFiles?
    ) throws(StartError) {
        guard let tls, tls.peerAuthorities == nil, recovered.membership.everyone != [recovered.id]
        else { return }
        throw .peersUnprovable(certificate: tls.certificate)
    }

    private init(
        _ parts: NodeParts, directory: DataDirectory, tls: TLSAcceptor?,
        listeners: [any Channel], diskWatch: DiskWatch, failpoints: FailpointRegistry
    ) throws {
        self.failpoints = failpoints
        identity = directory.identity
        storeMemoryBound = parts.storeMemoryBound
        self.tls = tls
        self.parts = parts
        self.listeners = listeners
        addresses = try listeners.map { channel in
            guard let address = channel.localAddress else {
                throw ChannelError.unknownLocalAddress
            }
            return address
        }
        self.diskWatch = diskWatch
    }

    private var defaultAddress: String {
        let host = addresses[0].ipAddress ?? "127.0.0.1"
        let port = addresses[0].port ?? 0
        let scheme = tls == nil ? "http" : "https"
        return host.contains(":") ? "\(scheme)://[\(host)]:\(port)" : "\(scheme)://\(host):\(port)"
    }

    /// Answers what is in flight, takes nothing new, then closes everything. Requests that take
    /// longer than `grace` are cut off.
    /// - Parameter notice: for how long everything goes on but that it says it is not ready; only
    ///   where there are others to go to.
    package func drain(
        notice: Duration = .zero, grace: TimeAmount = .seconds(30)
    ) async throws {
        await failpoints.reachedAside(.drainBegin)
        // First of all, and with all ports open: whoever asks /readyz hears it and sends no more
        // here, while what comes even so is answered as before.
        for core in parts.cores { core.post([Delivery(to: .gateway, .stopping)]) }
        if notice > .zero, try await !parts.stores.isAlone() { try await Task.sleep(for: notice) }
        try await parts.stores.yield()
        for listener in listeners { try await listener.close() }
        await failpoints.reachedAside(.drainQuiet)
        // All at once: a core that waited for another would go on taking requests.
        let drains = parts.cores.map { core in
            let empty = core.loop.makePromise(of: Void.self)
            core.loop.execute { core.front.drain { empty.succeed() } }
            return (empty.futureResult, core.loop.scheduleTask(in: grace) { empty.succeed() })
        }
        for (empty, cutOff) in drains {
            try await empty.get()
            cutOff.cancel()
        }
        await failpoints.reachedAside(.drainClose)
        await diskWatch.stop()
        try await parts.shutDown()
        await failpoints.reachedAside(.drainEnd)
    }

    /// Returns once each loop has taken a turn: while one of them hangs, it does not.
    package func turnEveryLoop() async throws {
        for core in parts.cores { try await core.loop.submit {}.get() }
    }

    /// Reads the certificate's files again, for connections to come. nil without TLS.
    package func reloadCertificate() async -> TLSAcceptor.Reload? {
        guard let tls else { return nil }
        if await failpoints.reachedAside(.tlsReload) != nil {
            let reason = "the failpoint tls.reload says unreadable"
            return .kept(.unreadable(path: tls.paths.certificate, reason: reason))
        }
        return tls.reload(now: Clocks.wall())
    }

    /// What `storeMemoryBound` of a node would be that starts now.
    /// - Parameter diskBytes: the size of the file system that holds the data.
    package static func storeMemoryBound(cacheBytes: Int?, diskBytes: UInt64) -> Int {
        options(cacheBytes, diskBytes: diskBytes, failpoints: FailpointRegistry())
            .storeMemoryBound
    }

    static func options(
        _ cacheBytes: Int?, diskBytes: UInt64, failpoints: FailpointRegistry
    ) -> RocksOptions {
        let machine = MachineResources.measured()
        var options = RocksOptions(for: machine, diskBytes: diskBytes)
        if let cacheBytes { options.blockCacheBytes = cacheBytes }
        options.failpoints = failpoints
        options.isGarbage = [.raw: isGarbage(failpoints)]
        return options
    }

    /// What a compaction may drop: values that have expired.
    package static func isGarbage(
        _ failpoints: FailpointRegistry
    ) -> @Sendable (UnsafeRawBufferPointer) -> Bool {
        { value in
            RawRecord.isExpired(value, at: Clocks.wall())
                && failpoints.reached(.compactionExpired) != .kept
        }
    }

    /// Fixes glibc's threshold above which a buffer is mapped and, when freed, given back to the
    /// system. Left to itself it rises with each large buffer that is freed, and a node that served
    /// a few 4 MiB values would keep their memory for good.
    private static func keepLargeBuffersReturnable() {
        let threshold: Int32 = 256 << 10
        let accepted = mallopt(M_MMAP_THRESHOLD, threshold)
        invariant(accepted == 1, "glibc takes a threshold of \(threshold)")
    }
}

extension ServeSettings.TLSFiles {
    package var paths: TLSAcceptor.Paths {
        TLSAcceptor.Paths(certificate: certificate, key: key, authorities: peerAuthorities)
    }
}
