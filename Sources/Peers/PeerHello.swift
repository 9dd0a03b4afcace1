/// The first records of a stream between two stores, and what each side holds against the other.
///
/// Whoever opens a stream says who it is and whom it means; whoever is asked compares that with
/// what it is. All that can be wrong is found here, before anything else is read, and both sides
/// say the same sentence about it.
package import Base
package import Regions

package enum PeerLane: UInt64, CaseIterable, Hashable, Sendable {
    /// What must not wait: votes, heartbeats, answers, small requests.
    case urgent = 0
    /// Entries, in their order, and whatever is large.
    case bulk = 1
    /// One snapshot; the stream ends with it.
    case snapshot = 2

    /// Open as long as the connection.
    package static let standing: [PeerLane] = [.urgent, .bulk]
}

package struct PeerHello: Hashable, Sendable {
    /// The least that a reader has to know to take part; a stream has one.
    package static let version: UInt64 = 1

    package var version = Self.version
    package var cluster: String
    package var store: StoreID
    package var addressee: StoreID
    package var incarnation: UInt64
    package var address: String
    package var wall: WallTime
    package var lane: PeerLane

    package init(
        cluster: String, store: StoreID, addressee: StoreID, incarnation: UInt64,
        address: String, wall: WallTime, lane: PeerLane
    ) {
        self.cluster = cluster
        self.store = store
        self.addressee = addressee
        self.incarnation = incarnation
        self.address = address
        self.wall = wall
        self.lane = lane
    }

    package var encoded: Bytes {
        var bytes = Bytes()
        bytes.appendField(1, varint: version)
        bytes.appendField(2, bytes: Bytes(cluster.utf8))
        bytes.appendField(3, varint: UInt64(store.number))
        bytes.appendField(4, varint: UInt64(addressee.number))
        bytes.appendField(5, fixed64: incarnation)
        bytes.appendField(6, bytes: Bytes(address.utf8))
        bytes.appendField(7, varint: wall.milliseconds)
        bytes.appendField(8, varint: lane.rawValue)
        return bytes
    }

    /// Of another version only what says so is read.
    package init(decoding bytes: Bytes) throws(DecodeError) {
        var reader = WireReader(bytes)
        self.init(
            cluster: "", store: StoreID(0), addressee: StoreID(0), incarnation: 0, address: "",
            wall: WallTime(milliseconds: 0), lane: .urgent)
        version = 0
        while let field = try reader.next() {
            switch field.number {
            case 1:
                version = try reader.varint(field)
                if version != Self.version { return }
            case 2: cluster = try reader.text(field)
            case 3: store = try reader.store(field)
            case 4: addressee = try reader.store(field)
            case 5: incarnation = try reader.fixed64(field)
            case 6: address = try reader.text(field)
            case 7: wall = WallTime(milliseconds: try reader.varint(field))
            case 8:
                let offset = reader.offset
                guard let read = PeerLane(rawValue: try reader.varint(field)) else {
                    throw DecodeError(expected: "lane 0, 1 or 2", offset: offset)
                }
                lane = read
            default: try reader.skip(field)
            }
        }
        guard version > 0 else {
            throw DecodeError(expected: "the version of a peer's hello", offset: reader.end)
        }
    }
}

package struct PeerWelcome: Hashable, Sendable {
    package var incarnation: UInt64
    package var wall: WallTime

    package init(incarnation: UInt64, wall: WallTime) {
        self.incarnation = incarnation
        self.wall = wall
    }

    package var encoded: Bytes {
        var bytes = Bytes()
        bytes.appendField(1, varint: PeerHello.version)
        bytes.appendField(2, fixed64: incarnation)
        bytes.appendField(3, varint: wall.milliseconds)
        return bytes
    }

    package init(decoding bytes: Bytes) throws(DecodeError) {
        var reader = WireReader(bytes)
        var version = PeerVersion(of: "a peer's welcome")
        self.init(incarnation: 0, wall: WallTime(milliseconds: 0))
        while let field = try reader.next() {
            switch field.number {
            case 1: try version.read(field, &reader)
            case 2: incarnation = try reader.fixed64(field)
            case 3: wall = WallTime(milliseconds: try reader.varint(field))
            default: try reader.skip(field)
            }
        }
        try version.finish(reader)
    }
}

/// The version that each record of a stream begins with.
struct PeerVersion {
    private let record: StaticString
    private var isSeen = false

    init(of record: StaticString) { self.record = record }

    mutating func read(
        _ field: WireReader.Field, _ reader: inout WireReader
    ) throws(DecodeError) {
        let offset = reader.offset
        let version = try reader.varint(field)
        guard version == PeerHello.version else {
            throw DecodeError(
                expected: "\(record) of version \(PeerHello.version), not \(version)",
                offset: offset)
        }
        isSeen = true
    }

    func finish(_ reader: WireReader) throws(DecodeError) {
        guard isSeen else {
            throw DecodeError(expected: "the version of \(record)", offset: reader.end)
        }
    }
}

extension WireReader {
    fileprivate mutating func store(_ field: Field) throws(DecodeError) -> StoreID {
        let start = offset
        guard let number = UInt32(exactly: try varint(field)), number > 0 else {
            throw DecodeError(expected: "a store's number of 32 bits", offset: start)
        }
        return StoreID(number)
    }
}
