/// What a store says to each chunk of a snapshot that comes to it; see `peers.proto`.
package import Base

package struct SnapshotAnswer: Hashable, Sendable {
    package var origin: UInt64
    /// The next chunk.
    package var wanted: UInt64
    package var isComplete: Bool

    package init(origin: UInt64, wanted: UInt64, isComplete: Bool) {
        self.origin = origin
        self.wanted = wanted
        self.isComplete = isComplete
    }

    package var encoded: Bytes {
        var bytes = Bytes()
        bytes.appendField(1, varint: PeerHello.version)
        bytes.appendField(2, fixed64: origin)
        bytes.appendField(3, varint: wanted)
        bytes.appendField(4, bool: isComplete)
        return bytes
    }

    package init(decoding bytes: Bytes) throws(DecodeError) {
        var reader = WireReader(bytes)
        var version = PeerVersion(of: "an answer to a snapshot's chunk")
        self.init(origin: 0, wanted: 0, isComplete: false)
        while let field = try reader.next() {
            switch field.number {
            case 1: try version.read(field, &reader)
            case 2: origin = try reader.fixed64(field)
            case 3: wanted = try reader.varint(field)
            case 4: isComplete = try reader.bool(field)
            default: try reader.skip(field)
            }
        }
        try version.finish(reader)
    }
}
