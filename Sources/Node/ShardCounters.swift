/// What a shard counts: plain integers of its own, read by a scrape.
package import Regions
package import Telemetry

package struct ShardCounters: Sendable {
    package enum Operation: String, CaseIterable, Hashable, Sendable {
        case get, put, delete, cas, scan, count
        case deleteRange = "delete_range"
    }

    package enum Result: String, CaseIterable, Hashable, Sendable {
        case ok
        case missing
        /// A condition did not hold, or a swap did not happen.
        case mismatch
        case refused
    }

    private var counts = [UInt64](
        repeating: 0, count: Operation.allCases.count * Result.allCases.count)
    /// Reads that memory could not answer.
    package var readsCold: UInt64 = 0
    /// Requests of reads: under the leader's lease; by an index that the leader was asked for; by
    /// what a replica had; and those that were refused because that was too old.
    package var leaseReads: UInt64 = 0
    package var indexReads: UInt64 = 0
    package var staleReads: UInt64 = 0
    package var staleRefusals: UInt64 = 0
    /// Writes that had to wait for another write of their key.
    package var latchWaits: UInt64 = 0
    /// Times that the replica here learnt of another leader, or of none.
    package var leaderChanges: UInt64 = 0
    /// Times that the lead was offered to another store for want of space here.
    package var leadsOffered: UInt64 = 0
    /// Messages with entries that were dropped for want of space.
    package var appendsWithoutRoom: UInt64 = 0
    /// From a proposal until it was applied.
    package var proposalDuration = Histogram(.syncDuration)
    /// From a proposal until it was committed.
    package var commitDuration = Histogram(.syncDuration)
    package var proposalWrites = Histogram(.count)
    /// Reads that the store could not answer: the device failed, or bytes are corrupt.
    package var readErrors: UInt64 = 0
    /// Commands refused because a queue was full.
    package var overloads: [Refusal.Resource: UInt64] = [:]

    package init() {}

    package subscript(_ operation: Operation, _ result: Result) -> UInt64 {
        counts[Self.index(operation, result)]
    }

    package mutating func count(_ command: RawCommand, _ outcome: RawOutcome) {
        counts[Self.index(command.operation, outcome.result)] += 1
    }

    private static func index(_ operation: Operation, _ result: Result) -> Int {
        operation.index * 4 + result.index
    }
}

extension ShardCounters.Operation {
    fileprivate var index: Int {
        switch self {
        case .get: 0
        case .put: 1
        case .delete: 2
        case .cas: 3
        case .scan: 4
        case .count: 5
        case .deleteRange: 6
        }
    }
}

extension ShardCounters.Result {
    fileprivate var index: Int {
        switch self {
        case .ok: 0
        case .missing: 1
        case .mismatch: 2
        case .refused: 3
        }
    }
}

extension RawCommand {
    fileprivate var operation: ShardCounters.Operation {
        switch self {
        case .get: .get
        case .put: .put
        case .delete: .delete
        case .compareAndSwap: .cas
        case .scan: .scan
        case .count: .count
        case .deleteRange: .deleteRange
        }
    }
}

extension RawOutcome {
    fileprivate var result: ShardCounters.Result {
        switch self {
        case .found, .written, .deleted, .swapped, .page, .counted, .measured,
            .rangeDeleted:
            .ok
        case .missing: .missing
        case .conditionFailed, .notSwapped: .mismatch
        case .refused: .refused
        }
    }
}
