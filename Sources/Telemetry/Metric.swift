/// What one metric is called and means: everything about it that never changes while a node runs.
///
/// The rules are Prometheus' own (naming and instrumentation practices): base units as plural
/// suffix, counters end in `_total`, bounded labels only. `Catalogue.swift` lists all that exist.

package struct Metric: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        /// Only grows; several units' values add up.
        case counter
        /// Can fall; several units' values add up.
        case gauge
        /// Facts in labels, always 1; the name ends in `_info`.
        case info
        case histogram(HistogramKind)
    }

    package enum Unit: String, Hashable, Sendable {
        case none = ""
        case seconds
        case bytes
    }

    /// As Prometheus stores it: with `_total` or `_info`, without `_bucket`, `_sum` and `_count`.
    package let name: String
    package let kind: Kind
    package let unit: Unit
    /// Names of the labels, in the order in which samples give their values.
    package let labels: [String]
    /// One sentence for `# HELP`.
    package let help: String

    package init(
        _ name: String, _ kind: Kind, unit: Unit = .none, labels: [String] = [], help: String
    ) {
        self.name = name
        self.kind = kind
        self.unit = unit
        self.labels = labels
        self.help = help
    }

    /// What OpenMetrics calls the family: the name without the suffix of its kind.
    package var familyName: Substring {
        switch kind {
        case .counter where name.hasSuffix("_total"): name.dropLast("_total".count)
        case .info where name.hasSuffix("_info"): name.dropLast("_info".count)
        default: name[...]
        }
    }
}
