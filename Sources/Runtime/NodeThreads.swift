/// The threads of a node beside its event loops, each pool for one kind of waiting, so that none
/// waits behind another's.
internal import NIOPosix

struct NodeThreads: Sendable {
    /// Long scans and cold reads.
    let readers = NIOThreadPool(numberOfThreads: ReaderPool.threadCount)
    let log = NIOThreadPool(numberOfThreads: 1)
    let data = NIOThreadPool(numberOfThreads: 1)
    /// Flushes and compactions that a full disk asks for.
    let upkeep = NIOThreadPool(numberOfThreads: 1)
    /// Reads the snapshots that go and writes those that come.
    let snapshots = NIOThreadPool(numberOfThreads: 1)

    init() {
        for pool in [readers, log, data, upkeep, snapshots] { pool.start() }
    }

    /// Whoever hands work to others ends before them.
    func shutDown() async throws {
        for pool in [upkeep, snapshots, log, data, readers] { try await pool.shutdownGracefully() }
    }
}
