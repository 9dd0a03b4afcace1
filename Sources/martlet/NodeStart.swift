/// From settings to a running node, every failure as a `StartError`.
internal import Base
internal import Failpoints
internal import Glibc
internal import HTTP
internal import Injection
internal import Logging
internal import NIOCore
internal import Regions
internal import RocksStorage
internal import Runtime
internal import Settings
internal import Storage
internal import Terminal

struct NodeStart {
    struct Started {
        var node: RunningNode
        /// What the certificate says; nil in cleartext.
        var certificate: TLSIdentity?
        var logger: Logger
        var directory: String
        /// Of what was there before this start; nil for a new directory.
        var bytesFound: UInt64?
    }

    let settings: ServeSettings
    let checks: StartChecks
    let format: LogFormat
    /// A write has failed, and the node is to end.
    let storeFailed: @Sendable () -> Void
    var saysWarnings = true
    /// Where other stores are, beside what the cluster says to one that joins.
    var peers: [StoreID: String] = [:]

    func run() async throws(StartError) -> Started {
        var warnings: [Diagnosis] = []
        for subject in StartChecks.Subject.allCases {
            switch checks.verdict(on: subject) {
            case .fine: break
            case .warning(let diagnosis): warnings.append(diagnosis)
            case .failed(let error): throw error
            }
        }
        // Not before it is certain that there is nothing worse to say.
        if saysWarnings {
            for warning in warnings { report(warning, format: format) }
        }
        let logger = makeLogger()
        let certificate = try checks.certificateIdentity()
        let failpoints = makeFailpoints(logger)
        let joined = try await JoinRequest(settings, checks, logger).run()
        let (directory, bytesFound) = try openDirectory(failpoints, joined?.identity)
        var nodeSettings = nodeSettings
        nodeSettings.peers = peers.merging(joined?.peers ?? [:]) { $1 }
        do {
            let node = try await RunningNode.start(
                nodeSettings, directory: directory, failpoints: failpoints, logger: logger,
                storeFailed: storeFailed)
            return Started(
                node: node, certificate: certificate, logger: logger,
                directory: resolvedPath(settings.dataDirectory) ?? settings.dataDirectory,
                bytesFound: bytesFound)
        } catch let error as StorageError {
            throw checks.startError(error)
        } catch let error as StartError {
            throw error
        } catch let error as TLSFileError {
            throw StartError(error)
        } catch let error as IOError {
            throw bindError(error)
        } catch {
            throw .unforeseen("the node did not start: \(error)")
        }
    }

    private func makeLogger() -> Logger {
        let level = Logger.Level(rawValue: settings.logLevel.rawValue) ?? .info
        let form: StandardErrorLog.Form = format == .json ? .json : .logfmt
        return Logger(label: "martlet") { _ in StandardErrorLog(form, level: level) }
    }

    private func makeFailpoints(_ logger: Logger) -> FailpointRegistry {
        let shown = FailpointSetting.text(settings.failpoints)
        if !shown.isEmpty || settings.enableFailpoints {
            logger.warning(
                "failpoints can make this node fail on purpose",
                metadata: [
                    "event": "failpoints", "set": "\(shown)",
                    "served": "\(settings.enableFailpoints)",
                ])
        }
        var generator = SystemRandomNumberGenerator()
        return FailpointRegistry(
            settings.failpoints, generator: SeededGenerator(seed: generator.next())
        ) { report in
            logger.warning(
                "failpoint reached",
                metadata: [
                    "event": "failpoint", "name": "\(report.point.name)",
                    "action": "\(report.action)",
                ])
        }
    }

    private func openDirectory(
        _ failpoints: FailpointRegistry, _ joining: StoreIdentity?
    ) throws(StartError) -> (DataDirectory, bytesFound: UInt64?) {
        var generator = SystemRandomNumberGenerator()
        let directory: DataDirectory
        do throws(DataDirectoryError) {
            directory = try DataDirectory(
                path: settings.dataDirectory, now: .current, using: &generator,
                joining: joining, failpoints: failpoints)
        } catch {
            throw checks.startError(error)
        }
        guard directory.identity.hasDatabase else { return (directory, nil) }
        do throws(StorageError) {
            return (directory, try directory.bytesUsed())
        } catch {
            throw checks.startError(error)
        }
    }

