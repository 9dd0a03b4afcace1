/// A command as it travels to the store that leads; see `peers.proto`.
internal import Base
internal import Regions

enum RawCommandRecord {
    private enum Kind: UInt64 {
        case get, put, delete, swap, scan, count, deleteRange
    }

    static func append(_ command: RawCommand, _ number: UInt32, to bytes: inout Bytes) {
        bytes.appendMessage(number) { bytes in
            switch command {
            case .get(let key):
                bytes.appendField(2, bytes: key.bytes)
            case .put(let put):
                bytes.appendField(1, varint: Kind.put.rawValue)
                bytes.appendField(2, bytes: put.key.bytes)
                bytes.appendField(3, optionalBytes: put.value)
                bytes.appendField(4, optionalVarint: put.timeToLive)
                append(put.condition, to: &bytes)
                bytes.appendField(7, bool: put.returnPrevious)
            case .delete(let delete):
                bytes.appendField(1, varint: Kind.delete.rawValue)
                bytes.appendField(2, bytes: delete.key.bytes)
                append(delete.condition, to: &bytes)
                bytes.appendField(7, bool: delete.returnPrevious)
            case .compareAndSwap(let swap):
                bytes.appendField(1, varint: Kind.swap.rawValue)
                bytes.appendField(2, bytes: swap.key.bytes)
                if case .put(let value, let timeToLive) = swap.replacement {
                    bytes.appendField(3, optionalBytes: value)
                    bytes.appendField(4, optionalVarint: timeToLive)
                }
                bytes.appendField(8, optionalBytes: swap.expected)
            case .scan(let scan):
                bytes.appendField(1, varint: Kind.scan.rawValue)
                bytes.appendField(9, range: scan.range)
                bytes.appendField(10, bool: scan.reverse)
                bytes.appendField(11, varint: UInt64(scan.limit))
                bytes.appendField(12, bool: scan.keysOnly)
                bytes.appendField(13, optionalBytes: scan.delimiter)
                bytes.appendField(14, varint: UInt64(scan.prefixCount))
            case .count(let range):
                bytes.appendField(1, varint: Kind.count.rawValue)
                bytes.appendField(9, range: range)
            case .deleteRange(let range, let dryRun):
                bytes.appendField(1, varint: Kind.deleteRange.rawValue)
                bytes.appendField(9, range: range)
                bytes.appendField(15, bool: dryRun)
            }
        }
    }

    private static func append(_ condition: RawCondition, to bytes: inout Bytes) {
        let (kind, tags): (UInt64, [Fingerprint]) =
            switch condition {
            case .none: (0, [])
            case .absent: (1, [])
            case .present: (2, [])
            case .matchesAny(let tags): (3, tags)
            case .matchesNone(let tags): (4, tags)
            case .presentMatchingNone(let tags): (5, tags)
            }
        bytes.appendField(5, varint: kind)
        for tag in tags { bytes.appendField(6, tag: tag) }
    }

    // MARK: Reading

    /// What the fields of a command say, whatever its kind.
    private struct Fields {
        var kind: UInt64 = 0
        var key: Bytes = []
        var value: Bytes?
        var timeToLive: UInt64?
        var condition: UInt64 = 0
        var tags: [Fingerprint] = []
        var returnPrevious = false
        var expected: Bytes?
        var range = KeyRange.all
        var reverse = false
        var limit: UInt64 = 0
        var keysOnly = false
        var delimiter: Bytes?
        var prefixCount: UInt64 = 0
        var dryRun = false
    }

    static func read(_ reader: WireReader) throws(DecodeError) -> RawCommand {
        var reader = reader
        let start = reader.offset
        var fields = Fields()
        while let field = try reader.next() {
            switch field.number {
            case 1: fields.kind = try reader.varint(field)
            case 2: fields.key = try reader.copied(field)
            case 3: fields.value = try reader.copied(field)
            case 4: fields.timeToLive = try reader.varint(field)
            case 5: fields.condition = try reader.varint(field)
            case 6: fields.tags.append(try reader.tag(field))
            case 7: fields.returnPrevious = try reader.bool(field)
            case 8: fields.expected = try reader.copied(field)
            case 9: fields.range = try reader.range(field)
            case 10: fields.reverse = try reader.bool(field)
            case 11: fields.limit = try reader.varint(field)
            case 12: fields.keysOnly = try reader.bool(field)
            case 13: fields.delimiter = try reader.copied(field)
            case 14: fields.prefixCount = try reader.varint(field)
            case 15: fields.dryRun = try reader.bool(field)
            default: try reader.skip(field)
            }
        }
        return try command(fields, at: start)
    }

