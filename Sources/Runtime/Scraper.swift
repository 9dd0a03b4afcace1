/// Gathers everybody's metrics for one scrape: each core's on its own loop, then the disk's, the
/// engine's and the process's, and hands the sum to the gateway that asked.
internal import Base
internal import HTTP
internal import NIOCore
internal import Node
internal import RocksStorage
internal import Storage
internal import Telemetry

struct Scraper: Sendable {
    let switchboard: Switchboard
    let disk: DiskWorker
    let engine: RocksEngine
    let build: BuildFacts

    var scrape: @Sendable (_ core: Int, _ token: ScrapeToken) -> Void {
        { [self] asker, token in collect(from: 0, Scrape(), for: asker, token) }
    }

    /// Walks over the cores, one after the other.
    private func collect(
        from index: Int, _ soFar: Scrape, for asker: Int, _ token: ScrapeToken
    ) {
        let cores = switchboard.all
        guard index < cores.count else {
            var scrape = soFar
            measureHost(into: &scrape)
            switchboard.post(asker, [Delivery(to: .gateway, .scraped(token, scrape))])
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
        scrape.add(.buildInfo, 1, [build.version, build.revision, build.swift])
        let statistics = disk.statistics
        scrape.add(.syncDuration, statistics.syncDuration)
        scrape.add(.syncedWrites, statistics.writesPerSync)
        scrape.add(.writeFailures, statistics.failures)
        do {
            let space = try engine.diskSpace()
            scrape.add(.diskCapacity, space.capacityBytes)
            scrape.add(.diskAvailable, space.freeBytes)
        } catch {
            // The disk watch logs it each half second; the scrape says it by the missing series.
            return
        }
    }
}
