/// The version that every record begins with, and what it promises.
///
/// It is the least that a reader has to know to act on the record. What may be ignored is added as
/// a new field and changes nothing here; what must not be ignored (a new kind of entry, of
/// operation) comes under a new version, and an older reader refuses the record instead of reading
/// half of it.
internal import Base
internal import Raft

struct RecordVersion {
    static let current: UInt64 = 1

    private let record: StaticString
    private var found: UInt64?

    init(of record: StaticString) { self.record = record }

    static func append(to bytes: inout Bytes) { bytes.appendField(1, varint: current) }

    /// Refuses at once: what follows may mean something else.
    mutating func read(
        _ field: WireReader.Field, _ reader: inout WireReader
    ) throws(DecodeError) {
        let offset = reader.offset
        let version = try reader.varint(field)
        guard version == Self.current else {
            throw DecodeError(
                expected: "\(record) of version \(Self.current), not \(version)", offset: offset)
        }
        found = version
    }

    /// At the end of a record, which must have told its version.
    func finish(_ reader: WireReader) throws(DecodeError) {
        guard found != nil else {
            throw DecodeError(expected: "the version of \(record)", offset: reader.end)
        }
    }
}

extension WireReader {
    /// One that a log can reach; beyond, counting on from it would overflow.
    mutating func index(_ field: Field) throws(DecodeError) -> LogIndex {
        let start = offset
        let index = try varint(field)
        guard index < 1 << 62 else {
            throw DecodeError(expected: "an index below 2^62", offset: start)
        }
        return index
    }
}
