/// Responses as a client reads them: what each command came to.
///
/// Anything that the contract does not allow is an error, which the world reports: a client that
/// guessed would hide it.
internal import API
internal import Base
internal import Regions

/// What a response says that it may not say.
struct UnreadableResponse: Error {
    var reason: String
}

/// One JSON object, with the few members that answers have.
private struct Members {
    var texts: [String: Bytes] = [:]
    var flags: [String: Bool] = [:]
    var numbers: [String: UInt64] = [:]
    var objects: [String: Members] = [:]
    var arrays: [String: [Members]] = [:]

    init(_ value: JSONValue) throws(Problem) {
        try value.forEachMember { (name, member) throws(Problem) in
            let name = String(decoding: name, as: UTF8.self)
            switch member.kind {
            case .string: texts[name] = member.text.map { Bytes($0) }
            case .boolean: flags[name] = member.boolean
            case .integer: numbers[name] = member.unsigned
            case .object: objects[name] = try Members(member)
            case .array:
                var elements: [Members] = []
                try member.forEachElement { (element) throws(Problem) in
                    elements.append(try Members(element))
                }
                arrays[name] = elements
            case .fraction, .null: break
            }
        }
    }

    func bytes(_ name: String) throws(UnreadableResponse) -> Bytes? {
        if let text = texts[name] { return text }
        guard let coded = texts[name + "_base64"] else { return nil }
        do {
            return try Base64.decode(coded)
        } catch {
            throw UnreadableResponse(reason: "\(name)_base64: \(error)")
        }
    }

    func expiresAt() throws(UnreadableResponse) -> WallTime? {
        guard let text = texts["expires_at"] else { return nil }
        return try WallTime(rfc3339: text)
    }

    func tag(_ name: String) throws(UnreadableResponse) -> Fingerprint? {
        guard let text = texts[name] else { return nil }
        guard let tag = Fingerprint(tag: text[...]) else {
            throw UnreadableResponse(reason: "\(name) is no entity tag")
        }
        return tag
    }
}

struct ResponseReader {
    var commands: [RawCommand]
    var lane: Lane

    func answers(_ response: Response) throws(UnreadableResponse) -> [Answer] {
        if lane == .batch || commands.count > 1, response.status == 200 {
            let results = try members(response).arrays["results"] ?? []
            guard results.count == commands.count else {
                throw UnreadableResponse(reason: "\(results.count) results")
            }
            var answers: [Answer] = []
            for (command, result) in zip(commands, results) {
                answers.append(try answer(to: command, inBatch: result))
            }
            return answers
        }
        let answer = try single(commands[0], response)
        return Array(repeating: answer, count: commands.count)
    }

    /// The version that an answer to one write tells.
    func version(_ response: Response) throws(UnreadableResponse) -> UInt64? {
        guard commands.count == 1, commands[0].isWrite, (200...201).contains(response.status) else {
            return nil
        }
        return try members(response).texts["version"].flatMap { UInt64(decimal: $0) }
    }

    private func members(_ response: Response) throws(UnreadableResponse) -> Members {
        do {
            return try JSONValue.read(response.body) { (value) throws(Problem) in
                try Members(value)
            }
        } catch {
            throw UnreadableResponse(reason: "not JSON: \(error.detail)")
        }
    }

    private func single(
        _ command: RawCommand, _ response: Response
    ) throws(UnreadableResponse) -> Answer {
        guard response.status == command.successStatus else {
            return try problem(command, members(response))
        }
        if case .get = command, lane == .bytes {
            guard let tag = response[.entityTag], tag == Fingerprint(of: response.body).quotedTag
            else { throw UnreadableResponse(reason: "the entity tag is not the value's") }
            var expiresAt: WallTime?
            if let text = response[.expiresAt] { expiresAt = try WallTime(rfc3339: text) }
            return .read(.value(response.body, expiresAt: expiresAt))
        }
        let object = try members(response)
        if case .get = command { return .read(try entry(object)) }
        return try success(command, object)
    }

    private func answer(
        to command: RawCommand, inBatch result: Members
    ) throws(UnreadableResponse) -> Answer {
        guard result.flags["ok"] == true else {
            guard let error = result.objects["error"] else {
                throw UnreadableResponse(reason: "neither ok nor error")
            }
            return try problem(command, error)
        }
        if case .get = command {
            guard result.flags["found"] == true else { return .read(.absent) }
            guard let found = result.objects["entry"] else {
                throw UnreadableResponse(reason: "found without entry")
            }
            return .read(try entry(found))
        }
        return try success(command, result)
    }