    private static func command(
        _ fields: Fields, at offset: Int
    ) throws(DecodeError) -> RawCommand {
        let key = Key(fields.key)
        switch Kind(rawValue: fields.kind) {
        case .get: return .get(key)
        case .put:
            return .put(
                RawPut(
                    key: key, value: fields.value ?? [], timeToLive: fields.timeToLive,
                    condition: try condition(fields, at: offset),
                    returnPrevious: fields.returnPrevious))
        case .delete:
            return .delete(
                RawDelete(
                    key: key, condition: try condition(fields, at: offset),
                    returnPrevious: fields.returnPrevious))
        case .swap:
            let replacement: RawCompareAndSwap.Replacement =
                fields.value.map { .put($0, timeToLive: fields.timeToLive) } ?? .delete
            return .compareAndSwap(
                RawCompareAndSwap(
                    key: key, expected: fields.expected, replacement: replacement))
        case .scan:
            guard (1...UInt64(Limits.entriesPerPage)).contains(fields.limit),
                fields.prefixCount <= UInt64(Limits.storedKeyBytes)
            else { throw DecodeError(expected: "a scan within its limits", offset: offset) }
            return .scan(
                RawScan(
                    range: fields.range, reverse: fields.reverse, limit: Int(fields.limit),
                    keysOnly: fields.keysOnly, delimiter: fields.delimiter,
                    prefixCount: Int(fields.prefixCount)))
        case .count: return .count(fields.range)
        case .deleteRange: return .deleteRange(fields.range, dryRun: fields.dryRun)
        case nil: throw DecodeError(expected: "a command of a known kind", offset: offset)
        }
    }

    private static func condition(
        _ fields: Fields, at offset: Int
    ) throws(DecodeError) -> RawCondition {
        switch fields.condition {
        case 0: .none
        case 1: .absent
        case 2: .present
        case 3: .matchesAny(fields.tags)
        case 4: .matchesNone(fields.tags)
        case 5: .presentMatchingNone(fields.tags)
        default: throw DecodeError(expected: "a condition of a known kind", offset: offset)
        }
    }
}

extension Bytes {
    /// Written whatever it holds, unless it is nil.
    mutating func appendField(_ number: UInt32, optionalBytes bytes: Bytes?) {
        guard let bytes else { return }
        appendHeader(number, byteCount: bytes.count)
        append(contentsOf: bytes)
    }

    mutating func appendField(_ number: UInt32, range: KeyRange) {
        appendMessage(number) { bytes in
            bytes.appendField(1, bytes: range.start.bytes)
            bytes.appendField(2, optionalBytes: range.end?.bytes)
        }
    }

    mutating func appendField(_ number: UInt32, tag: Fingerprint) {
        appendMessage(number) { bytes in
            bytes.appendField(1, fixed64: tag.high)
            bytes.appendField(2, fixed64: tag.low)
        }
    }
}

extension WireReader {
    mutating func copied(_ field: Field) throws(DecodeError) -> Bytes {
        Bytes(bytes[try bytes(field)])
    }

    mutating func text(_ field: Field) throws(DecodeError) -> String {
        let start = offset
        let range = try bytes(field)
        guard let text = String(validating: bytes[range], as: UTF8.self) else {
            throw DecodeError(expected: "UTF-8", offset: start)
        }
        return text
    }

    mutating func range(_ field: Field) throws(DecodeError) -> KeyRange {
        var reader = try message(field)
        var range = KeyRange.all
        while let field = try reader.next() {
            switch field.number {
            case 1: range.start = Key(try reader.copied(field))
            case 2: range.end = Key(try reader.copied(field))
            default: try reader.skip(field)
            }
        }
        return range
    }

    mutating func tag(_ field: Field) throws(DecodeError) -> Fingerprint {
        var reader = try message(field)
        var tag = Fingerprint(high: 0, low: 0)
        while let field = try reader.next() {
            switch field.number {
            case 1: tag.high = try reader.fixed64(field)
            case 2: tag.low = try reader.fixed64(field)
            default: try reader.skip(field)
            }
        }
        return tag
    }
}
