/// A snapshot on its way to another store: the data of a group as it was at one entry, in pieces
/// that each say where they belong. See `records.proto`.
///
/// Every chunk names the whole, so that a receiver never mixes two, and carries a checksum of what
/// it holds: what lies on a disk or passes through memory on the way is not covered by that of the
/// connection.
package import Base
package import Raft
internal import Storage

package struct SnapshotChunk: Hashable, Sendable {
    package var group: GroupID
    package var snapshot: SnapshotIdentity
    /// Names this making of it: two replicas at one entry may differ in what has expired, so their
    /// chunks do not fit together.
    package var origin: UInt64
    /// Of the leader that sends it: another one may have followed, and sends its own.
    package var leaderTerm: Term
    /// From 0 on.
    package var number: UInt64
    package var isLast: Bool
    /// A `CommandRecord` of puts.
    package var content: Bytes

    package init(
        group: GroupID, snapshot: SnapshotIdentity, origin: UInt64, leaderTerm: Term,
        number: UInt64, isLast: Bool, content: Bytes
    ) {
        self.group = group
        self.snapshot = snapshot
        self.origin = origin
        self.leaderTerm = leaderTerm
        self.number = number
        self.isLast = isLast
        self.content = content
    }

    package var encoded: Bytes {
        var bytes = Bytes()
        bytes.reserveCapacity(content.count + 64)
        RecordVersion.append(to: &bytes)
        bytes.appendField(2, varint: group.number)
        snapshot.append(from: 3, to: &bytes)
        bytes.appendField(6, fixed64: origin)
        bytes.appendField(7, varint: number)
        bytes.appendField(8, bool: isLast)
        bytes.appendField(9, bytes: content)
        bytes.appendField(10, fixed64: checksum)
        bytes.appendField(11, varint: leaderTerm)
        return bytes
    }

    package init(decoding bytes: Bytes) throws(DecodeError) {
        var reader = WireReader(bytes)
        var version = RecordVersion(of: "a snapshot's chunk")
        self.init(
            group: GroupID(0),
            snapshot: SnapshotIdentity(position: .start, membership: Membership()), origin: 0,
            leaderTerm: 0, number: 0, isLast: false, content: [])
        var told: UInt64 = 0
        while let field = try reader.next() {
            switch field.number {
            case 1: try version.read(field, &reader)
            case 2: group = GroupID(try reader.varint(field))
            case 3: snapshot.position.index = try reader.index(field)
            case 4: snapshot.position.term = try reader.varint(field)
            case 5: snapshot.membership = try Membership(reading: reader.message(field))
            case 6: origin = try reader.fixed64(field)
            case 7: number = try reader.varint(field)
            case 8: isLast = try reader.bool(field)
            case 9: content = Bytes(bytes[try reader.bytes(field)])
            case 10: told = try reader.fixed64(field)
            case 11: leaderTerm = try reader.varint(field)
            default: try reader.skip(field)
            }
        }
        try version.finish(reader)
        guard told == checksum else {
            throw DecodeError(expected: "a chunk whose checksum is right", offset: reader.end)
        }
    }

    /// Over the content, its place and its leader.
    private var checksum: UInt64 {
        let (high, low) = (snapshot.position.index, snapshot.position.term << 32 ^ number)
        let place = (high &* 0x9E37_79B9_7F4A_7C15 ^ low) &* 0xC2B2_AE3D_27D4_EB4F ^ origin
        return Fingerprint(of: content).low ^ place ^ leaderTerm &* 0x1656_67B1_9E37_79F9
    }
}
