/// What came of a command, as it travels back to the store that asked; see `peers.proto`.
internal import Base
internal import Raft
internal import Regions
internal import Storage

enum RawOutcomeRecord {
    private enum Kind: UInt64 {
        case missing, found, written, deleted, conditionFailed, swapped, notSwapped, page, counted
        case measured, rangeDeleted, refused
    }

    static func append(_ outcome: RawOutcome, _ number: UInt32, to bytes: inout Bytes) {
        bytes.appendMessage(number) { bytes in
            switch outcome {
            case .missing: break
            case .found(let value): append(.found, value, to: &bytes)
            case .written(let previous): append(.written, previous, to: &bytes)
            case .deleted(let previous): append(.deleted, previous, to: &bytes)
            case .conditionFailed(let actual):
                bytes.appendField(1, varint: Kind.conditionFailed.rawValue)
                if let actual { bytes.appendField(3, tag: actual) }
            case .swapped(let previous): append(.swapped, previous, to: &bytes)
            case .notSwapped(let previous): append(.notSwapped, previous, to: &bytes)
            case .page(let page): append(page, to: &bytes)
            case .counted(let count):
                bytes.appendField(1, varint: Kind.counted.rawValue)
                bytes.appendField(7, varint: UInt64(count))
            case .measured(let live, let weight):
                bytes.appendField(1, varint: Kind.measured.rawValue)
                bytes.appendField(7, varint: UInt64(live))
                bytes.appendField(8, varint: UInt64(weight.keys))
                bytes.appendField(9, varint: UInt64(weight.keyBytes))
            case .rangeDeleted(let count, let dryRun):
                bytes.appendField(1, varint: Kind.rangeDeleted.rawValue)
                bytes.appendField(7, varint: UInt64(count))
                bytes.appendField(10, bool: dryRun)
            case .refused(let refusal): append(refusal, to: &bytes)
            }
        }
    }

    private static func append(_ kind: Kind, _ value: RawValue?, to bytes: inout Bytes) {
        bytes.appendField(1, varint: kind.rawValue)
        guard let value else { return }
        bytes.appendMessage(2) { bytes in
            bytes.appendField(1, bytes: value.value)
            bytes.appendField(2, optionalVarint: value.expiresAt?.milliseconds)
        }
    }

    private static func append(_ page: RawPage, to bytes: inout Bytes) {
        bytes.appendField(1, varint: Kind.page.rawValue)
        for entry in page.entries {
            bytes.appendMessage(4) { bytes in
                bytes.appendField(1, bytes: Bytes(page.arena[entry.key]))
                bytes.appendField(2, bytes: Bytes(page.arena[entry.value]))
                bytes.appendField(3, optionalVarint: entry.expiresAt?.milliseconds)
            }
        }
        for prefix in page.commonPrefixes { bytes.appendField(5, optionalBytes: prefix.bytes) }
        if let rest = page.rest { bytes.appendField(6, range: rest) }
    }

    private static func append(_ refusal: Refusal, to bytes: inout Bytes) {
        bytes.appendField(1, varint: Kind.refused.rawValue)
        switch refusal {
        case .diskFull(let shortage):
            bytes.appendField(13, varint: shortage.free)
            bytes.appendField(14, varint: shortage.needed)
            bytes.appendField(15, bool: shortage.refusesDeletes)
            bytes.appendField(16, bool: shortage.unit == .files)
        case .overloaded(let resource):
            bytes.appendField(11, varint: 1)
            bytes.appendField(12, bytes: Bytes(resource.label.utf8))
        case .noLeader: bytes.appendField(11, varint: 2)
        case .deadlineExceeded: bytes.appendField(11, varint: 3)
        case .rangeTooLarge: bytes.appendField(11, varint: 4)
        case .answerTooLarge: bytes.appendField(11, varint: 5)
        case .outcomeUnknown(let reason):
            bytes.appendField(11, varint: 6)
            bytes.appendField(12, bytes: Bytes(reason.utf8))
        case .storageFailed(let reason):
            bytes.appendField(11, varint: 7)
            bytes.appendField(12, bytes: Bytes(reason.utf8))
        case .replicaTooStale(let reason):
            bytes.appendField(11, varint: 8)
            bytes.appendField(12, bytes: Bytes(reason.utf8))
        case .versionUnknown(let index):
            bytes.appendField(11, varint: 10)
            bytes.appendField(18, varint: index)
        case .notFollower(let elsewhere):
            bytes.appendField(11, varint: 9)
            bytes.appendField(17, varint: UInt64(elsewhere?.number ?? 0))
        }
    }

    // MARK: Reading

    private struct Fields {
        var kind: UInt64 = 0
        var value: RawValue?
        var tag: Fingerprint?
        var page = RawPage()
        var count = 0
        var weight = RangeWeight.none
        var dryRun = false
        var refusal: UInt64 = 0
        var text = ""
        var elsewhere: UInt64 = 0
        var version: LogIndex = 0
        var shortage = SpaceShortage(free: 0, needed: 0, refusesDeletes: false)
    }

