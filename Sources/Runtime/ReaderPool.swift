/// Threads that may wait for a disk: cold reads, long scans and counts.
///
/// The shard bounds how many reads are out at once; the pool only runs them, in the order in which
/// they come.
internal import Base
internal import NIOPosix
internal import Regions
internal import Storage

struct ReaderPool: Sendable {
    /// Two: one long count must not hold up a short cold read, and a 2-core machine gains nothing
    /// from more.
    static let threadCount = 2

    let threads: NIOThreadPool
    let engine: any KeyValueEngine

    func run(
        _ read: RawRead, _ view: (any EngineView)?, at wall: WallTime,
        _ done: @escaping @Sendable (Result<RawOutcome, StorageError>) -> Void
    ) {
        threads.submit { state in
            guard state == .active else {
                done(.failure(.failed("the node is stopping")))
                return
            }
            do {
                guard let outcome = try read.run(on: engine, view, at: wall, tier: .disk) else {
                    done(.failure(.failed("the engine left a read from disk unanswered")))
                    return
                }
                done(.success(outcome))
            } catch let error as StorageError {
                done(.failure(error))
            } catch {
                done(.failure(.failed("\(error)")))
            }
        }
    }
}
