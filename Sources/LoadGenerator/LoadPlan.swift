/// What a run is to do, and what came of it.
package import HTTP
package import Histogram

package struct LoadPlan: Sendable {
    package var origin: Origin
    /// The path of the URL; read by `LoadTarget.file` alone.
    package var path: [UInt8] = []
    package var options = ClientOptions(version: .http1)
    package var target = LoadTarget.martlet
    package var workload = Workload.get
    /// nil takes the workload's.
    package var distribution: Distribution?
    package var connections = 64
    /// Requests in flight on each connection: streams of HTTP/2, pipelined requests of HTTP/1.1.
    package var streams = 1
    package var warmup = Duration.seconds(2)
    package var duration = Duration.seconds(10)
    /// Requests per second, sent on time whatever the answers do; nil sends the next when one is
    /// answered.
    package var rate: Double?
    package var keys = 100_000
    package var valueSize = 100
    /// Entries of a page that `scan` asks for.
    package var scanEntries = 1000
    /// Puts in one request of `batch`.
    package var batchEntries = 100
    package var seed: UInt64 = 1
    /// Write all keys before the warm-up.
    package var loadsKeys = false

    package init(origin: Origin) { self.origin = origin }
}

package enum LoadPhase: String, Hashable, Sendable {
    case load, warmup, measure
}

/// One second, or what remained of it.
package struct LoadProgress: Sendable {
    package var phase: LoadPhase
    /// Since the phase began.
    package var elapsed: Duration
    /// Keys written so far, in the load phase.
    package var keysLoaded: Int
    package var interval: LoadRecord
    package var intervalLength: Duration
}

package struct LoadReport: Sendable {
    package var record: LoadRecord
    package var measured: Duration
    /// Processor time that this process used per second of the measurement: near 1, the generator
    /// and not the server sets the rate.
    package var generatorLoad: Double
}

/// Counts and latencies, in microseconds.
package struct LoadRecord: Sendable {
    package private(set) var latencies: [Histogram<UInt32>]
    /// Answers that are no success, by status.
    package private(set) var statuses: [Int: Int] = [:]
    /// Exchanges without an answer, by what happened.
    package private(set) var failures: [String: Int] = [:]
    package var bytesReceived = 0

    /// Past a minute every latency counts as a minute: the request's time-out has struck by then.
    package static let microsecondsMax: UInt64 = 60_000_000

    package init() {
        latencies = OperationKind.allCases.map { _ in
            Histogram(highestTrackableValue: Self.microsecondsMax)
        }
    }

    // Hot path: once per answer.
    package mutating func add(_ kind: OperationKind, microseconds: UInt64) {
        latencies[kind.rawValue].record(min(microseconds, Self.microsecondsMax))
    }

    package mutating func add(status: Int) { statuses[status, default: 0] += 1 }

    package mutating func add(failure: String) { failures[failure, default: 0] += 1 }

    package mutating func add(_ other: LoadRecord) {
        for index in latencies.indices where other.latencies[index].totalCount > 0 {
            latencies[index].add(other.latencies[index])
        }
        statuses.merge(other.statuses, uniquingKeysWith: +)
        failures.merge(other.failures, uniquingKeysWith: +)
        bytesReceived += other.bytesReceived
    }

    package mutating func reset() {
        for index in latencies.indices where latencies[index].totalCount > 0 {
            latencies[index].reset()
        }
        statuses.removeAll()
        failures.removeAll()
        bytesReceived = 0
    }

    /// Successful operations.
    package var completed: Int { latencies.reduce(0) { $0 + Int($1.totalCount) } }

    package var failed: Int {
        statuses.values.reduce(0, +) + failures.values.reduce(0, +)
    }

    package func latency(_ kind: OperationKind) -> Histogram<UInt32> { latencies[kind.rawValue] }

    /// Of all kinds together.
    package var allLatencies: Histogram<UInt32> {
        var all = Histogram<UInt32>(highestTrackableValue: Self.microsecondsMax)
        for one in latencies where one.totalCount > 0 { all.add(one) }
        return all
    }
}
