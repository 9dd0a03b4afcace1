/// Counts of observations by size, with fixed bounds: what Prometheus computes percentiles from.
///
/// A plain value that one unit owns, so an observation is a few compares and two additions, without
/// atomics. Values are whole nanoseconds, bytes or counts; they become seconds only when written
/// out. Percentiles of single requests, exact ones, belong to the load generator and not here.
package import Base

/// Which bounds a histogram has. Fixed for ever in one release, so that all nodes' buckets add up.
package enum HistogramKind: Hashable, Sendable {
    /// Nanoseconds from a request's last byte to its answer: 0.5 ms to 10 s.
    case requestDuration
    /// Nanoseconds of one write to disk with its sync: 0.1 ms to 5 s.
    case syncDuration
    /// Bytes of a body: 64 B to 16 MiB.
    case size
    /// Things done in one go, such as writes under one sync: 1 to 4,096.
    case count

    /// Upper bounds, each inclusive; what exceeds the last one is counted under `+Inf`.
    package var bounds: [UInt64] {
        switch self {
        case .requestDuration: Self.requestDurationBounds
        case .syncDuration: Self.syncDurationBounds
        case .size: Self.sizeBounds
        case .count: Self.countBounds
        }
    }

    /// How many of a histogram's whole units make one of what Prometheus sees.
    package var unitsPerBaseUnit: Double {
        switch self {
        case .requestDuration, .syncDuration: 1e9
        case .size, .count: 1
        }
    }

    private static let requestDurationBounds: [UInt64] = [
        500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000, 100_000_000,
        250_000_000, 500_000_000, 1_000_000_000, 2_500_000_000, 5_000_000_000, 10_000_000_000,
    ]
    private static let syncDurationBounds: [UInt64] = [
        100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000,
        50_000_000, 100_000_000, 250_000_000, 500_000_000, 1_000_000_000, 2_500_000_000,
        5_000_000_000,
    ]
    private static let sizeBounds: [UInt64] = [
        64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20,
    ]
    private static let countBounds: [UInt64] = [1, 4, 16, 64, 256, 1024, 4096]
}

package struct Histogram: Hashable, Sendable {
    package let kind: HistogramKind
    /// One count per bound, not cumulative, and a last one for what exceeds them all.
    package private(set) var counts: [UInt64]
    /// Saturates: 584 years of nanoseconds.
    package private(set) var sum: UInt64 = 0
    private let bounds: [UInt64]

    package init(_ kind: HistogramKind) {
        self.kind = kind
        bounds = kind.bounds
        counts = Array(repeating: 0, count: bounds.count + 1)
    }

    package var count: UInt64 { counts.reduce(0, &+) }

    // Hot path: once per request. Most values fall into the first buckets, so the search is from
    // below.
    package mutating func observe(_ value: UInt64) {
        var index = 0
        while index < bounds.count, value > bounds[index] { index += 1 }
        counts[index] &+= 1
        let (total, overflow) = sum.addingReportingOverflow(value)
        sum = overflow ? .max : total
    }

    /// The time between two instants; zero if they are in the wrong order.
    package mutating func observe(from start: Instant, to end: Instant) {
        observe(end > start ? end.nanoseconds - start.nanoseconds : 0)
    }

    package mutating func merge(_ other: Histogram) {
        invariant(kind == other.kind, "only histograms with the same bounds add up")
        for index in counts.indices { counts[index] &+= other.counts[index] }
        let (total, overflow) = sum.addingReportingOverflow(other.sum)
        sum = overflow ? .max : total
    }
}
