/// `martlet bench URL`: load with a stated mix, a line each second, percentiles at the end.
///
/// It tells what the server did and not how fast the generator is: answers that are no success are
/// counted by status, exchanges without an answer by reason, and neither enters the latencies. With
/// `--rate` latency counts from when a request was due (no coordinated omission).
internal import ArgumentParser
internal import Base
internal import Glibc
internal import HTTP
internal import LoadGenerator
internal import Settings
internal import Terminal

struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Load with a stated mix, latency table.",
        discussion: """
              martlet bench http://127.0.0.1:7171 --load
              martlet bench http://127.0.0.1:7171 --workload put --connections 64
              martlet bench http://127.0.0.1:7171 --workload ycsb-a --http 2 --streams 32
              martlet bench http://127.0.0.1:7171 --workload get --rate 20000

            It writes keys that begin with bench: and leaves them there.
            """)

    @Argument(help: "The server, as in http://127.0.0.1:7171.") var url: String

    @Option(help: "get, put, mixed, scan, batch, or ycsb-a to ycsb-f.")
    var workload = Workload.get

    @Option(help: "1 or 2; HTTP/2 without TLS by prior knowledge.") var http = 1

    @Option(help: "Connections open at once.") var connections = 64

    @Option(help: "Requests in flight on each: streams, or pipelined requests of HTTP/1.1.")
    var streams = 1

    @Option(help: ArgumentHelp("How long to measure, as in 10s.", valueName: "time"))
    var duration = "10s"

    @Option(help: ArgumentHelp("Load before that, not counted.", valueName: "time"))
    var warmup = "2s"

    @Option(help: "Requests per second, sent on time whatever the answers do.") var rate: Double?

    @Option(help: "Keys to choose from.") var keys = 100_000

    @Option(help: "Bytes of a value.") var valueSize = 100

    @Option(help: "uniform, zipfian or latest; else what the workload has.")
    var distribution: Distribution?

    @Option(help: "Entries of a page that scan asks for.") var scanLimit = 1000

    @Option(help: "Puts in a request of batch.") var batchSize = 100

    @Option(help: "Seed of every choice.") var seed: UInt64 = 1

    @Flag(help: "Write all keys first.") var load = false

    @Option(help: "What is at the URL: martlet, etcd, webdis, or file (GET of the URL itself).")
    var target = LoadTarget.martlet

    @Option(help: ArgumentHelp("Certificates to trust, in PEM form.", valueName: "file"))
    var ca: String?

    @Flag(help: "Accept any certificate.") var insecure = false

    @Flag(help: "The result as one JSON object.") var json = false

    func validate() throws {
        func demand(_ condition: Bool, _ message: String) throws {
            if !condition { throw ValidationError(message) }
        }
        try demand(http == 1 || http == 2, "--http is 1 or 2.")
        try demand((1...20_000).contains(connections), "--connections is 1 to 20000.")
        try demand((1...10_000).contains(streams), "--streams is 1 to 10000.")
        try demand(
            connections * streams <= 1_000_000, "--connections times --streams is over 1000000.")
        try demand(rate.map { $0 > 0 && $0 <= 10_000_000 } ?? true, "--rate is over 0.")
        try demand((1...1_000_000_000).contains(keys), "--keys is 1 to 1000000000.")
        try demand((0...Limits.valueBytes).contains(valueSize), "--value-size is 0 to 4 MiB.")
        try demand((1...Limits.entriesPerPage).contains(scanLimit), "--scan-limit is 1 to 10000.")
        try demand(
            (1...Limits.operationsPerBatch).contains(batchSize), "--batch-size is 1 to 10000.")
    }

    func run() async throws {
        let plan = try makePlan()
        writeLine(headline(plan), to: STDERR_FILENO)
        let report: LoadReport
        do throws(LoadError) {
            report = try await LoadRun.run(plan) { progress in
                writeLine(BenchText.line(progress), to: STDERR_FILENO)
            }
        } catch {
            throw failure(error)
        }
        emit(Bytes((json ? BenchText.json(plan, report) : BenchText.table(report)).utf8))
        if let hint = missingKeys(report.record) { martlet.report(hint, format: .text) }
        // Nothing succeeded: figures of refusals must not pass for a measurement.
        if report.record.completed == 0 { throw CommandFailure(.no) }
    }

    /// Reads of keys that are not there are answers to nothing that anybody wants to measure.
    private func missingKeys(_ record: LoadRecord) -> Diagnosis? {
        guard target == .martlet, let missed = record.statuses[404], missed > 0 else { return nil }
        let words = CommandLine.arguments.dropFirst().map(shellQuoted).joined(separator: " ")
        let share = record.completed == 0 ? "none" : "not all"
        return Diagnosis(
            .warning, "keys_missing",
            "the store holds \(share) of the \(keys) keys that it reads: "
                + "\(missed) answers are 404",
            advice: load ? "--keys \(keys)   # as many as were loaded" : "martlet \(words) --load")
    }

    private func makePlan() throws(CommandFailure) -> LoadPlan {
        var plan: LoadPlan
        do throws(ClientError) {
            let (origin, path) = try Origin.parse(url)
            guard target == .file || path == Bytes("/".utf8) else {
                throw .invalidURL(url: url, reason: "it has a path; give the server alone")
            }
            plan = LoadPlan(origin: origin)
            plan.path = path
        } catch {
            throw CommandFailure(
                Diagnosis(
                    .error, "invalid_url", "\(error)", advice: "martlet bench http://127.0.0.1:7171"
                ), .usage)
        }
        plan.options.version = http == 2 ? .http2 : .http1
        if insecure { plan.options.trust = .anyone }
        if let ca {
            plan.options.trust = .authorities(path: ca)
            try ClientRules.checkAuthorities(ca, option: "--ca")
        }
        plan.target = target
        plan.workload = workload
        plan.distribution = distribution
        plan.connections = connections
        plan.streams = streams
        plan.duration = try time(duration, "--duration")
        plan.warmup = try time(warmup, "--warmup")
        plan.rate = rate
        plan.keys = keys
        plan.valueSize = valueSize
        plan.scanEntries = scanLimit
        plan.batchEntries = batchSize
        plan.seed = seed
        plan.loadsKeys = load
        return plan
    }

    private func time(_ text: String, _ option: String) throws(CommandFailure) -> Duration {
        guard let span = TimeSpan(text) else {
            throw CommandFailure(
                Diagnosis(
                    .error, "invalid_time", "\(option) is \"\(Table.printable(text))\"",
                    advice: "\(option) 10s"), .usage)
        }
        return span.duration
    }

    private func headline(_ plan: LoadPlan) -> String {
        let pace = plan.rate.map { "open loop at \(BenchText.whole($0))/s" } ?? "closed loop"
        let distribution = plan.distribution ?? plan.workload.distributionDefault
        return "\(plan.origin) \(plan.workload.rawValue): HTTP/\(http == 2 ? "2" : "1.1"), "
            + "\(plan.connections) connections × \(plan.streams), \(plan.keys) keys "
            + "\(distribution.rawValue), \(plan.valueSize) bytes, \(pace), seed \(plan.seed)"
    }

    private func failure(_ error: LoadError) -> CommandFailure {
        switch error {
        case .unreachable(let reason):
            let status: ExitStatus =
                if case .certificateRejected = reason { .notAllowed } else { .unreachable }
            return CommandFailure(
                Diagnosis(.error, "unreachable", "\(reason)", advice: "curl -v \(url)"), status)
        case .unsupported(let target, let kind):
            return CommandFailure(
                Diagnosis(
                    .error, "unsupported", "\(target.rawValue) has no \(kind.name)",
                    advice: "--workload get"), .usage)
        case .loadFailed(let reason):
            return CommandFailure(
                Diagnosis(
                    .error, "load_failed", "the keys could not be written: \(reason)",
                    advice: "curl -v -X PUT -d x \(url)/v1/raw/kv/bench:0000000000"), .fault)
        }
    }
}

extension Workload: ExpressibleByArgument {}
extension Distribution: ExpressibleByArgument {}
extension LoadTarget: ExpressibleByArgument {}
