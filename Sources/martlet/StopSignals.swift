/// SIGTERM and SIGINT ask a node to stop, SIGHUP to read its certificates again; but the SIGHUP of
/// a terminal that has gone asks to stop, and so does a store that has failed. A second request to
/// stop ends the process at once, whatever the drain is waiting for.
///
/// Dispatch sources and not swift-service-lifecycle: there is one service, and that library knows
/// no second signal that overtakes the first; below, it uses the same sources.
private import Dispatch
private import Glibc
private import Synchronization

final class StopSignals {
    enum Request: Sendable {
        case stop, reload
        /// By the node itself: its store has failed.
        case storeFailed
    }

    let requests: AsyncStream<Request>
    private let stops = StopCount()
    /// May be called from any thread.
    let storeFailed: @Sendable () -> Void
    /// Held as long as signals are to be heard.
    private let sources: [any DispatchSourceSignal]

    /// For whoever is in the middle of something else than hearing requests.
    var isStopWanted: Bool { stops.isAny }

    /// From here on, these signals no longer end the process by themselves, but are heard. On
    /// Linux Dispatch puts a handler of its own in place of the default one; ignored first, a
    /// signal that came before that was lost.
    init() {
        let (stream, continuation) = AsyncStream.makeStream(of: Request.self)
        let queue = DispatchQueue(label: "martlet.signals")
        let stops = stops
        let hadTerminal = isatty(STDERR_FILENO) == 1
        requests = stream
        storeFailed = {
            _ = stops.next()
            continuation.yield(.storeFailed)
        }
        let registered = DispatchGroup()
        sources = [SIGTERM, SIGINT, SIGHUP].map { number in
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler {
                // After a hang-up the terminal answers nothing any more, not even what it is.
                let isHangUp = hadTerminal && isatty(STDERR_FILENO) == 0
                if number == SIGHUP, !isHangUp {
                    continuation.yield(.reload)
                } else if stops.next() == 1 {
                    continuation.yield(.stop)
                } else {
                    StopSignals.endAtOnce(number)
                }
            }
            registered.enter()
            source.setRegistrationHandler { registered.leave() }
            source.resume()
            return source
        }
        registered.wait()
    }

    /// As the signal would have done, so that whoever waits for the process sees why it ended.
    private static func endAtOnce(_ number: Int32) {
        signal(number, SIG_DFL)
        // Dispatch's threads have signals blocked.
        var unblocked = sigset_t()
        sigemptyset(&unblocked)
        sigaddset(&unblocked, number)
        pthread_sigmask(SIG_UNBLOCK, &unblocked, nil)
        raise(number)
        // The first process of a container is not killed by its own signals.
        _exit(128 + number)
    }
}

private final class StopCount: Sendable {
    private let count = Atomic(0)

    var isAny: Bool { count.load(ordering: .relaxed) > 0 }

    func next() -> Int { count.add(1, ordering: .relaxed).newValue }
}
