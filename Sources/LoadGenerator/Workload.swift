/// What a load consists of: single kinds of request, and the mixes of YCSB (Cooper et al.,
/// "Benchmarking Cloud Serving Systems with YCSB", SoCC 2010).
package import Base

package enum OperationKind: Int, CaseIterable, Hashable, Sendable {
    case read, update, insert, scan, batch
    /// A read and, after its answer, an update of the same key; its latency spans both.
    case readModifyWrite

    package var name: String {
        switch self {
        case .read: "read"
        case .update: "update"
        case .insert: "insert"
        case .scan: "scan"
        case .batch: "batch"
        case .readModifyWrite: "read-modify-write"
        }
    }
}

package enum Workload: String, CaseIterable, Hashable, Sendable {
    case get, put, mixed, scan, batch
    case ycsbA = "ycsb-a"
    case ycsbB = "ycsb-b"
    case ycsbC = "ycsb-c"
    case ycsbD = "ycsb-d"
    case ycsbE = "ycsb-e"
    case ycsbF = "ycsb-f"

    /// Percent of requests by kind; they sum to 100.
    package var mix: [(kind: OperationKind, percent: UInt64)] {
        switch self {
        case .get, .ycsbC: [(.read, 100)]
        case .put: [(.update, 100)]
        case .mixed, .ycsbA: [(.read, 50), (.update, 50)]
        case .scan: [(.scan, 100)]
        case .batch: [(.batch, 100)]
        case .ycsbB: [(.read, 95), (.update, 5)]
        case .ycsbD: [(.read, 95), (.insert, 5)]
        case .ycsbE: [(.scan, 95), (.insert, 5)]
        case .ycsbF: [(.read, 50), (.readModifyWrite, 50)]
        }
    }

    package var distributionDefault: Distribution {
        switch self {
        case .get, .put, .mixed, .scan, .batch: .uniform
        case .ycsbA, .ycsbB, .ycsbC, .ycsbE, .ycsbF: .zipfian
        case .ycsbD: .latest
        }
    }

    /// YCSB E scans pages of 1 to 100 entries, evenly; elsewhere the plan's size counts.
    package var scansVary: Bool { self == .ycsbE }

    package func kind(_ random: inout SeededGenerator) -> OperationKind {
        let mix = mix
        guard mix.count > 1 else { return mix[0].kind }
        var draw = UInt64.random(in: 0..<100, using: &random)
        for (kind, percent) in mix {
            if draw < percent { return kind }
            draw -= percent
        }
        return mix[0].kind
    }
}
