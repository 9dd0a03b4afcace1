/// What the entry of a command carries: a write batch, complete, so that applying it is one blind
/// write. See `records.proto`.
///
/// A decoded batch keeps its keys and values where they stand in the record: applying a command
/// copies nothing before the engine does.
package import Base
package import Storage

package enum CommandRecord {
    // Hot path: every operation of every write. The sizes come first, so that the record is
    // written front to back into memory that is taken once.
    package static func encode(_ batch: WriteBatch) -> Bytes {
        var total = 2
        for operation in batch.operations { total += Bytes.fieldByteCount(size(of: operation)) }
        var bytes = Bytes()
        bytes.reserveCapacity(total)
        RecordVersion.append(to: &bytes)
        for operation in batch.operations {
            bytes.appendHeader(2, byteCount: size(of: operation))
            bytes.appendField(1, varint: UInt64(operation.kind.rawValue))
            bytes.appendField(2, varint: number(of: operation.family))
            append(3, operation.key, of: batch, to: &bytes)
            append(4, operation.value, of: batch, to: &bytes)
        }
        invariant(bytes.count == total, "a command is as long as it was counted")
        return bytes
    }

    private static func size(of operation: WriteBatch.Operation) -> Int {
        (operation.kind == .put ? 0 : 2) + (operation.family == .raw ? 0 : 2)
            + (operation.key.isEmpty ? 0 : Bytes.fieldByteCount(operation.key.count))
            + (operation.value.isEmpty ? 0 : Bytes.fieldByteCount(operation.value.count))
    }

    private static func append(
        _ field: UInt32, _ range: Range<Int>, of batch: WriteBatch, to bytes: inout Bytes
    ) {
        guard !range.isEmpty else { return }
        bytes.appendHeader(field, byteCount: range.count)
        bytes.append(contentsOf: batch.arena[range])
    }

    package static func decode(_ bytes: Bytes) throws(DecodeError) -> WriteBatch {
        try decode(bytes, in: 0..<bytes.count)
    }

    /// From where the command stands in its entry's record.
    package static func decode(
        _ bytes: Bytes, in range: Range<Int>
    ) throws(DecodeError) -> WriteBatch {
        var reader = WireReader(bytes, in: range)
        var version = RecordVersion(of: "a command")
        var operations: [WriteBatch.Operation] = []
        while let field = try reader.next() {
            switch field.number {
            case 1: try version.read(field, &reader)
            case 2: operations.append(try operation(reader.message(field)))
            default: try reader.skip(field)
            }
        }
        try version.finish(reader)
        return WriteBatch(operations: operations, arena: bytes)
    }

    /// What an entry writes, from its record; nil if it is no command.
    package static func batch(ofEntry record: Bytes) throws(DecodeError) -> WriteBatch? {
        let decoded = try EntryRecord.decode(record)
        guard !decoded.command.isEmpty else { return nil }
        return try decode(record, in: decoded.command)
    }

    private static func operation(
        _ reader: WireReader
    ) throws(DecodeError) -> WriteBatch.Operation {
        var reader = reader
        let none = reader.end..<reader.end
        var operation = WriteBatch.Operation(kind: .put, family: .raw, key: none, value: none)
        while let field = try reader.next() {
            let offset = reader.offset
            switch field.number {
            case 1:
                guard let kind = kind(try reader.varint(field)) else {
                    throw DecodeError(expected: "an operation of kind 0 to 2", offset: offset)
                }
                operation.kind = kind
            case 2:
                guard let family = family(try reader.varint(field)) else {
                    throw DecodeError(expected: "column family 0 or 1", offset: offset)
                }
                operation.family = family
            case 3: operation.key = try reader.bytes(field)
            case 4: operation.value = try reader.bytes(field)
            default: try reader.skip(field)
            }
        }
        try check(operation, reader)
        return operation
    }

    /// What the engine takes for granted: it would stop the node instead of answering.
    private static func check(
        _ operation: WriteBatch.Operation, _ reader: WireReader
    ) throws(DecodeError) {
        guard operation.key.count <= Limits.storedKeyBytes else {
            throw DecodeError(
                expected: "a key of at most \(Limits.storedKeyBytes) bytes",
                offset: operation.key.lowerBound)
        }
        guard operation.kind == .deleteRange, !operation.value.isEmpty else { return }
        let key = reader.bytes[operation.key]
        guard key.lexicographicallyPrecedes(reader.bytes[operation.value]) else {
            throw DecodeError(
                expected: "a range that is not empty", offset: operation.value.lowerBound)
        }
    }

    // MARK: Numbers, frozen

    private static func number(of family: ColumnFamily) -> UInt64 {
        switch family {
        case .raw: 0
        case .meta: 1
        }
    }

    private static func family(_ number: UInt64) -> ColumnFamily? {
        switch number {
        case 0: .raw
        case 1: .meta
        default: nil
        }
    }

    private static func kind(_ number: UInt64) -> WriteBatch.Kind? {
        UInt8(exactly: number).flatMap(WriteBatch.Kind.init(rawValue:))
    }
}
