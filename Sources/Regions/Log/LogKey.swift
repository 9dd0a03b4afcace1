/// Where a record of a log stands in the log's database: group, kind, index, so that one pass in
/// order meets each group's base, then its hard state, then its entries as they follow each other.
/// Frozen.
///
///     group, 8 bytes big-endian | 1                                    the base
///     group, 8 bytes big-endian | 2                                    the hard state
///     group, 8 bytes big-endian | 3 | index, 8 bytes big-endian        an entry
package import Base
package import Raft

package struct LogKey: Hashable, Sendable {
    package enum Kind: Hashable, Sendable, CustomStringConvertible {
        case base
        case hardState
        case entry(LogIndex)

        package var description: String {
            switch self {
            case .base: "base"
            case .hardState: "hard state"
            case .entry(let index): "entry \(index)"
            }
        }
    }

    package var group: GroupID
    package var kind: Kind

    package init(_ group: GroupID, _ kind: Kind) {
        self.group = group
        self.kind = kind
    }

    package var bytes: Bytes {
        var bytes = Bytes()
        bytes.reserveCapacity(17)
        bytes.appendUInt64(group.number)
        switch kind {
        case .base: bytes.append(1)
        case .hardState: bytes.append(2)
        case .entry(let index):
            bytes.append(3)
            bytes.appendUInt64(index)
        }
        return bytes
    }

    package init(decoding bytes: Bytes) throws(DecodeError) {
        var cursor = ByteCursor(bytes)
        group = GroupID(try cursor.readUInt64("a group"))
        switch try cursor.readByte("a kind") {
        case 1: kind = .base
        case 2: kind = .hardState
        case 3: kind = .entry(try cursor.readUInt64("an index"))
        default: throw DecodeError(expected: "a kind from 1 to 3", offset: 8)
        }
        try cursor.expectEnd()
    }
}
