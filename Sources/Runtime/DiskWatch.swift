/// Looks at the disk a few times a second, tells every unit how full it is, and lets a full store
/// get back what was deleted.
///
/// A look is cheap and runs on an event loop; getting space back means flushes and compactions and
/// runs on a thread of its own, one at a time.
internal import Logging
internal import NIOPosix
internal import Node
internal import RocksStorage
internal import Storage
internal import Synchronization

final class DiskWatch: Sendable {
    private let engine: RocksEngine
    private let cores: [Core]
    private let upkeep: NIOThreadPool
    private let logger: Logger
    private let isReclaiming = Mutex(false)

    init(engine: RocksEngine, cores: [Core], upkeep: NIOThreadPool, logger: Logger) {
        self.engine = engine
        self.cores = cores
        self.upkeep = upkeep
        self.logger = logger
    }

    func look() {
        do {
            let space = try engine.diskSpace()
            for core in cores {
                core.post([
                    Delivery(to: .shard, .diskSpace(space)),
                    Delivery(to: .gateway, .diskSpace(space)),
                ])
            }
            reclaim()
        } catch {
            logger.warning("free space cannot be told", metadata: ["error": "\(error)"])
        }
    }

    private func reclaim() {
        let isFirst = isReclaiming.withLock { isReclaiming in
            defer { isReclaiming = true }
            return !isReclaiming
        }
        guard isFirst else { return }
        upkeep.submit { [self] state in
            defer { isReclaiming.withLock { $0 = false } }
            guard state == .active else { return }
            do {
                if try engine.reclaim() { logger.info("compacted because the disk is full") }
            } catch {
                logger.error("the store could not be flushed", metadata: ["error": "\(error)"])
            }
        }
    }
}
