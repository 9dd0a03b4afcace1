/// A JSON answer of the server, read as far as a command prints it.
///
/// Kept in the server's order, since that is the order a person is meant to read it in.
internal import API
internal import Base
internal import HTTP
internal import Settings

enum AnswerValue {
    case text(Bytes)
    case number(UInt64)
    case boolean(Bool)
    case list([AnswerValue])
    case object([AnswerMember])
    /// Null, and numbers that are not whole and positive: nothing here asks for them.
    case other
}

struct AnswerMember {
    var name: String
    var value: AnswerValue
}

struct AnswerObject {
    let members: [AnswerMember]

    /// A document that is no object comes from someone else.
    init(_ document: Bytes, of origin: Origin) throws(CommandFailure) {
        do throws(Problem) {
            members = try JSONValue.read(document) { (value) throws(Problem) in
                try AnswerObject.members(value)
            }
        } catch {
            throw CommandFailure(
                Diagnosis(
                    .error, "not_martlet", "\(origin) answered, but it is not Martlet",
                    advice: "curl -v \(origin)/"), .unreachable)
        }
    }

    init(_ members: [AnswerMember]) { self.members = members }

    private static func members(_ value: JSONValue) throws(Problem) -> [AnswerMember] {
        var members: [AnswerMember] = []
        try value.forEachMember { (name, value) throws(Problem) in
            let name = String(decoding: name, as: UTF8.self)
            members.append(AnswerMember(name: name, value: try read(value)))
        }
        return members
    }

    private static func read(_ value: JSONValue) throws(Problem) -> AnswerValue {
        switch value.kind {
        case .string: return value.text.map { .text(Bytes($0)) } ?? .other
        case .integer: return value.unsigned.map { .number($0) } ?? .other
        case .boolean: return value.boolean.map { .boolean($0) } ?? .other
        case .object: return .object(try members(value))
        case .array:
            var items: [AnswerValue] = []
            try value.forEachElement { (item) throws(Problem) in items.append(try read(item)) }
            return .list(items)
        case .fraction, .null: return .other
        }
    }

    subscript(_ name: String) -> AnswerValue? { members.first { $0.name == name }?.value }

    func number(_ name: String) -> UInt64? {
        if case .number(let number)? = self[name] { number } else { nil }
    }

    func text(_ name: String) -> String? {
        if case .text(let bytes)? = self[name] {
            String(decoding: bytes, as: UTF8.self)
        } else {
            nil
        }
    }

    func objects(_ name: String) -> [AnswerObject] {
        guard case .list(let items)? = self[name] else { return [] }
        return items.compactMap {
            if case .object(let members) = $0 { AnswerObject(members) } else { nil }
        }
    }

    /// The bytes of `name`, or of its twin in base64.
    func bytes(_ name: String) -> Bytes? {
        if case .text(let bytes)? = self[name] { return bytes }
        guard case .text(let encoded)? = self[name + "_base64"] else { return nil }
        do throws(DecodeError) { return try Base64.decode(encoded) } catch { return nil }
    }
}
