/// What a read says of whose data it wants and how fresh, and what its answer says that it got.
internal import API
internal import Base
package import Regions

package struct ReadAsk: Hashable, Sendable {
    /// nil: it says nothing.
    package var replica: ReadRule.Replica?
    /// nil: linearizable. Whole seconds.
    package var staleMilliseconds: UInt64?
    /// A version that an answer to this call told, and that is to be seen.
    package var seenCall: Int?
    package var minVersion: UInt64 = 0

    package init(
        replica: ReadRule.Replica? = nil, staleMilliseconds: UInt64? = nil, seenCall: Int? = nil,
        minVersion: UInt64 = 0
    ) {
        self.replica = replica
        self.staleMilliseconds = staleMilliseconds
        self.seenCall = seenCall
        self.minVersion = minVersion
    }

    /// As it stands in a query.
    var parameters: [Bytes] {
        var texts: [String] = []
        switch replica {
        case nil: break
        case .leader: texts.append("replica=leader")
        case .follower: texts.append("replica=follower")
        case .any: texts.append("replica=any")
        }
        if let staleMilliseconds {
            texts.append("consistency=stale")
            texts.append("max_staleness_seconds=\(staleMilliseconds / 1_000)")
        }
        if minVersion > 0 { texts.append("min_version=\(minVersion)") }
        return texts.map { Bytes($0.utf8) }
    }
}

/// What an answer says beside the outcomes.
package struct ReadStamp: Hashable, Sendable {
    package var role: String?
    package var version: UInt64?
    package var ageMilliseconds: UInt64?

    package init(role: String? = nil, version: UInt64? = nil, ageMilliseconds: UInt64? = nil) {
        self.role = role
        self.version = version
        self.ageMilliseconds = ageMilliseconds
    }

    init(_ response: Response) {
        if let served = response[.servedBy] {
            role = String(decoding: served, as: UTF8.self).split(separator: "=").last
                .map(String.init)
        }
        version = response[.readVersion].flatMap { UInt64(decimal: $0) }
        ageMilliseconds = response[.staleness].flatMap { UInt64(decimal: $0) }
    }
}

extension SimClients {
    /// For half of the reads of a cluster. Stale ones are of one key, which is what the checkers
    /// can hold against a past state.
    mutating func drawAsk(for commands: [RawCommand], of client: Int) -> ReadAsk? {
        guard commands.count == 1, !commands[0].isWrite, asks.chance(1, in: 2) else { return nil }
        var isPoint = false
        if case .get = commands[0] { isPoint = true }
        if case .deleteRange = commands[0] { return nil }
        let replicas: [ReadRule.Replica?] = [nil, .leader, .follower, .any]
        var ask = ReadAsk(replica: replicas[Int(asks.next() % 4)])
        if isPoint, asks.chance(2, in: 3) {
            ask.staleMilliseconds = 1_000 * (1 + asks.next() % 3)
        }
        if let seen = clients[client].lastWrite, asks.chance(1, in: 2) {
            ask.seenCall = seen.call
            ask.minVersion = seen.version
        }
        return ask.parameters.isEmpty ? nil : ask
    }
}
