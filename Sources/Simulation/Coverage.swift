/// Which faults met which operations, so that an empty cell is seen: what never meets is not
/// tested.
///
/// An operation meets a fault that happens while it is under way or shortly before it begins. What
/// is always there in a world (losses, slow links, clocks that drift) meets all of its operations.
internal import Base
internal import Regions

package struct Coverage: Sendable {
    /// What is drawn with a world and not at an instant.
    private static let lasting = [
        "loss", "doubled", "slow link", "slow sync", "drift", "failpoint", "time-out", "leaving",
    ]
    package static let faults = Fault.allCases.map(\.rawValue) + lasting
    package static let operations = OperationKind.allCases.map(\.rawValue)

    /// By fault, then by operation.
    package private(set) var counts = Array(
        repeating: Array(repeating: 0, count: operations.count), count: faults.count)

    package init() {}

    init(of world: World) {
        var instants: [[Instant]] = Array(repeating: [], count: Fault.allCases.count)
        for (fault, at) in world.faultTimes {
            guard let row = Fault.allCases.firstIndex(of: fault) else { continue }
            instants[row].append(at)
        }
        let shape = world.shape
        let isLasting = [
            shape.lossOfThousand > 0, shape.doubledOfThousand > 0, shape.slowEvery > 0,
            shape.slowSyncEvery > 0, shape.driftPartsPerMillion != 0,
            !world.failpointHits.isEmpty, shape.shortTimeoutEvery > 0, shape.leavesEvery > 0,
        ]
        var sizes: [Int: Int] = [:]
        for call in world.history.calls { sizes[call.request, default: 0] += 1 }
        for call in world.history.calls {
            let kind = (sizes[call.request] ?? 1) > 1 ? .batch : call.command.kind
            guard let column = OperationKind.allCases.firstIndex(of: kind) else { continue }
            for row in instants.indices where Self.meets(call, instants[row]) {
                counts[row][column] += 1
            }
            for (offset, isThere) in isLasting.enumerated() where isThere {
                counts[instants.count + offset][column] += 1
            }
        }
    }

    /// Of a fault, its aftermath.
    private static let aftermath = Duration.milliseconds(300)

    /// - Parameter instants: ascending.
    private static func meets(_ call: Call, _ instants: [Instant]) -> Bool {
        let end = call.endedAt ?? .distantFuture
        return instants.contains { $0 <= end && call.invokedAt <= $0 + aftermath }
    }

    package mutating func add(_ other: Coverage) {
        for row in counts.indices {
            for column in counts[row].indices { counts[row][column] += other.counts[row][column] }
        }
    }

    /// The cells in which nothing was ever seen.
    package var empty: [String] {
        Self.faults.indices.flatMap { row in
            Self.operations.indices.filter { counts[row][$0] == 0 }
                .map { "\(Self.faults[row])×\(Self.operations[$0])" }
        }
    }

    package var lines: [String] {
        func right(_ text: String, _ width: Int) -> String {
            String(repeating: " ", count: max(1, width - text.count)) + text
        }
        func left(_ text: String) -> String {
            text + String(repeating: " ", count: max(1, 15 - text.count))
        }
        var lines = [left("fault") + Self.operations.map { right($0, 18) }.joined()]
        for row in Self.faults.indices {
            lines.append(
                left(Self.faults[row]) + counts[row].map { right(String($0), 18) }.joined())
        }
        let cells = Self.faults.count * Self.operations.count
        let missing = empty
        lines.append(
            "\(cells - missing.count) of \(cells) cells of fault × operation were met"
                + (missing.isEmpty ? "" : "; empty: " + missing.joined(separator: " ")))
        return lines
    }
}

extension RawCommand {
    fileprivate var kind: OperationKind {
        switch self {
        case .get: .get
        case .put(let put): put.condition == .none ? .put : .conditionalPut
        case .delete(let delete): delete.condition == .none ? .delete : .conditionalDelete
        case .compareAndSwap: .compareAndSwap
        case .deleteRange: .deleteRange
        case .scan: .scan
        case .count: .count
        }
    }
}
