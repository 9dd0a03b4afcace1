/// Gathers everybody's metrics for one scrape: each core's on its own loop, then the disk's, the
/// engine's and the process's, and hands the sum to the gateway that asked.
internal import Base
internal import Dispatch
internal import Failpoints
internal import HTTP
internal import Injection
internal import NIOCore
internal import Node
internal import RocksStorage
internal import Storage
internal import Synchronization
internal import Telemetry

struct Scraper: Sendable {
    let switchboard: Switchboard
    let disk: StoreWorkers
    let store: Store
    let storeMemoryBound: Int
    let build: BuildFacts
    /// nil in cleartext.
    let tls: TLSAcceptor?
    let failpoints: FailpointRegistry
    /// Not a core's: the engine's properties take its lock, and a file system may hang.
    private let queue = CollectionQueue()

    init(
        switchboard: Switchboard, disk: StoreWorkers, store: Store, storeMemoryBound: Int,
        build: BuildFacts, tls: TLSAcceptor?, failpoints: FailpointRegistry
    ) {
        self.failpoints = failpoints
        self.switchboard = switchboard
        self.disk = disk
        self.store = store
        self.storeMemoryBound = storeMemoryBound
        self.build = build
        self.tls = tls
    }

    var scrape: @Sendable (_ core: Int, _ token: ScrapeToken) -> Void {
        { [self] asker, token in collect(from: 0, Scrape(), for: asker, token) }
    }

    /// Walks over the cores, one after the other.
    private func collect(
        from index: Int, _ soFar: Scrape, for asker: Int, _ token: ScrapeToken
    ) {
        let cores = switchboard.all
        guard index < cores.count else {
            let answer: @Sendable (Scrape) -> Void = { scrape in
                switchboard.post(asker, [Delivery(to: .gateway, .scraped(token, scrape))])
            }
            let isTaken = queue.submit {
                if failpoints.reached(.metricsCollect) == .lost { return answer(soFar) }
                var scrape = soFar
                measureHost(into: &scrape)
                measureEngine(into: &scrape)
                answer(scrape)
            }
            // What hangs there is seen by what is missing here.
            if !isTaken { answer(soFar) }
            return
        }
        let core = cores[index]
        core.loop.execute {
            var scrape = soFar
            scrape.merge(core.measure())
            collect(from: index + 1, scrape, for: asker, token)
        }
    }

    private func measureHost(into scrape: inout Scrape) {
        ProcessStatistics.measure(into: &scrape)
        scrape.add(.failpointsSet, UInt64(failpoints.setCount))
        scrape.add(.buildInfo, 1, [build.version, build.revision, build.swift])
        if let end = tls?.identity?.notAfter {
            scrape.add(.certificateExpiry, end.milliseconds / 1000, ["node"])
        }
        let statistics = disk.statistics
        scrape.add(.syncDuration, statistics.syncDuration)
        scrape.add(.syncedEntries, statistics.entriesPerSync)
        scrape.add(.applyDuration, statistics.applyDuration)
        for reason in WriteFailure.allCases {
            scrape.add(.writeFailures, statistics.failures[reason] ?? 0, [reason.rawValue])
        }
        do {
            let space = try store.lookAtDisk().space
            scrape.add(.diskCapacity, space.capacityBytes)
            scrape.add(.diskAvailable, space.freeBytes)
            scrape.add(.diskFull, space.isFull ? 1 : 0)
        } catch {
            // The disk watch logs it once; the scrape says it by the missing series, and counts it.
            return
        }
    }

    private func measureEngine(into scrape: inout Scrape) {
        let statistics = store.engine.statistics()
        for (family, part) in statistics.families {
            let name = family.rawValue
            scrape.add(.memtables, part.memtableBytes, [name])
            scrape.add(.tableBytes, part.tableBytes, [name])
            scrape.add(.keysEstimate, part.keysEstimate, [name])
            scrape.add(.compactionDebt, part.pendingCompactionBytes, [name])
            for (level, count) in part.tablesPerLevel.enumerated() {
                scrape.add(.tables, count, [name, String(level)])
            }
        }
        scrape.add(.engineJobs, statistics.runningFlushes, ["flush"])
        scrape.add(.engineJobs, statistics.runningCompactions, ["compaction"])
        scrape.add(.blockCache, statistics.blockCacheBytes)
        scrape.add(.blockCacheCapacity, statistics.blockCacheCapacity)
        scrape.add(.memoryBound, UInt64(storeMemoryBound))
        scrape.add(.tableReaders, statistics.tableReaderBytes)
        scrape.add(.views, statistics.snapshots)
        scrape.add(.backgroundErrors, statistics.backgroundErrors)
        scrape.add(.failedSpaceLooks, statistics.failedSpaceLooks)
        scrape.add(.writesStopped, statistics.writesAreStopped ? 1 : 0)
        scrape.add(.writeStall, real: Double(statistics.stallMilliseconds) / 1000)
    }
}

/// One collection after the other; a few may wait, such as two Prometheus servers bring.
private final class CollectionQueue: Sendable {
    private static let waitingMax = 8

    private let thread = DispatchQueue(label: "metrics")
    private let waiting = Atomic<Int>(0)

    /// False if too many wait: one before them hangs.
    func submit(_ collect: @escaping @Sendable () -> Void) -> Bool {
        let count = waiting.wrappingAdd(1, ordering: .relaxed).newValue
        guard count <= Self.waitingMax else {
            waiting.wrappingSubtract(1, ordering: .relaxed)
            return false
        }
        thread.async { [self] in
            collect()
            waiting.wrappingSubtract(1, ordering: .relaxed)
        }
        return true
    }
}
