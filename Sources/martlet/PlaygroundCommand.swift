/// `martlet playground`: a cluster on this machine in one command, to try what several nodes do.
///
/// All nodes are in this one process, each with its own threads, sockets and directory, so that no
/// process is left behind however it ends; what is, if it is killed, is the folder of its data.
/// They talk over loopback as nodes of their own would. To kill one for real, start three
/// `martlet serve`.
internal import ArgumentParser
internal import Base
internal import Glibc
internal import HTTP
internal import Regions
internal import RocksStorage
internal import Runtime
internal import Settings
internal import Storage
internal import Terminal

struct PlaygroundCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "playground",
        abstract: "Run a cluster on this machine, to try it.",
        discussion: """
              martlet playground
              martlet playground --nodes 5 --data-dir ./play
            """)

    @Option(help: ArgumentHelp("How many. [3]", valueName: "n")) var nodes = 3

    @Option(
        help: ArgumentHelp(
            "Keep the data there, and go on with it. [a folder that is removed at the end]",
            valueName: "dir"),
        completion: .directory)
    var dataDir: String?

    @Option(
        help: ArgumentHelp(
            "The first node's; the others count up, past those that are taken. [7171]",
            valueName: "n"))
    var port: UInt16 = 7171

    func validate() throws {
        guard 1...9 ~= nodes else { throw ValidationError("--nodes is from 1 to 9.") }
        guard 1...65_000 ~= port else { throw ValidationError("--port is from 1 to 65000.") }
        if dataDir == "" { throw ValidationError("--data-dir names no folder.") }
    }

    func run() async throws {
        let began = ContinuousClock.now
        let signals = StopSignals()
        let home = try dataDir ?? Self.makeTemporaryFolder()
        var cluster = PlaygroundCluster(home: home, count: nodes, storeFailed: signals.storeFailed)
        do {
            try await cluster.start(from: port) { signals.isStopWanted }
        } catch {
            // That it could not be started is the news; what follows from it is said beside it.
            do {
                try await cluster.stop()
                try removeIfTemporary(home)
            } catch let second {
                writeLine("and stopping what had started failed: \(second)", to: STDERR_FILENO)
            }
            if error is CancellationError { return writeStopped() }
            throw error
        }
        show(cluster, home, took: began.duration(to: .now))
        // Any of them ends it, and nothing has a certificate to be read again.
        var last = StopSignals.Request.stop
        for await request in signals.requests where request != .reload {
            last = request
            break
        }
        try await cluster.stop()
        if last == .storeFailed {
            // What happened is in the log already.
            do throws(CommandFailure) { try removeIfTemporary(home) } catch {
                writeLine("and \(home) could not be removed: \(error)", to: STDERR_FILENO)
            }
            throw CommandFailure(.disk)
        }
        try removeIfTemporary(home)
        writeStopped()
    }

    private func writeStopped() {
        writeLine("stopped cleanly, nothing to undo", to: STDERR_FILENO)
    }

    private func show(_ cluster: PlaygroundCluster, _ home: String, took: Duration) {
        let urls = cluster.urls
        var lines = [
            "Martlet \(Build.version): \(urls.count) nodes on this machine hold the same data, "
                + "ready after \(took.wholeMilliseconds) ms"
        ]
        for (index, url) in urls.enumerated() { lines.append("  node \(index + 1)  \(url)") }
        let (first, last) = (urls[0], urls[urls.count - 1])
        lines += [
            "  data    \(home)" + (dataDir == nil ? ", removed at the end" : ""),
            "  try     curl -X PUT -d hello \(first)/v1/raw/kv/greeting",
            "          curl \(last)/v1/raw/kv/greeting",
            "          martlet stores --url \(first)",
            "  Ctrl-C stops it.",
        ]
        // With nine nodes there are more lines than a person wants.
        writeLine(lines.joined(separator: "\n"), to: STDERR_FILENO)
    }

    private static func makeTemporaryFolder() throws(CommandFailure) -> String {
        let parent = environmentVariables()["TMPDIR"] ?? "/tmp"
        var template = Array((parent + "/martlet-playground-XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else {
            throw CommandFailure(
                .dataUnwritable(
                    path: parent, reason: String(cString: strerror(errno)),
                    command: "martlet playground --data-dir ./play"), format: .text)
        }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private func removeIfTemporary(_ home: String) throws(CommandFailure) {
        guard dataDir == nil else { return }
        do throws(StorageError) {
            try DataDirectory.removeAll(in: home)
        } catch {
            throw CommandFailure(
                .diskFailed(path: home, reason: "it cannot be removed: \(error)"), format: .text)
        }
    }
}

/// The nodes of a playground.
struct PlaygroundCluster {
    private let home: String
    private let count: Int
    private let storeFailed: @Sendable () -> Void
    private var started: [NodeStart.Started] = []
    private(set) var urls: [String] = []

    /// Between two looks at whether all vote, and how long they may take.
    private static let pause = Duration.milliseconds(20)
    private static let patience = Duration.seconds(30)
    /// A share each of a machine that does other things too.
    private static let cacheSize = "64MiB"

    init(home: String, count: Int, storeFailed: @escaping @Sendable () -> Void) {
        self.home = home
        self.count = count
        self.storeFailed = storeFailed
    }

    /// Ready means that all of them vote and have what was committed.
    ///
    /// - Throws: `CancellationError` if it is to stop before.
    mutating func start(from port: UInt16, isStopWanted: () -> Bool) async throws {
        var places: [(LayeredSettings, ServeSettings)] = []
        var next = port
        for index in 0..<count {
            let place = try place(index, from: &next, joining: urls.first)
            places.append(place)
            urls.append("http://127.0.0.1:\(place.1.listen[0].port)")
        }
        let peers = try knownStores(places.map(\.1))
        for (layers, settings) in places {
            if isStopWanted() { throw CancellationError() }
            var start = NodeStart(
                settings: settings, checks: StartChecks(layers: layers, settings: settings),
                format: .text, storeFailed: storeFailed)
            start.saysWarnings = false
            start.peers = peers
            do throws(StartError) {
                started.append(try await start.run())
            } catch {
                throw CommandFailure(error, format: .text)
            }
        }
        try await allVote(isStopWanted)
    }

    private func place(
        _ index: Int, from port: inout UInt16, joining first: String?
    ) throws(CommandFailure) -> (LayeredSettings, ServeSettings) {
        let failpoints = environmentVariables().filter { $0.key == SettingName.failpoints.variable }
        do throws(SettingsError) {
            while true {
                let layers = try LayeredSettings(
                    flags: [
                        .dataDir: ["\(home)/n\(index + 1)"], .listen: ["127.0.0.1:\(port)"],
                        .cores: ["1"], .cacheSize: [Self.cacheSize], .logLevel: ["error"],
                        .join: first.map { [$0] } ?? [],
                    ],
                    environment: failpoints, file: nil)
                let settings = try ServeSettings(layers)
                let checks = StartChecks(layers: layers, settings: settings)
                let isLast = port == .max
                if checks.bindingError(settings.listen[0]) == nil || isLast {
                    port += isLast ? 0 : 1
                    return (layers, settings)
                }
                writeLine("port \(port) is taken, trying the next", to: STDERR_FILENO)
                port += 1
            }
        } catch {
            throw CommandFailure(.settings(error), format: .text)
        }
    }

    /// Where the stores of an earlier playground are now, by what their directories say.
    private func knownStores(_ settings: [ServeSettings]) throws -> [StoreID: String] {
        var known: [StoreID: String] = [:]
        for (settings, url) in zip(settings, urls) {
            guard resolvedPath(settings.dataDirectory) != nil,
                case .store(let identity) = try DataDirectory.inspect(settings.dataDirectory)
            else { continue }
            known[StoreID(UInt32(clamping: identity.store))] = url
        }
        return known
    }

    private func allVote(_ isStopWanted: () -> Bool) async throws {
        let end = ContinuousClock.now + Self.patience
        let clients = try urls.map { HTTPClient(try Origin.parse($0).origin) }
        while ContinuousClock.now < end {
            if isStopWanted() { throw CancellationError() }
            if try await doAllVote(clients) { return }
            try await Task.sleep(for: Self.pause)
        }
        throw CommandFailure(
            Diagnosis(
                .error, "no_leader", "the nodes have not found each other",
                advice: "martlet playground --data-dir ./another"), .tryAgain)
    }

    private func doAllVote(_ clients: [HTTPClient]) async throws -> Bool {
        let list = try await clients[0].send(ClientRequest("GET", "/v1/stores"))
        guard list.status == 200 else { return false }
        let answer = ClusterView.Answer(bytes: list.body, origin: clients[0].origin)
        guard try ClusterView(answer).stores.count(where: { $0.role != "learner" }) >= count else {
            return false
        }
        for client in clients {
            guard try await client.send(ClientRequest("GET", "/readyz")).status == 200 else {
                return false
            }
        }
        return true
    }

    /// All at once: the last one would wait in vain for another to lead.
    mutating func stop() async throws {
        let nodes = started.map(\.node)
        started = []
        try await withThrowingTaskGroup(of: Void.self) { group in
            for node in nodes { group.addTask { try await node.drain() } }
            try await group.waitForAll()
        }
    }
}
