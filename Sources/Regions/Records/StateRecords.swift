/// The small facts that a replica keeps: term and vote, where its log begins, how far its data has
/// come. See `records.proto`.
package import Base
package import Raft

extension HardState {
    package var encoded: Bytes {
        var bytes = Bytes()
        RecordVersion.append(to: &bytes)
        bytes.appendField(2, varint: term)
        bytes.appendField(3, optionalVarint: vote?.number)
        return bytes
    }

    package init(decoding bytes: Bytes) throws(DecodeError) {
        var reader = WireReader(bytes)
        var version = RecordVersion(of: "a hard state")
        self = .initial
        while let field = try reader.next() {
            switch field.number {
            case 1: try version.read(field, &reader)
            case 2: term = try reader.varint(field)
            case 3: vote = ReplicaID(try reader.varint(field))
            default: try reader.skip(field)
            }
        }
        try version.finish(reader)
    }
}

/// Which replica a log belongs to, and the state that stands for all before its first entry.
package struct GroupBase: Hashable, Sendable {
    package var replica: ReplicaID
    package var snapshot: SnapshotIdentity

    package init(replica: ReplicaID, snapshot: SnapshotIdentity) {
        self.replica = replica
        self.snapshot = snapshot
    }

    package var index: LogIndex { snapshot.position.index }

    package var encoded: Bytes {
        var bytes = Bytes()
        RecordVersion.append(to: &bytes)
        bytes.appendField(2, varint: replica.number)
        snapshot.append(from: 3, to: &bytes)
        return bytes
    }

    package init(decoding bytes: Bytes) throws(DecodeError) {
        let (number, snapshot) = try decodeIdentity(bytes, "a group's base")
        self.init(replica: ReplicaID(number), snapshot: snapshot)
    }
}

/// Written to the data with each command that is applied, in the same batch: whatever a crash
/// leaves of the data, this says what it is.
package struct AppliedRecord: Hashable, Sendable {
    package var group: GroupID
    /// The last entry that is applied, and the membership that is in force there.
    package var snapshot: SnapshotIdentity

    package init(group: GroupID, snapshot: SnapshotIdentity) {
        self.group = group
        self.snapshot = snapshot
    }

    package var encoded: Bytes {
        var bytes = Bytes()
        RecordVersion.append(to: &bytes)
        bytes.appendField(2, varint: group.number)
        snapshot.append(from: 3, to: &bytes)
        return bytes
    }

    package init(decoding bytes: Bytes) throws(DecodeError) {
        let (number, snapshot) = try decodeIdentity(bytes, "an applied record")
        self.init(group: GroupID(number), snapshot: snapshot)
    }

    /// Where it stands in the meta family; frozen.
    package static func key(of group: GroupID) -> Key {
        var bytes = Bytes("applied/".utf8)
        bytes.appendUInt64(group.number)
        return Key(bytes)
    }
}

extension SnapshotIdentity {
    /// In three fields, the first of that number.
    func append(from number: UInt32, to bytes: inout Bytes) {
        bytes.appendField(number, varint: position.index)
        bytes.appendField(number + 1, varint: position.term)
        membership.append(number + 2, to: &bytes)
    }
}

/// GroupBase and Applied have the same shape: a number, then an identity.
private func decodeIdentity(
    _ bytes: Bytes, _ name: StaticString
) throws(DecodeError) -> (number: UInt64, snapshot: SnapshotIdentity) {
    var reader = WireReader(bytes)
    var version = RecordVersion(of: name)
    var number: UInt64 = 0
    var snapshot = SnapshotIdentity(position: .start, membership: Membership())
    while let field = try reader.next() {
        switch field.number {
        case 1: try version.read(field, &reader)
        case 2: number = try reader.varint(field)
        case 3: snapshot.position.index = try reader.index(field)
        case 4: snapshot.position.term = try reader.varint(field)
        case 5: snapshot.membership = try Membership(reading: reader.message(field))
        default: try reader.skip(field)
        }
    }
    try version.finish(reader)
    return (number, snapshot)
}
