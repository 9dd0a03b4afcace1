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
    private let process: @Sendable ([Item]) -> Void
    private let state = Mutex(State())

    /// - Parameter thread: a pool of one.
    init(thread: NIOThreadPool, process: @escaping @Sendable ([Item]) -> Void) {
        self.thread = thread
        self.process = process
    }

    func submit(_ items: [Item]) {
        let mustWake = state.withLock { state in
            state.items.append(contentsOf: items)
            defer { state.isRunning = true }
            return !state.isRunning
        }
        guard mustWake else { return }
        thread.submit { [self] workState in
            // Cancelled only when the pool is shut down, after the cores have drained.
            if workState == .active { drain() }
        }
    }

    private func drain() {
        while let items = next() { process(items) }
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
