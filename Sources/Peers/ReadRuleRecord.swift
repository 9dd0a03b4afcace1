/// What a read asks of the replica that answers it, as it travels there; see `peers.proto`.
internal import Base
internal import Regions

enum ReadRuleRecord {
    static func append(_ rule: ReadRule, _ number: UInt32, to bytes: inout Bytes) {
        bytes.appendMessage(number) { bytes in
            bytes.appendField(1, varint: UInt64(rule.replica.rawValue))
            bytes.appendField(2, optionalVarint: rule.ageMillisecondsMax.map { UInt64($0) })
            bytes.appendField(3, varint: rule.minVersion)
        }
    }

    static func read(_ reader: WireReader) throws(DecodeError) -> ReadRule {
        var reader = reader
        let start = reader.offset
        var rule = ReadRule(replica: .leader)
        while let field = try reader.next() {
            switch field.number {
            case 1:
                let number = try reader.varint(field)
                guard let replica = UInt8(exactly: number).flatMap(ReadRule.Replica.init(rawValue:))
                else { throw DecodeError(expected: "a replica of a known kind", offset: start) }
                rule.replica = replica
            case 2: rule.ageMillisecondsMax = UInt32(clamping: try reader.varint(field))
            case 3: rule.minVersion = try reader.varint(field)
            default: try reader.skip(field)
            }
        }
        return rule
    }
}