    static func read(_ reader: WireReader) throws(DecodeError) -> RawOutcome {
        var reader = reader
        let start = reader.offset
        var fields = Fields()
        while let field = try reader.next() {
            switch field.number {
            case 1: fields.kind = try reader.varint(field)
            case 2: fields.value = try value(reader.message(field))
            case 3: fields.tag = try reader.tag(field)
            case 4: try readEntry(reader.message(field), into: &fields.page)
            case 5: fields.page.append(commonPrefix: Key(try reader.copied(field)))
            case 6: fields.page.rest = try reader.range(field)
            case 7: fields.count = try reader.count(field)
            case 8: fields.weight.keys = try reader.count(field)
            case 9: fields.weight.keyBytes = try reader.count(field)
            case 10: fields.dryRun = try reader.bool(field)
            case 11: fields.refusal = try reader.varint(field)
            case 12: fields.text = try reader.text(field)
            case 13: fields.shortage.free = try reader.varint(field)
            case 14: fields.shortage.needed = try reader.varint(field)
            case 15: fields.shortage.refusesDeletes = try reader.bool(field)
            case 16: fields.shortage.unit = try reader.bool(field) ? .files : .bytes
            case 17: fields.elsewhere = try reader.varint(field)
            case 18: fields.version = try reader.varint(field)
            default: try reader.skip(field)
            }
        }
        return try outcome(fields, at: start)
    }

    private static func outcome(
        _ fields: Fields, at offset: Int
    ) throws(DecodeError) -> RawOutcome {
        switch Kind(rawValue: fields.kind) {
        case .missing: return .missing
        case .found:
            guard let value = fields.value else {
                throw DecodeError(expected: "the value that was found", offset: offset)
            }
            return .found(value)
        case .written: return .written(previous: fields.value)
        case .deleted: return .deleted(previous: fields.value)
        case .conditionFailed: return .conditionFailed(actual: fields.tag)
        case .swapped: return .swapped(previous: fields.value)
        case .notSwapped: return .notSwapped(previous: fields.value)
        case .page: return .page(fields.page)
        case .counted: return .counted(fields.count)
        case .measured: return .measured(live: fields.count, fields.weight)
        case .rangeDeleted: return .rangeDeleted(count: fields.count, dryRun: fields.dryRun)
        case .refused: return .refused(try refusal(fields, at: offset))
        case nil: throw DecodeError(expected: "an outcome of a known kind", offset: offset)
        }
    }

    private static func refusal(
        _ fields: Fields, at offset: Int
    ) throws(DecodeError) -> Refusal {
        switch fields.refusal {
        case 0: return .diskFull(fields.shortage)
        case 1:
            let resource = Refusal.Resource.allCases.first { $0.label == fields.text }
            guard let resource else {
                throw DecodeError(expected: "a resource of a known name", offset: offset)
            }
            return .overloaded(resource: resource)
        case 2: return .noLeader
        case 3: return .deadlineExceeded
        case 4: return .rangeTooLarge
        case 5: return .answerTooLarge
        case 6: return .outcomeUnknown(fields.text)
        case 7: return .storageFailed(fields.text)
        case 8: return .replicaTooStale(fields.text)
        case 9:
            let number = UInt32(exactly: fields.elsewhere) ?? 0
            return .notFollower(elsewhere: number > 0 ? StoreID(number) : nil)
        case 10: return .versionUnknown(at: fields.version)
        default: throw DecodeError(expected: "a refusal of a known kind", offset: offset)
        }
    }

    private static func value(_ reader: WireReader) throws(DecodeError) -> RawValue {
        var reader = reader
        var value = RawValue(value: [])
        while let field = try reader.next() {
            switch field.number {
            case 1: value.value = try reader.copied(field)
            case 2: value.expiresAt = WallTime(milliseconds: try reader.varint(field))
            default: try reader.skip(field)
            }
        }
        return value
    }

    private static func readEntry(
        _ reader: WireReader, into page: inout RawPage
    ) throws(DecodeError) {
        var reader = reader
        var (key, value) = (0..<0, 0..<0)
        var expiresAt: WallTime?
        while let field = try reader.next() {
            switch field.number {
            case 1: key = try reader.bytes(field)
            case 2: value = try reader.bytes(field)
            case 3: expiresAt = WallTime(milliseconds: try reader.varint(field))
            default: try reader.skip(field)
            }
        }
        reader.bytes.withUnsafeBytes { bytes in
            page.append(
                key: UnsafeRawBufferPointer(rebasing: bytes[key]),
                value: UnsafeRawBufferPointer(rebasing: bytes[value]), expiresAt: expiresAt)
        }
    }
}

extension WireReader {
    /// A number of things, which fits an `Int` with room to add up a few.
    mutating func count(_ field: Field) throws(DecodeError) -> Int {
        let start = offset
        let count = try varint(field)
        guard count < 1 << 48 else {
            throw DecodeError(expected: "a count below 2^48", offset: start)
        }
        return Int(count)
    }
}
