/// What systemd is told of a node: that it is ready, that its loops still turn, that it stops
/// (sd_notify(3)). Nothing is sent unless the service manager names a socket.
///
/// Ready means that the port is open and never that others agree: a first node that waited for
/// others would keep them from being started. A manager that does not read is not waited for, and
/// said to be so once. libsystemd is not linked for three datagrams.
internal import Glibc
internal import Runtime
internal import Settings
internal import Synchronization

final class ServiceNotices: Sendable {
    private let socketPath: String?
    /// Half of the time after which the manager gives the process up; nil if it does not watch.
    private let pulseInterval: Duration?
    private let pulses = Mutex<Task<Void, Never>?>(nil)
    private let isUntold = Atomic(false)
    private let untold: @Sendable (SystemError) -> Void

    /// - Parameter untold: called when the manager could not be told, the first time.
    init(_ environment: [String: String], untold: @escaping @Sendable (SystemError) -> Void) {
        self.untold = untold
        socketPath = environment["NOTIFY_SOCKET"].flatMap { $0.isEmpty ? nil : $0 }
        let watched = environment["WATCHDOG_PID"].map { $0 == "\(getpid())" } ?? true
        let limit = environment["WATCHDOG_USEC"].flatMap { Int64($0) } ?? 0
        pulseInterval = watched && limit > 0 ? .microseconds(limit) / 2 : nil
    }

    /// The node serves. From here on every pulse goes once through all of its loops.
    func ready(_ node: RunningNode, _ status: String) {
        send("READY=1\nSTATUS=\(status)")
        beat { try await node.turnEveryLoop() }
    }

    /// Before the drain, which ends the loops: it has a bound of its own, and the manager one for
    /// the stop, so that a pulse says no more than that the process lives.
    func stopping() async {
        let pulse = pulses.withLock { $0 }
        pulse?.cancel()
        await pulse?.value
        send("STOPPING=1\nSTATUS=draining")
        beat {}
    }

    private func beat(_ look: @escaping @Sendable () async throws -> Void) {
        guard socketPath != nil, let pulseInterval else { return }
        let pulse = Task { [self] in
            do {
                while true {
                    try await Task.sleep(for: pulseInterval)
                    try await look()
                    send("WATCHDOG=1")
                }
            } catch {
                // Cancelled, or the loops are gone. A pulse that the manager did not take is no
                // reason: the next may reach it.
                return
            }
        }
        pulses.withLock { $0 = pulse }
    }

    /// After the drain.
    func stop() { pulses.withLock { $0?.cancel() } }

    /// A node that cannot tell serves all the same.
    private func send(_ text: String) {
        guard let socketPath else { return }
        do throws(SystemError) {
            try send(text, to: socketPath)
        } catch {
            guard !isUntold.exchange(true, ordering: .relaxed) else { return }
            untold(error)
        }
    }

    private func send(_ text: String, to socketPath: String) throws(SystemError) {
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw .last }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var path = Array(socketPath.utf8)
        // A leading @ stands for NUL: a name that is no file (unix(7)).
        let isAbstract = path.first == UInt8(ascii: "@")
        if isAbstract { path[0] = 0 }
        let room = MemoryLayout.size(ofValue: address.sun_path)
        guard path.count < room else { throw SystemError(number: ENAMETOOLONG) }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
        let length = MemoryLayout<sockaddr_un>.size - room + path.count + (isAbstract ? 0 : 1)
        let sent = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(
                    descriptor, text, text.utf8.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT), $0,
                    socklen_t(length))
            }
        }
        guard sent == text.utf8.count else { throw .last }
    }
}
