/// Reads what a person writes: `name=actions;name=actions`, and the actions of one failpoint.
///
/// Every mistake is told with the place, the text found there and what would be right. What would
/// parse and could never work is a mistake too: a fault that the place cannot have, a `pause` on an
/// event loop, which would have to take the request that ends it.
private import Base

/// What is wrong with a text of failpoints.
package struct FailpointMistake: Error, Hashable, Sendable, CustomStringConvertible {
    /// In bytes from the start of the text, from 0.
    package var offset: Int
    /// The piece that is wrong, shortened.
    package var found: String
    /// What it is, and what would be right.
    package var reason: String

    package var description: String {
        let place = found.isEmpty ? "at its end" : "at byte \(offset), \"\(found)\""
        return "\(place): \(reason)"
    }
}

package struct FailpointSetting: Hashable, Sendable {
    package var point: Failpoint
    package var program: FailpointProgram

    package init(point: Failpoint, program: FailpointProgram) {
        self.point = point
        self.program = program
    }
}

extension Failpoint {
    /// - Throws: what was probably meant, or where the names are listed.
    package init(name: some StringProtocol, at offset: Int = 0) throws(FailpointMistake) {
        guard let point = Failpoint.allCases.first(where: { $0.name == name }) else {
            let names = Failpoint.allCases.map(\.name)
            let nearest = NearestName.find(name, among: names)
            let part = String(name).split(separator: ".").first
            let same = names.filter { $0.split(separator: ".").first == part }
            let advice =
                if let nearest {
                    "did you mean \(nearest)?"
                } else {
                    "there are \((same.isEmpty ? names : same).joined(separator: ", "))"
                }
            throw FailpointMistake(
                offset: offset, found: String(name.prefix(FailpointParser.shownBytes)),
                reason: "there is no such failpoint; \(advice)")
        }
        self = point
    }
}

extension FailpointProgram {
    package init(_ text: String, for point: Failpoint) throws(FailpointMistake) {
        var parser = try FailpointParser(text)
        self = try parser.program(of: point)
        try parser.expectEnd()
    }
}

extension FailpointSetting {
    /// As `list` reads it.
    package static func text(_ settings: [FailpointSetting]) -> String {
        settings.map { "\($0.point.name)=\($0.program)" }.joined(separator: ";")
    }

    /// `name=actions;name=actions`; spaces around the parts and an empty part are passed over.
    package static func list(_ text: String) throws(FailpointMistake) -> [FailpointSetting] {
        var parser = try FailpointParser(text)
        return try parser.list()
    }
}

struct FailpointParser {
    static let shownBytes = 40

    private let bytes: Bytes
    private var index = 0

    init(_ text: String) throws(FailpointMistake) {
        bytes = Bytes(text.utf8)
        guard bytes.count <= Limits.failpointTextBytes else {
            throw FailpointMistake(
                offset: Limits.failpointTextBytes, found: "…",
                reason: "the text is longer than \(Limits.failpointTextBytes) bytes")
        }
    }

    mutating func list() throws(FailpointMistake) -> [FailpointSetting] {
        var settings: [FailpointSetting] = []
        while true {
            skipSpace()
            guard index < bytes.count else { return settings }
            if take(";") { continue }
            let start = index
            while let byte = current, byte != UInt8(ascii: "="), byte != UInt8(ascii: ";") {
                index += 1
            }
            let name = text(start..<index).trimmingSpaces
            let point = try Failpoint(name: name, at: start)
            guard take("=") else {
                throw mistake("= and actions follow the name, as in \(name)=panic")
            }
            guard !settings.contains(where: { $0.point == point }) else {
                throw FailpointMistake(
                    offset: start, found: name,
                    reason: "it is there twice; chain its actions with ->")
            }
            settings.append(FailpointSetting(point: point, program: try program(of: point)))
            skipSpace()
            guard index == bytes.count || take(";") else {
                throw mistake("after an action comes ->, ; or the end")
            }
        }
    }

    mutating func program(of point: Failpoint) throws(FailpointMistake) -> FailpointProgram {
        var steps: [FailpointProgram.Step] = []
        repeat {
            guard steps.count < Limits.failpointSteps else {
                throw mistake("a chain has at most \(Limits.failpointSteps) actions")
            }
            steps.append(try step(of: point))
            skipSpace()
        } while take("->")
        return FailpointProgram(steps)
    }

    func expectEnd() throws(FailpointMistake) {
        guard index == bytes.count else { throw mistake("after an action comes -> or the end") }
    }

    private mutating func step(
        of point: Failpoint
    ) throws(FailpointMistake) -> FailpointProgram.Step {
        skipSpace()
        var chance = FailpointProgram.Step.always
        var count: UInt64?
        if startsWithNumber("%") {
            chance = try percent()
        }
        if startsWithNumber("*") {
            let start = index
            let digits = takeDigits()
            guard let number = UInt64(digits), number > 0, take("*") else {
                throw mistake(at: start, "a count is a whole number from 1 on")
            }
            count = number
        }
        return FailpointProgram.Step(try action(of: point), chance: chance, count: count)
    }

