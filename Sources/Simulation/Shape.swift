/// What kind of world a seed makes: how large, how busy, and which faults it has.
///
/// Drawn by swarm (Groce et al., ISSTA 2012): each seed turns some faults and some operations off
/// completely, because a fault that is always there hides the bugs that need its absence.
package import Base
package import Failpoints

package enum Fault: String, CaseIterable, Hashable, Sendable {
    case crash
    case pause
    case wallJump
    case diskFull
    case diskFailure
    /// The engine drops what has expired, as a compaction does.
    case compaction
    /// Some nodes do not hear some others.
    case partition
    /// A whole node stands still, for longer than an election takes.
    case freeze
    /// Leadership is to go to some store.
    case transfer
    /// A store joins the group or is removed from it.
    case membership
    /// A store loses its disk, and comes back as a new one.
    case wipe
    /// All nodes are restarted, one after the other.
    case rollingRestart
    /// Whoever leads is cut off, stands still or crashes.
    case strike

    /// Whether it takes several nodes.
    var isOfClusters: Bool {
        switch self {
        case .partition, .freeze, .transfer, .membership, .wipe, .rollingRestart, .strike: true
        case .crash, .pause, .wallJump, .diskFull, .diskFailure, .compaction: false
        }
    }
}

package enum OperationKind: String, CaseIterable, Hashable, Sendable {
    case get, put, conditionalPut, compareAndSwap, delete, conditionalDelete
    case deleteRange, scan, count, batch
}