    private func success(
        _ command: RawCommand, _ object: Members
    ) throws(UnreadableResponse) -> Answer {
        func previous(_ isAsked: Bool) throws(UnreadableResponse) -> Seen? {
            guard isAsked else { return nil }
            return try object.objects["previous"].map(entry) ?? .absent
        }
        switch command {
        case .put(let put):
            guard try object.tag("etag") == Fingerprint(of: put.value) else {
                throw UnreadableResponse(reason: "the entity tag is not the value's")
            }
            return .written(previous: try previous(put.returnPrevious))
        case .delete(let delete):
            return .deleted(previous: try previous(delete.returnPrevious))
        case .compareAndSwap:
            guard let isSwapped = object.flags["swapped"] else { break }
            return isSwapped ? .swapped : .notSwapped(try previous(true) ?? .absent)
        case .scan(let scan):
            var entries: [PageEntry] = []
            for element in object.arrays["entries"] ?? [] {
                entries.append(try pageEntry(element, keysOnly: scan.keysOnly))
            }
            return .page(entries, cursor: object.texts["next_cursor"])
        case .count:
            guard let count = object.numbers["count"] else { break }
            return .counted(Int(count))
        case .deleteRange(_, let isDryRun):
            guard let count = object.numbers["count"], object.flags["dry_run"] == isDryRun else {
                break
            }
            return isDryRun ? .counted(Int(count)) : .rangeDeleted(Int(count))
        case .get: break
        }
        throw UnreadableResponse(reason: "members are missing")
    }

    private func problem(
        _ command: RawCommand, _ problem: Members
    ) throws(UnreadableResponse) -> Answer {
        let code = problem.texts["code"].map { String(decoding: $0, as: UTF8.self) } ?? ""
        switch ProblemCode(rawValue: code) {
        case .keyNotFound:
            guard case .get = command else { break }
            return .read(.absent)
        case .preconditionFailed:
            return .conditionFailed(actual: try problem.tag("actual_etag"))
        case .outcomeUnknown: return .unknown(code)
        case .overloaded, .deadlineExceeded, .diskFull, .noLeader, .notReady, .internal,
            .replicaTooStale, .noFollower,
            .answerTooLarge:
            return .refused(code)
        default: break
        }
        let detail = problem.texts["detail"].map { String(decoding: $0, as: UTF8.self) } ?? ""
        throw UnreadableResponse(reason: "problem \(code): \(detail)")
    }

    private func entry(_ object: Members) throws(UnreadableResponse) -> Seen {
        guard let value = try object.bytes("value") else {
            throw UnreadableResponse(reason: "an entry without a value")
        }
        return .value(value, expiresAt: try object.expiresAt())
    }

    private func pageEntry(
        _ object: Members, keysOnly: Bool
    ) throws(UnreadableResponse) -> PageEntry {
        guard let key = try object.bytes("key") else {
            throw UnreadableResponse(reason: "an entry without a key")
        }
        let value = try object.bytes("value")
        guard (value == nil) == keysOnly else {
            throw UnreadableResponse(reason: "keys_only is not what was asked")
        }
        return PageEntry(key: Key(key), value: value, expiresAt: try object.expiresAt())
    }
}

extension RawCommand {
    /// 201 where success means that the key was absent.
    fileprivate var successStatus: Int {
        if case .put(let put) = self, put.condition == .absent { 201 } else { 200 }
    }
}

extension WallTime {
    /// `2026-11-22T17:43:15.123Z` back to milliseconds.
    init(rfc3339 text: Bytes) throws(UnreadableResponse) {
        func number(_ range: Range<Int>) -> Int {
            text[range].reduce(0) { $0 * 10 + Int($1) - 0x30 }
        }
        guard text.count == 24, text[23] == UInt8(ascii: "Z") else {
            throw UnreadableResponse(reason: "not a time: \(text.shownValue)")
        }
        let (year, month, day) = (number(0..<4), number(5..<7), number(8..<10))
        // Days before the year, by the Gregorian rule, then before the month.
        let past = year - 1
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let months = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        let days =
            past * 365 + past / 4 - past / 100 + past / 400 + months[..<(month - 1)].reduce(0, +)
            + day - 1 - 719_162
        let seconds =
            days * 86_400 + number(11..<13) * 3600 + number(14..<16) * 60 + number(17..<19)
        self.init(milliseconds: UInt64(seconds * 1000 + number(20..<23)))
    }
}
