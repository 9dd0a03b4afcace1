/// `martlet serve`: checks, starts, announces and at last drains one node.
///
/// Everything that can be known to be wrong is said before the port opens. Ready means ready: the
/// banner, or the line `event=ready`, comes when requests are answered.
internal import ArgumentParser
internal import Base
internal import Glibc
internal import HTTP
internal import Logging
internal import RocksStorage
internal import Runtime
internal import Settings
internal import Terminal

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run a node.",
        discussion: """
            Without arguments: on loopback, data in ./martlet-data.
            Each flag is also a variable (MARTLET_DATA_DIR) and a
            key of the file (data_dir).

              martlet serve
              martlet serve --config /etc/martlet/martlet.toml
            """)

    @OptionGroup var options: ServeOptions

    func run() async throws {
        let began = ContinuousClock.now
        let isPerson = StandardStream.isInteractive(STDERR_FILENO)
        let (layers, settings) = try settingsOrFailure(
            options, format: isPerson ? .text : .json)
        let format = settings.logFormat ?? (isPerson ? .text : .json)
        for warning in layers.warnings { report(warning, format: format) }
        let signals = StopSignals()
        let start = NodeStart(
            settings: settings, checks: StartChecks(layers: layers, settings: settings),
            format: format, storeFailed: signals.storeFailed)
        let started: NodeStart.Started
        do throws(StartError) {
            started = try await start.run()
        } catch {
            throw CommandFailure(error, format: format)
        }
        let announcement = Announcement(
            started: started, settings: settings, took: began.duration(to: .now))
        if isPerson, format == .text {
            writeLine(announcement.banner.lines.joined(separator: "\n"), to: STDERR_FILENO)
        } else {
            let record = announcement.record
            writeLine(format == .json ? record.json : record.logfmt, to: STDERR_FILENO)
        }
        let notices = ServiceNotices(environmentVariables()) { error in
            report(.managerUntold(error), format: format)
        }
        notices.ready(started.node, announcement.status)
        try await untilStopped(started, signals, notices, format)
    }

    private func untilStopped(
        _ started: NodeStart.Started, _ signals: StopSignals, _ notices: ServiceNotices,
        _ format: LogFormat
    ) async throws(CommandFailure) {
        let renewal = started.certificate.map { _ in Renewal(started.node, started.logger) }
        var last = StopSignals.Request.stop
        for await request in signals.requests {
            last = request
            guard request == .reload else { break }
            await renewal?.lookNow()
        }
        renewal?.stop()
        await notices.stopping()
        defer { notices.stop() }
        started.logger.notice(
            "answering what is in flight; the same signal again stops at once",
            metadata: ["event": "draining"])
        do {
            try await started.node.drain(notice: Limits.unreadyNotice)
        } catch {
            throw CommandFailure(
                .unforeseen("the node did not stop cleanly: \(error)"), format: format)
        }
        // What happened is in the log already.
        if last == .storeFailed { throw CommandFailure(.disk) }
        started.logger.notice("stopped cleanly", metadata: ["event": "stopped"])
    }
}

extension Diagnosis {
    fileprivate static func managerUntold(_ error: SystemError) -> Diagnosis {
        let isFull = error.number == EAGAIN
        return Diagnosis(
            .warning, "service_manager_untold",
            "NOTIFY_SOCKET: " + (isFull ? "it is full and nobody reads it" : error.reason),
            advice: isFull ? "systemctl is-system-running" : "NotifyAccess=main   # in the unit")
    }
}

/// Looks at the certificate's files on SIGHUP and once a minute.
private final class Renewal: Sendable {
    private let node: RunningNode
    private let logger: Logger
    private let timer: Task<Void, Never>

    private static let interval = Duration.seconds(60)

    init(_ node: RunningNode, _ logger: Logger) {
        self.node = node
        self.logger = logger
        timer = Task {
            while !Task.isCancelled {
                do {
                    try await Task.sleep(for: Renewal.interval)
                } catch {
                    // The only failure of a sleep is its cancellation.
                    return
                }
                await Renewal.look(node, logger, isAsked: false)
            }
        }
    }

    func lookNow() async { await Renewal.look(node, logger, isAsked: true) }

    func stop() { timer.cancel() }

    private static func look(_ node: RunningNode, _ logger: Logger, isAsked: Bool) async {
        switch await node.reloadCertificate() {
        case nil: break
        case .unchanged where !isAsked: break
        case .unchanged:
            logger.notice("the certificate is unchanged", metadata: ["event": "certificate_kept"])
        case .replaced(let identity):
            let end = String(decoding: identity.notAfter.rfc3339, as: UTF8.self)
            logger.notice(
                "new connections get the new certificate",
                metadata: ["event": "certificate_replaced", "not_after": "\(end)"])
        case .kept(let error):
            logger.error(
                "the new certificate cannot be used, the old one stays: \(error)",
                metadata: ["event": "certificate_kept", "try": "\(error.advice)"])
        }
    }
}
