/// Metrics as text: Prometheus text format 0.0.4 and OpenMetrics 1.0.0.
///
/// The two differ in the name of a counter's family, in the `info` type, in `# UNIT` and `# EOF`,
/// and in what HELP escapes. OpenMetrics' `_created` samples and exemplars are optional and left
/// out. Numbers are written by Swift's shortest round-trip form, which both formats read; only
/// infinities and NaN have other names here.
package import Base

package enum ExpositionFormat: Hashable, Sendable, CaseIterable {
    /// `text/plain; version=0.0.4`
    case prometheus
    /// `application/openmetrics-text; version=1.0.0`
    case openMetrics
}

extension Scrape {
    package func exposition(_ format: ExpositionFormat) -> Bytes {
        var writer = ExpositionWriter(format: format)
        var current: Metric?
        for sample in merged() {
            if current != sample.metric {
                writer.begin(sample.metric)
                current = sample.metric
            }
            writer.write(sample)
        }
        if format == .openMetrics { writer.write("# EOF\n") }
        return writer.bytes
    }
}

private struct ExpositionWriter {
    let format: ExpositionFormat
    var bytes: Bytes = []

    mutating func begin(_ metric: Metric) {
        let family = format == .openMetrics ? metric.familyName : metric.name[...]
        write("# HELP \(family) ")
        writeEscaped(metric.help, quotes: format == .openMetrics)
        write("\n# TYPE \(family) \(typeName(metric.kind))\n")
        if format == .openMetrics, metric.unit != .none {
            write("# UNIT \(family) \(metric.unit.rawValue)\n")
        }
    }

    mutating func write(_ sample: Scrape.Sample) {
        switch sample.value {
        case .whole(let value): writeLine(sample, "", String(value))
        case .real(let value): writeLine(sample, "", number(value))
        case .histogram(let histogram): write(histogram, of: sample)
        }
    }

    mutating func write(_ text: String) { bytes.append(contentsOf: text.utf8) }

    private mutating func write(_ histogram: Histogram, of sample: Scrape.Sample) {
        let scale = histogram.kind.unitsPerBaseUnit
        var cumulative: UInt64 = 0
        for (bound, count) in zip(histogram.kind.bounds, histogram.counts) {
            cumulative &+= count
            let upper = number(Double(bound) / scale)
            writeLine(sample, "_bucket", String(cumulative), upperBound: upper)
        }
        let total = String(histogram.count)
        writeLine(sample, "_bucket", total, upperBound: "+Inf")
        writeLine(sample, "_sum", number(Double(histogram.sum) / scale))
        writeLine(sample, "_count", total)
    }

    private mutating func writeLine(
        _ sample: Scrape.Sample, _ suffix: String, _ value: String, upperBound: String? = nil
    ) {
        write(sample.metric.name)
        write(suffix)
        var separator = "{"
        for (name, label) in zip(sample.metric.labels, sample.labels) {
            write("\(separator)\(name)=\"")
            writeEscaped(label, quotes: true)
            write("\"")
            separator = ","
        }
        if let upperBound {
            write("\(separator)le=\"\(upperBound)\"")
            separator = ","
        }
        if separator == "," { write("}") }
        write(" \(value)\n")
    }

    private mutating func writeEscaped(_ text: String, quotes: Bool) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): write("\\\\")
            case UInt8(ascii: "\n"): write("\\n")
            case UInt8(ascii: "\"") where quotes: write("\\\"")
            default: bytes.append(byte)
            }
        }
    }

    private func typeName(_ kind: Metric.Kind) -> String {
        switch kind {
        case .counter: "counter"
        case .gauge: "gauge"
        case .info: format == .openMetrics ? "info" : "gauge"
        case .histogram: "histogram"
        }
    }

    private func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return value.description
    }
}
