/// A thread that takes everything that has queued for it at once, so that what comes while it works
/// shares the next round.
///
/// What is queued is bounded by who hands it over: the shards count the bytes that they have under
/// way (`Limits.unsyncedBytes`).
internal import NIOPosix
internal import Synchronization

final class BatchWorker<Item: Sendable>: Sendable {
    private struct State: Sendable {
        var items: [Item] = []
        var isRunning = false
    }

    private let thread: NIOThreadPool
    private let state = Mutex(State())

    /// - Parameter thread: a pool of one.
    init(thread: NIOThreadPool) { self.thread = thread }

    /// - Parameter process: the same each time; it is let go when nothing is queued.
    func submit(_ items: [Item], to process: @escaping @Sendable ([Item]) -> Void) {
        let mustWake = state.withLock { state in
            state.items.append(contentsOf: items)
            defer { state.isRunning = true }
            return !state.isRunning
        }
        guard mustWake else { return }
        thread.submit { [self] workState in
            // Cancelled only when the pool is shut down, after the cores have drained.
            guard workState == .active else { return }
            while let items = next() { process(items) }
        }
    }

    private func next() -> [Item]? {
        state.withLock { state in
            state.isRunning = !state.items.isEmpty
            guard state.isRunning else { return nil }
            defer { state.items = [] }
            return state.items
        }
    }
}