    private var nodeSettings: NodeSettings {
        NodeSettings(
            dataDirectory: settings.dataDirectory,
            listen: settings.listen.map {
                NodeSettings.Endpoint(host: $0.host, port: Int($0.port))
            },
            cores: settings.cores ?? MachineResources.measured().cores,
            tls: settings.tls, takesClearFromAnywhere: settings.insecure,
            cacheBytes: settings.cacheBytes,
            connections: DescriptorBudget.raised().connections,
            allowedHosts: settings.allowedHosts,
            build: BuildFacts(
                version: Build.version, revision: Build.revision, swift: Build.swift),
            servesFailpoints: settings.enableFailpoints, advertise: settings.advertise)
    }

    /// Somebody was quicker, between the check and now.
    private func bindError(_ error: IOError) -> StartError {
        for address in settings.listen {
            if let number = checks.bindingError(address) {
                return checks.startError(binding: address, number)
            }
        }
        return checks.startError(binding: settings.listen[0], error.errnoCode)
    }
}

extension StartChecks {
    func startError(_ error: StorageError) -> StartError {
        switch error {
        case .full: noSpace()
        case .failed(let reason), .unreadable(let reason):
            .diskFailed(path: settings.dataDirectory, reason: reason)
        case .corrupt(let reason):
            .dataCorrupt(
                path: settings.dataDirectory, reason: reason, directory: settings.dataDirectory)
        }
    }

    func startError(_ error: DataDirectoryError) -> StartError {
        let elsewhere = layers.command(changing: .dataDir, to: ["martlet-data-2"])
        switch error {
        case .inUse(let path, let holder):
            return .dataInUse(path: path, holder.map { name(of: $0) }, command: elsewhere)
        case .newerFormat(let path, let found, let supported):
            return .dataNewerFormat(
                path: path, found: Int(clamping: found), supported: Int(clamping: supported))
        case .olderFormat(let path, let found, let supported):
            return .dataOlderFormat(
                path: path, found: Int(clamping: found), supported: Int(clamping: supported),
                command: elsewhere)
        case .corrupt(let path, let detail):
            return .dataCorrupt(path: path, reason: detail, directory: settings.dataDirectory)
        case .recovering(let path): return .dataRecovering(path: path)
        case .belongsToOther(let path, let found):
            return .dataBelongsToOther(
                path: path, reason: "is no data directory of Martlet: it holds \(found)",
                command: elsewhere)
        case .notDirectory(let path):
            return .dataUnwritable(path: path, reason: "it is no directory", command: elsewhere)
        case .unwritable(let path, let reason):
            return .dataUnwritable(path: path, reason: reason, command: elsewhere)
        case .full: return noSpace()
        case .failed(let path, let reason): return .diskFailed(path: path, reason: reason)
        }
    }

    private func noSpace() -> StartError {
        // Unknown is as good as none here.
        var bytes = 0
        if case .success(let free) = freeSpace(existingAncestor) {
            if let error = shortage(free.bytes, free.files) { return error }
            bytes = free.bytes
        }
        return .diskFull(
            path: settings.dataDirectory, freeBytes: bytes,
            neededBytes: Int(DataDirectory.bytesToStart))
    }

    /// What the lock says, in the form of the process table.
    private func name(of holder: DataDirectoryError.Holder) -> ProcessName {
        let words = holder.command.split(separator: " ")
        let program = words.first?.split(separator: "/").last.map(String.init) ?? "unknown"
        let command = words.count > 1 ? "\(program) \(words[1])" : program
        let time = String(decoding: holder.since.rfc3339, as: UTF8.self)
        let isToday =
            time.prefix(10) == String(decoding: WallTime.current.rfc3339.prefix(10), as: UTF8.self)
        let since = isToday ? "\(time.dropFirst(11).prefix(5)) UTC" : String(time.prefix(10))
        return ProcessName(pid: Int(holder.pid), program: "\(command), since \(since)")
    }
}
