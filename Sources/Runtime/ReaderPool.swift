/// Threads that may wait for a disk: cold reads, long scans and counts.
///
/// The shard bounds how many reads are out at once; the pool only runs them, in the order in which
/// they come. One that nobody waits for any more ends at its next look.
internal import Base
internal import Failpoints
internal import Injection
internal import NIOPosix
internal import Regions
internal import RocksStorage
internal import Storage
internal import Synchronization

/// Says from one thread to another that nobody waits for a read any more.
final class StopFlag: Sendable {
    private let flag = Atomic<Bool>(false)

    // Relaxed: nothing else is handed over with it.
    var isSet: Bool { flag.load(ordering: .relaxed) }

    func set() { flag.store(true, ordering: .relaxed) }
}

struct ReaderPool: Sendable {
    /// Two: one long count must not hold up a short cold read, and a 2-core machine gains nothing
    /// from more.
    static let threadCount = 2

    let threads: NIOThreadPool
    let engine: any KeyValueEngine
    let failpoints: FailpointRegistry

    func run(
        _ read: RawRead, _ view: (any EngineView)?, at wall: WallTime, until stop: StopFlag,
        _ done: @escaping @Sendable (Result<RawOutcome, StorageError>) -> Void
    ) {
        threads.submit { state in
            guard state == .active else {
                done(.failure(.unreadable("the node is stopping")))
                return
            }
            do throws(StorageError) {
                try failpoints.check(.readBegin)
                let outcome = try read.run(
                    on: engine, view, at: wall, tier: .disk, isWanted: { !stop.isSet })
                guard let outcome else {
                    done(.failure(.unreadable("the engine left a read from disk unanswered")))
                    return
                }
                try failpoints.check(.readEnd)
                done(.success(outcome))
            } catch {
                done(.failure(error))
            }
        }
    }
}
