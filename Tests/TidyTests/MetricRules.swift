// The metrics that code, docs, dashboard and alerts speak of are the same ones.
import Telemetry

enum MetricTable {
    struct Row: Hashable {
        var name: String
        var kind: String
        var labels: [String]
    }

    static let fromCode: [Row] = Metric.all.map { metric in
        let kind =
            switch metric.kind {
            case .counter: "counter"
            case .gauge: "gauge"
            case .info: "info"
            case .histogram: "histogram"
            }
        return Row(name: metric.name, kind: kind, labels: metric.labels)
    }

    /// Rows of the form | `name` | kind | `label` `label` | what it tells |.
    static func rows(in markdown: String) -> [Row] {
        markdown.split(separator: "\n").compactMap { line in
            let cells = line.split(separator: "|", omittingEmptySubsequences: false).dropFirst()
            guard cells.count >= 4, let name = cells.first?.firstMatch(of: /`(\w+)`/) else {
                return nil
            }
            let rest = Array(cells.dropFirst())
            return Row(
                name: String(name.1), kind: rest[0].filter { !$0.isWhitespace },
                labels: rest[1].matches(of: /`(\w+)`/).map { String($0.1) })
        }
    }

    static func differences(docs: [Row], code: [Row]) -> [String] {
        let inDocs = Set(docs)
        let inCode = Set(code)
        return code.filter { !inDocs.contains($0) }.map { "not in the docs: \($0)" }
            + docs.filter { !inCode.contains($0) }.map { "not in the code: \($0)" }
    }

    /// Names in a dashboard or in rules that no metric has.
    static func unknownNames(in text: String, code: [Row]) -> [String] {
        let histograms = code.filter { $0.kind == "histogram" }.map(\.name)
        let known = Set(
            code.map(\.name)
                + histograms.flatMap { name in ["_bucket", "_sum", "_count"].map { name + $0 } })
        let names = text.matches(of: /[A-Za-z_:][\w:]*/).map { String($0.0) }.filter { name in
            // A recorded series has a level before its first colon and is no metric of a node.
            !name.contains(":") && ["martlet_", "process_"].contains { name.hasPrefix($0) }
        }
        return names.filter { !known.contains($0) }
    }
}
