/// The one thing that passes between cores, and between nodes.
///
/// Within a node it travels as it is; to another store as the bytes of `PeerEnvelope`. Raft's
/// messages may be lost, doubled and overtaken on the way. A request arrives once at most, and when
/// its connection has broken the host says `peerLost`, and no answer to it comes any more.
package import Base
package import Regions

package struct UnitAddress: Hashable, Sendable {
    package enum Unit: UInt8, Hashable, Sendable {
        case gateway
        case shard
    }

    /// As the one who holds the address sees it; nil is its own store.
    package var store: StoreID?
    /// Of a requester on another store: the host's number of the connection that its request came
    /// by. The answer goes back that way or not at all, for a later life of that store would take
    /// it for an answer to a request of its own.
    package var connection: UInt32 = 0
    private var coreNumber: UInt16
    package var unit: Unit

    /// `0 ..< cores`
    package var core: Int { Int(coreNumber) }

    package init(core: Int, unit: Unit, store: StoreID? = nil) {
        coreNumber = UInt16(core)
        self.unit = unit
        self.store = store
    }
}

package struct Envelope: Sendable {
    package enum Body: Sendable {
        case request(RegionRequest)
        case reply(RegionReply)
        /// The requester's deadline has passed, or its client has left: what has not begun need not
        /// begin, and a reply says at once what is known.
        case expire(RegionRequest.Number)
        case raft(PeerMessage)
        /// From the shard with the replica to the gateways of its node: who takes commands.
        case leader(LeaderPlace)
        /// Likewise, once: this store has everything that was committed when it started.
        case caughtUp
        /// Likewise: this store was told to lead no more.
        case drained
        /// From that shard to those of other cores: whether they may read from the store that all
        /// cores share without asking, because the group is one replica, or whether they pass reads
        /// on. Each has a higher number than the one before it.
        case serving(Bool, number: UInt64)
        /// Back: nothing is read any more as an earlier one said.
        case servingSeen(number: UInt64)
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

/// Where a group's commands are taken, as far as a node knows.
package enum LeaderPlace: Hashable, Sendable {
    case here
    case store(StoreID)
    case unknown
}

/// Commands for one region, all reads or all writes.
package struct RegionRequest: Sendable {
    /// The requester's name for it, unique among its requests.
    package typealias Number = UInt64

    package var number: Number
    /// Nobody waits for the reply after that; between stores it travels as the time that is left.
    package var deadline: Instant
    package var commands: [RawCommand]
    /// Of reads; nil: linearizable, by the leader, and nobody asks of which version.
    package var rule: ReadRule?

    package init(
        number: Number, deadline: Instant, commands: [RawCommand], rule: ReadRule? = nil
    ) {
        self.number = number
        self.deadline = deadline
        self.commands = commands
        self.rule = rule
    }
}

/// One outcome for each command of the request, in its order.
package struct RegionReply: Sendable {
    package var number: RegionRequest.Number
    package var outcomes: [RawOutcome]
    /// Of the replica whose data gave them; nil if none of them came from data.
    package var stamp: ReplicaStamp?

    package init(
        number: RegionRequest.Number, outcomes: [RawOutcome], stamp: ReplicaStamp? = nil
    ) {
        self.number = number
        self.outcomes = outcomes
        self.stamp = stamp
    }

    /// See `RawOutcome.withoutBytes`.
    package var withoutBytes: RegionReply {
        RegionReply(number: number, outcomes: outcomes.map(\.withoutBytes), stamp: stamp)
    }
}
