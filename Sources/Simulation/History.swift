/// What clients asked and what they were told, with true times: all that the checkers go by.
package import Base
package import Regions

/// What a client learnt of a value that was there.
package enum Seen: Hashable, Sendable {
    case absent
    case value(Bytes, expiresAt: WallTime?)
}

package struct PageEntry: Hashable, Sendable {
    package var key: Key
    /// nil if only keys were asked for.
    package var value: Bytes?
    package var expiresAt: WallTime?

    package init(key: Key, value: Bytes?, expiresAt: WallTime?) {
        self.key = key
        self.value = value
        self.expiresAt = expiresAt
    }
}

/// What one command came to, as far as its client can tell.
package enum Answer: Hashable, Sendable {
    case read(Seen)
    /// `previous` only if it was asked for.
    case written(previous: Seen?)
    case deleted(previous: Seen?)
    case conditionFailed(actual: Fingerprint?)
    case swapped
    case notSwapped(Seen)
    case page([PageEntry], cursor: Bytes?)
    case counted(Int)
    case rangeDeleted(Int)
    /// Nothing was done, says the problem's code.
    case refused(String)
    /// It may have happened, says the problem's code or the broken connection.
    case unknown(String)
}

/// One command of one request.
package struct Call: Sendable {
    package var id: Int
    package var client: Int
    /// Shared by the commands of one request, which the node carries out in order.
    package var request: Int
    /// Shared by the pages of one scan.
    package var scan: Int?
    package var node: Int
    package var command: RawCommand
    package var invokedAt: Instant
    /// When the client learnt something; nil while it waits.
    package var endedAt: Instant?
    package var answer: Answer?
    /// For an unknown outcome: after this instant it can have no effect that it did not have
    /// before.
    package var settledAt: Instant?
    package var ask: ReadAsk?
    package var stamp: ReadStamp?

    /// - Parameter endedAt: nil, and no answer, while the client waits.
    package init(
        id: Int, client: Int = 0, request: Int, scan: Int? = nil, node: Int = 0,
        _ command: RawCommand, from invokedAt: Instant, to endedAt: Instant?, _ answer: Answer?,
        settledAt: Instant? = nil
    ) {
        self.id = id
        self.client = client
        self.request = request
        self.scan = scan
        self.node = node
        self.command = command
        self.invokedAt = invokedAt
        self.endedAt = endedAt
        self.answer = answer
        self.settledAt = settledAt
    }

    /// Whether it may have changed something.
    var mayHaveWritten: Bool {
        guard command.isWrite else { return false }
        switch answer {
        case .refused, .conditionFailed, .notSwapped: return false
        default: return true
        }
    }

    var isAcknowledged: Bool {
        switch answer {
        case nil, .unknown, .refused: false
        default: true
        }
    }

    /// The latest instant at which it can have taken effect.
    var effectBefore: Instant {
        switch answer {
        case nil, .unknown: settledAt ?? .distantFuture
        default: endedAt ?? .distantFuture
        }
    }
}

package struct History: Sendable {
    package private(set) var calls: [Call] = []
    private var nextRequest = 0
    /// Whether any command was asked for that others may have to wait for in the shard.
    private(set) var hasWaiters = false

    init() {}

    init(calls: [Call]) { self.calls = calls }

    mutating func begin(
        _ commands: [RawCommand], client: Int, node: Int, scan: Int?, ask: ReadAsk? = nil,
        at instant: Instant
    ) -> Range<Int> {
        let first = calls.count
        for command in commands {
            hasWaiters = hasWaiters || command.needsCurrentValue || command.isRangeDelete
            calls.append(
                Call(
                    id: calls.count, client: client, request: nextRequest, scan: scan, node: node,
                    command, from: instant, to: nil, nil))
            calls[calls.count - 1].ask = ask
        }
        nextRequest += 1
        return first..<calls.count
    }

    mutating func end(_ ids: Range<Int>, _ answers: [Answer], at instant: Instant) {
        invariant(answers.count == ids.count, "an answer for each command")
        for (id, answer) in zip(ids, answers) {
            calls[id].answer = answer
            calls[id].endedAt = instant
        }
    }

    mutating func note(_ stamp: ReadStamp, of ids: Range<Int>) {
        for id in ids { calls[id].stamp = stamp }
    }

    mutating func settle(_ id: Int, at instant: Instant) { calls[id].settledAt = instant }
}

package enum CheckerName: String, CaseIterable, Hashable, Sendable {
    case linearizability, order, durability, staleReads
    case atomicity, expiry, scans, counts, answers, bounds, liveness
    case electionSafety, logMatching, leaderCompleteness, stateMachineSafety, replicasEqual
    case monotonicProgress, commitment, determinism
}

/// A property that does not hold.
package struct Violation: Hashable, Sendable, CustomStringConvertible {
    package var checker: CheckerName
    package var message: String

    package var description: String { "\(checker): \(message)" }
}

extension Key {
    /// For people: text as it is, other bytes as \xx.
    var shown: String {
        bytes.map { byte in
            (0x21...0x7E).contains(byte)
                ? String(UnicodeScalar(byte)) : "\\" + String(byte, radix: 16)
        }.joined()
    }
}

extension Bytes {
    /// Values are text and may be padded: their first word tells them apart.
    var shownValue: String {
        String(decoding: prefix { $0 != UInt8(ascii: " ") }, as: UTF8.self)
    }
}

extension RawCommand {
    fileprivate var isRangeDelete: Bool {
        if case .deleteRange(_, dryRun: false) = self { true } else { false }
    }
}