package struct Shape: Sendable {
    package var nodes = 1
    /// Stores that are there besides, and may join the group.
    package var spares = 0
    package var cores = 1
    package var clients = 4
    package var keys = 6
    /// Simulated time during which clients send and faults happen.
    package var duration = Duration.seconds(2)
    /// Faults that happen at all, with the mean time between two of a kind.
    package var faults: [(fault: Fault, everyMilliseconds: UInt64)] = []
    package var weights: [(kind: OperationKind, weight: UInt64)] = OperationKind.allCases.map {
        ($0, 1)
    }
    package var thinkMicroseconds: UInt64 = 2_000
    package var syncMicroseconds: UInt64 = 1_000
    package var applyMicroseconds: UInt64 = 100
    /// The mean time between two flushes of the data; 0: none.
    package var flushMilliseconds: UInt64 = 20
    /// One sync of so many is a hundred times as slow; 0: none.
    package var slowSyncEvery: UInt64 = 0
    package var coldOfTen: UInt64 = 0
    package var readMicroseconds: UInt64 = 200
    package var crossCoreMicroseconds: UInt64 = 20
    package var driftPartsPerMillion: Int64 = 0
    package var timeToLiveOfTen: UInt64 = 0
    /// One request of so many has a short time-out; 0: none.
    package var shortTimeoutEvery: UInt64 = 0
    /// One request of so many is abandoned by its client; 0: none.
    package var leavesEvery: UInt64 = 0
    package var largeValueEvery: UInt64 = 0
    package var unsyncedBytesLimit = 1 << 20
    package var readsWaitingLimit = 64
    package var entriesScannedInline = 4
    /// The longest that a message between nodes usually takes.
    package var networkMicroseconds: UInt64 = 500
    /// One message of so many takes a hundred times as long; 0: none.
    package var slowEvery: UInt64 = 0
    /// Of the log, that replicas keep for those that lag.
    package var logBytesKept = 100_000
    /// The least time without a leader before somebody campaigns.
    package var electionMilliseconds: Int64 = 900
    /// Of a leader's log.
    package var uncommittedBytes = 64 << 20
    /// On their way to one follower.
    package var windowEntries = 8_192
    package var lossOfThousand: UInt64 = 0
    package var doubledOfThousand: UInt64 = 0
    /// The longest that a node stays down after a crash.
    package var downMilliseconds: UInt64 = 100
    /// Every request has a time-out below it; 0: what the node takes by itself.
    package var timeoutMilliseconds: UInt64 = 0
    /// In so many of ten cases whoever begins to lead or to change something is struck.
    package var strikesOfTen: UInt64 = 0
    /// Each client keeps to its node; else it asks any.
    package var clientsStay = false
    package var failpoints: [FailpointSetting] = []

    package init() {}

    package static func drawn(
        from generator: inout SeededGenerator, duration: Duration
    ) -> Shape {
        var shape = Shape()
        func pick(_ range: ClosedRange<UInt64>) -> UInt64 {
            UInt64.random(in: range, using: &generator)
        }
        func sometimes<T>(_ numerator: UInt64, _ value: T, otherwise: T) -> T {
            generator.chance(numerator, in: 10) ? value : otherwise
        }
        shape.duration = duration
        shape.cores = Int(pick(1...3))
        shape.clients = Int(pick(2...10))
        shape.keys = Int(pick(2...UInt64(SimKeys.all.count)))
        let intervals: [Fault: UInt64] = [
            .crash: pick(100...1_500), .pause: pick(20...400), .wallJump: pick(100...800),
            .diskFull: pick(200...1_500), .diskFailure: pick(400...2_000),
            .compaction: pick(50...500),
        ]
        for fault in Fault.allCases where !fault.isOfClusters && generator.chance(1, in: 2) {
            shape.faults.append((fault, intervals[fault] ?? 1_000))
        }
        shape.weights = OperationKind.allCases.map { kind in
            (kind, generator.chance(7, in: 10) ? pick(1...10) : 0)
        }
        if shape.weights.allSatisfy({ $0.weight == 0 }) { shape.weights[0].weight = 1 }
        // In a quiet world values live long enough to expire.
        shape.thinkMicroseconds = sometimes(2, pick(10_000...100_000), otherwise: pick(100...5_000))
        shape.syncMicroseconds = sometimes(2, pick(5_000...40_000), otherwise: pick(50...5_000))
        shape.applyMicroseconds = sometimes(2, pick(2_000...20_000), otherwise: pick(10...500))
        shape.flushMilliseconds = sometimes(3, 0, otherwise: pick(2...400))
        shape.slowSyncEvery = sometimes(4, pick(10...100), otherwise: 0)
        shape.coldOfTen = sometimes(6, pick(1...10), otherwise: 0)
        shape.readMicroseconds = pick(20...5_000)
        shape.crossCoreMicroseconds = pick(1...200)
        shape.driftPartsPerMillion = Int64(pick(0...1_000)) - 500
        shape.timeToLiveOfTen = sometimes(5, pick(1...6), otherwise: 0)
        shape.shortTimeoutEvery = sometimes(4, pick(2...20), otherwise: 0)
        shape.leavesEvery = sometimes(3, pick(5...50), otherwise: 0)
        shape.largeValueEvery = sometimes(3, pick(2...10), otherwise: 0)
        if generator.chance(3, in: 10) {
            // The smaller it is, and the larger the values are, the oftener it is met.
            shape.unsyncedBytesLimit = Int(pick(200...4_000))
            shape.largeValueEvery = pick(1...4)
        }
        shape.readsWaitingLimit = Int(sometimes(3, pick(1...4), otherwise: 64))
        shape.entriesScannedInline = Int(pick(0...8))
        shape.failpoints = drawnFailpoints(from: &generator)
        return shape
    }

    /// Several nodes: less of everything, because an election takes as long as a thousand writes.
    package static func drawn(
        nodes: Int, from generator: inout SeededGenerator, duration: Duration
    ) -> Shape {
        var shape = drawn(from: &generator, duration: duration)
        guard nodes > 1 else { return shape }
        func pick(_ range: ClosedRange<UInt64>) -> UInt64 {
            UInt64.random(in: range, using: &generator)
        }
        shape.nodes = nodes
        shape.cores = Int(pick(1...2))
        shape.clients = Int(pick(3...10))
        shape.thinkMicroseconds = pick(1_000...40_000)
        shape.networkMicroseconds = pick(50...5_000)
        let intervals: [Fault: UInt64] = [
            .crash: pick(500...4_000), .pause: pick(100...1_000), .wallJump: pick(500...4_000),
            .diskFull: pick(1_000...5_000), .diskFailure: pick(2_000...8_000),
            .compaction: pick(200...2_000), .partition: pick(500...5_000),
            .freeze: pick(1_000...6_000), .transfer: pick(300...3_000),
            .membership: pick(300...3_000), .wipe: pick(1_000...4_000),
            .rollingRestart: pick(3_000...8_000), .strike: pick(300...3_000),
        ]
        shape.faults = Fault.allCases.filter { _ in generator.chance(1, in: 2) }.compactMap {
            fault in intervals[fault].map { (fault, $0) }
        }
        func sometimes(_ value: UInt64) -> UInt64 { generator.chance(1, in: 2) ? value : 0 }
        shape.logBytesKept = Int(pick(0...6_000))
        shape.slowEvery = sometimes(pick(5...100))
        shape.lossOfThousand = sometimes(pick(1...150))
        shape.doubledOfThousand = sometimes(pick(1...150))
        shape.downMilliseconds = pick(50...4_000)
        shape.timeoutMilliseconds = pick(500...4_000)
        // Leases are made for a fifth.
        shape.driftPartsPerMillion = Int64(sometimes(pick(0...80_000)))
        if generator.chance(1, in: 2) {
            // Many elections in a short life; still far above what a sync and a message take.
            let least = 12 * (shape.syncMicroseconds + shape.networkMicroseconds) / 1_000
            shape.electionMilliseconds = Int64(max(pick(60...300), least))
            shape.downMilliseconds = pick(5...400)
        }
        if generator.chance(1, in: 2) {
            shape.windowEntries = Int(pick(1...20))
            shape.uncommittedBytes = Int(pick(2_500...20_000))
        }
        if shape.faults.contains(where: { $0.fault == .membership }) {
            shape.spares = Int(pick(0...2))
        }
        shape.strikesOfTen = sometimes(pick(1...9))
        shape.clientsStay = generator.chance(1, in: 2)
        if generator.chance(1, in: 2) {
            // Nobody waits for longer than a few elections: there is always somebody who asks.
            shape.timeoutMilliseconds = UInt64(shape.electionMilliseconds) * pick(1...4)
        }
        return shape
    }

    /// Whether somebody has to see to it that all stores are in the group at the end.
    var hasOperator: Bool {
        spares > 0 || faults.contains { $0.fault == .membership || $0.fault == .wipe }
    }

    /// One line for people.
    package var summary: String {
        let faults = faults.map { "\($0.fault)/\($0.everyMilliseconds)ms" }
        let kinds = weights.filter { $0.weight > 0 }.map { "\($0.kind)×\($0.weight)" }
        let network = """
            \(nodes) nodes, \(spares) spare, network \(networkMicroseconds) µs, \
            slow 1/\(slowEvery), loss \(lossOfThousand)/1000, \
            doubled \(doubledOfThousand)/1000, drift \(driftPartsPerMillion) ppm, \
            election \(electionMilliseconds) ms, strikes \(strikesOfTen)/10,
            """
        return (nodes > 1 ? network + " " : "") + """
            \(cores) cores, \(clients) clients, \(keys) keys, sync \(syncMicroseconds) µs, \
            cold \(coldOfTen)/10, ttl \(timeToLiveOfTen)/10, \
            short time-outs 1/\(shortTimeoutEvery), leaves 1/\(leavesEvery), \
            faults [\(faults.joined(separator: " "))], \
            failpoints [\(FailpointSetting.text(failpoints))], \
            operations [\(kinds.joined(separator: " "))]
            """
    }
}

/// The keys of all worlds: few, so that requests meet; some hostile; several with common prefixes.
enum SimKeys {
    static let all: [Key] = [
        Key(utf8: "b"), Key(utf8: "b/1"), Key(utf8: "b/2"), Key(utf8: "a"), Key([0]),
        Key([0xFF, 0xFE]), Key(utf8: "c?d=%2F&e"), Key(utf8: ".."), Key(utf8: "ü b+"),
        Key([0x62, 0x2F, 0x31, 0x00]), Key(utf8: "z"), Key(utf8: "//"),
    ]
    static let sorted = all.sorted()
}
