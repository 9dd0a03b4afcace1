/// The one thing that passes between cores, and later between nodes.
package import Regions

package struct UnitAddress: Hashable, Sendable {
    package enum Unit: UInt8, Hashable, Sendable {
        case gateway
        case shard
    }

    private var coreNumber: UInt16
    package var unit: Unit

    /// `0 ..< cores`
    package var core: Int { Int(coreNumber) }

    package init(core: Int, unit: Unit) {
        coreNumber = UInt16(core)
        self.unit = unit
    }
}

package struct Envelope: Sendable {
    package enum Body: Sendable {
        case request(RegionRequest)
        case reply(RegionReply)
        /// The requester's deadline has passed, or its client has left: what has not begun need not
        /// begin, and a reply says at once what is known.
        case expire(RegionRequest.Number)
        /// From the shard that leads to those of other cores: whether they may read from the store
        /// that all cores share.
        case serving(Bool)
    }

    package var from: UnitAddress
    package var to: UnitAddress
    package var body: Body

    package init(from: UnitAddress, to: UnitAddress, body: Body) {
        self.from = from
        self.to = to
        self.body = body
    }
}

/// Commands for one region, all reads or all writes.
package struct RegionRequest: Sendable {
    /// The requester's name for it, unique among its requests.
    package typealias Number = UInt64

    package var number: Number
    package var commands: [RawCommand]

    package init(number: Number, commands: [RawCommand]) {
        self.number = number
        self.commands = commands
    }
}

/// One outcome for each command of the request, in its order.
package struct RegionReply: Sendable {
    package var number: RegionRequest.Number
    package var outcomes: [RawOutcome]

    package init(number: RegionRequest.Number, outcomes: [RawOutcome]) {
        self.number = number
        self.outcomes = outcomes
    }
}
