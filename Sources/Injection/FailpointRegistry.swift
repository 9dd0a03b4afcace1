/// The failpoints of one node with threads: a flag that costs one relaxed load while nothing is
/// set, and behind it the table under a lock.
///
/// One for each node and none for the process, so that two nodes of one test do not share theirs.
/// Actions that wait do so here, on the thread that reached the point: a `sleep` on an event loop
/// holds up every connection of that core. docker/failpoints.md says which point stands on
/// what. A `pause` ends when its point is set anew or cleared.
package import Base
internal import Dispatch
package import Failpoints
private import Glibc
internal import Synchronization

package final class FailpointRegistry: Sendable {
    private struct State: Sendable {
        var table: FailpointTable
        var paused: [Failpoint: [DispatchSemaphore]] = [:]
    }

    /// What happened at a point, for whoever writes logs.
    package struct Report: Sendable {
        package var point: Failpoint
        package var action: FailpointAction
    }

    /// Whether any point is set: all that is asked while none is, at each of them.
    private let isArmed = Atomic<Bool>(false)
    /// A bit for each point that is set, by its raw value: the first 64, and the rest.
    private let armed = Atomic<UInt64>(0)
    private let armedAbove = Atomic<UInt64>(0)
    private let state: Mutex<State>
    private let tell: @Sendable (Report) -> Void

    /// - Parameter tell: called for `print` and `panic`, on the thread that reached the point; a
    ///   `panic` ends the process when it returns.
    package init(
        _ settings: [FailpointSetting], generator: SeededGenerator,
        tell: @escaping @Sendable (Report) -> Void
    ) {
        let table = FailpointTable(settings, generator: generator)
        state = Mutex(State(table: table))
        self.tell = tell
        arm(table.mask)
    }

    /// Nothing is set, and nothing is said.
    package convenience init() {
        self.init([], generator: SeededGenerator(seed: 0)) { _ in }
    }

    /// Does what is set for this point, waiting included.
    /// - Returns: the fault that the caller is to act upon.
    // Hot path: a dozen times per request, 2 ns each; 8 if the point's bit is looked up at once.
    // Relaxed: who sets a point waits for nobody to see it.
    @discardableResult
    package func reached(_ point: Failpoint) -> InjectedFault? {
        isSet(point) ? act(at: point) : nil
    }

    /// Whether something is set there, which is not done.
    package func isSet(_ point: Failpoint) -> Bool {
        isArmed.load(ordering: .relaxed) && hasBit(point)
    }

    @inline(never)
    private func hasBit(_ point: Failpoint) -> Bool {
        let word =
            point.rawValue < 64
            ? armed.load(ordering: .relaxed) : armedAbove.load(ordering: .relaxed)
        return word & 1 << UInt64(point.rawValue & 63) != 0
    }

    private func arm(_ mask: UInt128) {
        defer { isArmed.store(mask != 0, ordering: .relaxed) }
        armed.store(UInt64(truncatingIfNeeded: mask), ordering: .relaxed)
        armedAbove.store(UInt64(truncatingIfNeeded: mask >> 64), ordering: .relaxed)
    }

    /// `reached` for code of an executor whose threads must not wait.
    @discardableResult
    package func reachedAside(_ point: Failpoint) async -> InjectedFault? {
        guard isSet(point) else { return nil }
        return await withCheckedContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(returning: self.act(at: point)) }
        }
    }

    /// From any thread. Who paused at a point that the command changes goes on.
    package func perform(_ command: FailpointCommand) -> [FailpointState] {
        state.withLock { state in
            let result = state.table.perform(command)
            let changed: [Failpoint] =
                switch command {
                case .list, .show: []
                case .set(let setting): [setting.point]
                case .clear(let point): [point]
                case .clearAll: Failpoint.allCases
                }
            for point in changed {
                for waiter in state.paused.removeValue(forKey: point) ?? [] { waiter.signal() }
            }
            arm(state.table.mask)
            return result
        }
    }

    /// How many points are set.
    package var setCount: Int { state.withLock { $0.table.mask.nonzeroBitCount } }

    @inline(never)
    private func act(at point: Failpoint) -> InjectedFault? {
        var gate: DispatchSemaphore?
        let action = state.withLock { state in
            let action = state.table.reached(point)
            if action == .pause {
                let semaphore = DispatchSemaphore(value: 0)
                state.paused[point, default: []].append(semaphore)
                gate = semaphore
            }
            return action
        }
        switch action {
        case nil, .off: break
        case .return(let fault): return fault
        case .sleep(let milliseconds): rest(milliseconds)
        case .delay(let milliseconds): burn(milliseconds)
        case .yield: sched_yield()
        case .pause: gate?.wait()
        case .print: tell(Report(point: point, action: action ?? .off))
        case .panic(let text):
            tell(Report(point: point, action: .panic(text)))
            fatalError("failpoint \(point.name): \(text ?? "panic")")
        }
        return nil
    }

    /// To an absolute time: a signal must not make it longer or shorter.
    private func rest(_ milliseconds: UInt64) {
        var end = timespec()
        clock_gettime(CLOCK_MONOTONIC, &end)
        end.tv_nsec += Int(milliseconds % 1000) * 1_000_000
        end.tv_sec += Int(milliseconds / 1000) + end.tv_nsec / 1_000_000_000
        end.tv_nsec %= 1_000_000_000
        while clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, nil) == EINTR {}
    }

    private func burn(_ milliseconds: UInt64) {
        let end = ContinuousClock.now + .milliseconds(Int64(milliseconds))
        while ContinuousClock.now < end {}
    }
}
