/// One moment's values of many metrics: what a unit answers when it is asked for its metrics.
///
/// A `Scrape` travels as a value. The gateway merges those of all units and writes the whole out
/// once. Values of equal metric and labels add up, so a unit need not know that there are others.
private import Base

package struct Scrape: Hashable, Sendable {
    package enum Value: Hashable, Sendable {
        case whole(UInt64)
        case real(Double)
        case histogram(Histogram)
    }

    package struct Sample: Hashable, Sendable {
        package var metric: Metric
        /// One for each name in `metric.labels`.
        package var labels: [String]
        package var value: Value
    }

    /// In the order added; equal series may stand here more than once.
    package private(set) var samples: [Sample] = []

    package init() {}

    package mutating func add(_ metric: Metric, _ value: UInt64, _ labels: [String] = []) {
        append(metric, labels, .whole(value))
    }

    package mutating func add(_ metric: Metric, real value: Double, _ labels: [String] = []) {
        append(metric, labels, .real(value))
    }

    package mutating func add(_ metric: Metric, _ value: Histogram, _ labels: [String] = []) {
        append(metric, labels, .histogram(value))
    }

    package mutating func merge(_ other: Scrape) {
        samples.append(contentsOf: other.samples)
    }

    /// Each series once, ordered by metric and labels: the same for whatever order units answered
    /// in.
    package func merged() -> [Sample] {
        var result: [Sample] = []
        result.reserveCapacity(samples.count)
        for sample in samples.sorted(by: Scrape.inOrder) {
            if let last = result.last, last.metric == sample.metric, last.labels == sample.labels {
                result[result.count - 1].value.add(sample.value)
            } else {
                result.append(sample)
            }
        }
        return result
    }

    private mutating func append(_ metric: Metric, _ labels: [String], _ value: Value) {
        invariant(labels.count == metric.labels.count, "\(metric.name) gets each of its labels")
        switch (metric.kind, value) {
        case (.histogram(let kind), .histogram(let histogram)):
            invariant(kind == histogram.kind, "\(metric.name) gets a histogram of its kind")
        case (.histogram, _), (_, .histogram):
            invariant(false, "\(metric.name) gets a value of its kind")
        default:
            break
        }
        samples.append(Sample(metric: metric, labels: labels, value: value))
    }

    private static func inOrder(_ a: Sample, _ b: Sample) -> Bool {
        if a.metric.name != b.metric.name { return a.metric.name < b.metric.name }
        return a.labels.lexicographicallyPrecedes(b.labels)
    }
}

extension Scrape.Value {
    fileprivate mutating func add(_ other: Scrape.Value) {
        switch (self, other) {
        case (.whole(let a), .whole(let b)): self = .whole(a &+ b)
        case (.histogram(var a), .histogram(let b)):
            a.merge(b)
            self = .histogram(a)
        case (.real(let a), .real(let b)): self = .real(a + b)
        case (.real(let a), .whole(let b)), (.whole(let b), .real(let a)):
            self = .real(a + Double(b))
        case (.histogram, _), (_, .histogram):
            invariant(false, "a histogram only adds up with a histogram")
        }
    }
}