    /// Digits, perhaps with a point among them, and then that sign.
    private func startsWithNumber(_ sign: Unicode.Scalar) -> Bool {
        var end = index
        while end < bytes.count, bytes[end].isDigit || bytes[end] == UInt8(ascii: ".") { end += 1 }
        return end > index && end < bytes.count && bytes[end] == UInt8(ascii: sign)
    }

    private mutating func percent() throws(FailpointMistake) -> UInt64 {
        let start = index
        let reason = "a chance is a number above 0 and at most 100, with up to 4 decimals"
        guard let whole = UInt64(takeDigits()), whole <= 100 else {
            throw mistake(at: start, reason)
        }
        var chance = whole * 10_000
        if take(".") {
            let decimals = takeDigits()
            guard (1...4).contains(decimals.count), let rest = UInt64(decimals) else {
                throw mistake(at: start, reason)
            }
            chance += (decimals.count..<4).reduce(rest) { value, _ in value * 10 }
        }
        guard take("%"), chance > 0, chance <= FailpointProgram.Step.always else {
            throw mistake(at: start, reason)
        }
        return chance
    }

    private mutating func action(of point: Failpoint) throws(FailpointMistake) -> FailpointAction {
        let start = index
        while let byte = current, byte.isLetter { index += 1 }
        let word = text(start..<index)
        let kinds = FailpointAction.Kind.allCases.map(\.rawValue)
        guard let kind = FailpointAction.Kind(rawValue: word) else {
            let nearest = NearestName.find(word, among: kinds).map { "; did you mean \($0)?" }
            throw mistake(
                at: start, "an action is one of \(kinds.joined(separator: ", "))" + (nearest ?? ""))
        }
        let argumentStart = index
        let argument = try argument()
        func at(_ reason: String) -> FailpointMistake { mistake(at: argumentStart, reason) }
        if let refusal = Self.refusal(of: kind, at: point) { throw mistake(at: start, refusal) }
        switch kind {
        case .off, .pause, .yield:
            guard argument == nil else { throw at("\(word) takes nothing in parentheses") }
            return kind == .off ? .off : kind == .pause ? .pause : .yield
        case .panic: return .panic(argument)
        case .print: return .print(argument)
        case .return:
            guard let argument else { return .return(point.faults[0]) }
            guard let fault = InjectedFault(rawValue: argument), point.faults.contains(fault) else {
                let known = point.faults.map(\.rawValue).joined(separator: ", ")
                throw at("\(point.name) can return: \(known)")
            }
            return .return(fault)
        case .sleep, .delay:
            let most = Limits.failpointWaitMilliseconds
            guard let argument, let time = UInt64(argument), time <= most else {
                throw at("\(word) takes milliseconds from 0 to \(most), as in \(word)(100)")
            }
            return kind == .sleep
                ? .sleep(milliseconds: time) : .delay(milliseconds: time)
        }
    }

    /// Why an action makes no sense at a place; nil if it does.
    private static func refusal(
        of kind: FailpointAction.Kind, at point: Failpoint
    ) -> String? {
        switch (kind, point.ground) {
        case (.return, _) where point.faults.isEmpty:
            "\(point.name) can return nothing: nothing else can happen there"
        case (.pause, .loop):
            "\(point.name) stands on an event loop, which would have to take the request that ends "
                + "the pause; use sleep, or pause at log.sync, data.applied or read.begin"
        default: nil
        }
    }

    /// What stands in parentheses; nil without them.
    private mutating func argument() throws(FailpointMistake) -> String? {
        let open = index
        guard take("(") else { return nil }
        let start = index
        while let byte = current, byte != UInt8(ascii: ")") { index += 1 }
        let argument = text(start..<index)
        guard take(")") else { throw mistake(at: open, "its ) is missing") }
        return argument
    }

    // MARK: Bytes

    private var current: UInt8? { index < bytes.count ? bytes[index] : nil }

    private func text(_ range: Range<Int>) -> String {
        String(decoding: bytes[range], as: UTF8.self)
    }

    private mutating func skipSpace() {
        while let byte = current, byte == 0x20 || (0x09...0x0D).contains(byte) { index += 1 }
    }

    private mutating func take(_ sign: String) -> Bool {
        guard bytes[index...].starts(with: sign.utf8) else { return false }
        index += sign.utf8.count
        return true
    }

    private mutating func takeDigits() -> String {
        let start = index
        while let byte = current, byte.isDigit { index += 1 }
        return text(start..<index)
    }

    private func mistake(at offset: Int? = nil, _ reason: String) -> FailpointMistake {
        let offset = offset ?? index
        return FailpointMistake(
            offset: offset,
            found: text(offset..<min(bytes.count, offset + Self.shownBytes)), reason: reason)
    }
}

extension UInt8 {
    fileprivate var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
    fileprivate var isLetter: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20) }
}

extension String {
    fileprivate var trimmingSpaces: String {
        String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
