/// How the data stood that answered a request, as it travels back; see `peers.proto`.
internal import Base
internal import Regions

enum ReplicaStampRecord {
    static func append(_ stamp: ReplicaStamp, _ number: UInt32, to bytes: inout Bytes) {
        bytes.appendMessage(number) { bytes in
            bytes.appendField(1, bool: stamp.role == .follower)
            bytes.appendField(2, varint: stamp.version)
            bytes.appendField(3, optionalVarint: stamp.ageMilliseconds.map { UInt64($0) })
        }
    }

    static func read(_ reader: WireReader) throws(DecodeError) -> ReplicaStamp {
        var reader = reader
        var stamp = ReplicaStamp(role: .leader)
        while let field = try reader.next() {
            switch field.number {
            case 1: stamp.role = try reader.bool(field) ? .follower : .leader
            case 2: stamp.version = try reader.varint(field)
            case 3: stamp.ageMilliseconds = UInt32(clamping: try reader.varint(field))
            default: try reader.skip(field)
            }
        }
        return stamp
    }
}
