/// One entry of a log as it stands on disk and in an append: made once, where it is proposed, and
/// copied from there on. See `records.proto`.
package import Base
package import Raft

package enum EntryRecord {
    private static let name: StaticString = "an entry"

    private enum Kind {
        static let blank: UInt64 = 0
        static let command: UInt64 = 1
        static let membership: UInt64 = 2
    }

    /// What the record says, and where in the bytes the command stands; empty if it is none.
    package struct Decoded: Hashable, Sendable {
        package var entry: Entry
        package var command: Range<Int>
    }

    /// - Parameter command: of a command its bytes, as many as the entry says; else none.
    package static func encode(_ entry: Entry, command: Bytes = []) -> Bytes {
        invariant(entry.byteCount == command.count, "an entry tells the size of its command")
        var bytes = Bytes()
        bytes.reserveCapacity(command.count + 32)
        RecordVersion.append(to: &bytes)
        bytes.appendField(2, varint: entry.term)
        switch entry.content {
        case .blank: break
        case .command:
            bytes.appendField(3, varint: Kind.command)
            bytes.appendField(4, bytes: command)
        case .membership(let membership):
            bytes.appendField(3, varint: Kind.membership)
            membership.append(5, to: &bytes)
        }
        return bytes
    }

    package static func decode(_ bytes: Bytes) throws(DecodeError) -> Decoded {
        try decode(WireReader(bytes))
    }

    static func decode(_ reader: WireReader) throws(DecodeError) -> Decoded {
        var reader = reader
        var version = RecordVersion(of: name)
        var term: Term = 0
        var kind = Kind.blank
        var command = reader.end..<reader.end
        var membership: Membership?
        while let field = try reader.next() {
            switch field.number {
            case 1: try version.read(field, &reader)
            case 2: term = try reader.varint(field)
            case 3: kind = try reader.varint(field)
            case 4: command = try reader.bytes(field)
            case 5: membership = try Membership(reading: reader.message(field))
            default: try reader.skip(field)
            }
        }
        try version.finish(reader)
        switch (kind, membership) {
        case (Kind.blank, nil) where command.isEmpty:
            return Decoded(entry: Entry(term: term, .blank), command: command)
        case (Kind.command, nil) where !command.isEmpty:
            let entry = Entry(term: term, .command(byteCount: command.count))
            return Decoded(entry: entry, command: command)
        case (Kind.membership, let membership?) where command.isEmpty:
            return Decoded(entry: Entry(term: term, .membership(membership)), command: command)
        default:
            throw DecodeError(
                expected: "a blank, a command or a membership and not kind \(kind)",
                offset: reader.end)
        }
    }
}
