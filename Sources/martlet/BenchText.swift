/// What a load is told as: a line each second, a table or a JSON object at the end.
internal import HTTP
internal import Histogram
internal import LoadGenerator
internal import Terminal

enum BenchText {
    private static let percentiles: [(name: String, share: Double)] = [
        ("p50", 50), ("p90", 90), ("p99", 99), ("p99.9", 99.9), ("p99.99", 99.99),
    ]

    /// `  3 s measure  181204/s  p50 2.1 ms  p99 5.3 ms  errors 0`
    static func line(_ progress: LoadProgress) -> String {
        let record = progress.interval
        let seconds = progress.intervalLength.inSeconds
        let rate = seconds > 0 ? Double(record.completed) / seconds : 0
        let all = record.allLatencies
        let at = padded("\(Int(progress.elapsed.inSeconds.rounded()))", 5)
        var text = "\(at) s \(progress.phase.rawValue)  \(whole(rate))/s"
        if progress.phase == .load { text += "  \(progress.keysLoaded) keys" }
        text += "  p50 \(time(all.valueAtPercentile(50)))  p99 \(time(all.valueAtPercentile(99)))"
        return text + "  errors \(record.failed)\(reasons(record).map { "  (\($0))" } ?? "")"
    }

    static func table(_ report: LoadReport) -> String {
        let seconds = report.measured.inSeconds
        var table = Table(
            "operation", "count", "per second", "mean", "p50", "p90", "p99", "p99.9", "p99.99",
            "max")
        func add(_ name: String, _ latency: Histogram<UInt32>) {
            let cells = percentiles.map { time(latency.valueAtPercentile($0.share)) }
            table.add(
                name, "\(latency.totalCount)", whole(Double(latency.totalCount) / seconds),
                time(UInt64(latency.mean)), cells[0], cells[1], cells[2], cells[3], cells[4],
                time(latency.max))
        }
        for kind in OperationKind.allCases where report.record.latency(kind).totalCount > 0 {
            add(kind.name, report.record.latency(kind))
        }
        add("all", report.record.allLatencies)
        let megabytes = Double(report.record.bytesReceived) / seconds / 1e6
        let errors = reasons(report.record) ?? "none"
        return table.text(aligned: true)
            + "errors: \(errors)\n"
            + "received: \(fixed(megabytes, 1)) MB/s; the generator used "
            + "\(fixed(report.generatorLoad * 100, 0)) % of one core\n"
    }

    static func json(_ plan: LoadPlan, _ report: LoadReport) -> String {
        let seconds = report.measured.inSeconds
        var object = JSONObject()
        object.add("url", plan.origin.description)
        object.add("workload", plan.workload.rawValue)
        object.add("http", plan.options.version.rawValue)
        object.add("connections", plan.connections)
        object.add("streams", plan.streams)
        object.add("keys", plan.keys)
        object.add("value_size", plan.valueSize)
        object.add(
            "distribution", (plan.distribution ?? plan.workload.distributionDefault).rawValue)
        object.add("seed", "\(plan.seed)")
        if let rate = plan.rate { object.add("rate", Int(rate)) }
        object.add("measured_ms", Int((seconds * 1000).rounded()))
        object.add("count", report.record.completed)
        object.add("per_second", Int((Double(report.record.completed) / seconds).rounded()))
        object.add("errors", report.record.failed)
        var errors: [JSONObject] = []
        for (reason, count) in counted(report.record) {
            var error = JSONObject()
            error.add("reason", reason)
            error.add("count", count)
            errors.append(error)
        }
        object.add("error_reasons", errors)
        object.add("received_bytes", report.record.bytesReceived)
        object.add("generator_percent_of_core", Int((report.generatorLoad * 100).rounded()))
        object.add(
            "latency_us",
            [latency("all", report.record.allLatencies, seconds)]
                + OperationKind.allCases.compactMap { kind in
                    let one = report.record.latency(kind)
                    return one.totalCount > 0 ? latency(kind.name, one, seconds) : nil
                })
        return object.text + "\n"
    }

    private static func latency(
        _ name: String, _ latency: Histogram<UInt32>, _ seconds: Double
    ) -> JSONObject {
        var object = JSONObject()
        object.add("operation", name)
        object.add("count", Int(latency.totalCount))
        object.add("per_second", Int((Double(latency.totalCount) / seconds).rounded()))
        object.add("mean", Int(latency.mean.isFinite ? latency.mean : 0))
        for (name, share) in percentiles {
            object.add(name, Int(latency.valueAtPercentile(share)))
        }
        object.add("max", Int(latency.max))
        return object
    }

    /// Most frequent first.
    private static func counted(_ record: LoadRecord) -> [(reason: String, count: Int)] {
        let all =
            record.statuses.map { (reason: "status \($0.key)", count: $0.value) }
            + record.failures.map { (reason: $0.key, count: $0.value) }
        return all.sorted { ($1.count, $0.reason) < ($0.count, $1.reason) }
    }

    private static func reasons(_ record: LoadRecord) -> String? {
        let all = counted(record)
        return all.isEmpty
            ? nil : all.map { "\($0.reason) × \($0.count)" }.joined(separator: ", ")
    }

    static func whole(_ number: Double) -> String { "\(Int(number.rounded()))" }

    /// Microseconds with the unit in which they are read best.
    static func time(_ microseconds: UInt64) -> String {
        switch microseconds {
        case ..<1000: "\(microseconds) µs"
        case ..<10_000: fixed(Double(microseconds) / 1000, 2) + " ms"
        case ..<1_000_000: fixed(Double(microseconds) / 1000, 1) + " ms"
        default: fixed(Double(microseconds) / 1e6, 2) + " s"
        }
    }

    private static func fixed(_ number: Double, _ digits: Int) -> String {
        var scale = 1
        for _ in 0..<digits { scale *= 10 }
        let scaled = Int((number * Double(scale)).rounded())
        guard digits > 0 else { return "\(scaled)" }
        let fraction = "\(scaled % scale)"
        return "\(scaled / scale)." + String(repeating: "0", count: digits - fraction.count)
            + fraction
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}

extension Duration {
    fileprivate var inSeconds: Double {
        Double(components.seconds) + Double(components.attoseconds) / 1e18
    }
}
