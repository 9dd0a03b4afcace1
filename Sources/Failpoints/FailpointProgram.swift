/// What one failpoint does each time that it is reached: a chain of steps, `20%3*sleep(10)->panic`.
///
/// As in fail-rs: the first step whose count is not used up and whose chance comes up is taken, and
/// its count goes down; if none is, nothing happens. `off` is a step like the others and ends the
/// look: `2*off->panic` lets two pass. Chances are drawn from a generator that is handed in, so
/// that a simulation replays.
package import Base

package enum FailpointAction: Hashable, Sendable {
    case off
    case `return`(InjectedFault)
    case sleep(milliseconds: UInt64)
    case panic(String?)
    case print(String?)
    case pause
    case yield
    /// Like `sleep`, without giving up the processor.
    case delay(milliseconds: UInt64)

    package enum Kind: String, CaseIterable, Hashable, Sendable {
        case off, `return`, sleep, panic, print, pause, yield, delay
    }

    package var kind: Kind {
        switch self {
        case .off: .off
        case .return: .return
        case .sleep: .sleep
        case .panic: .panic
        case .print: .print
        case .pause: .pause
        case .yield: .yield
        case .delay: .delay
        }
    }
}

extension FailpointAction: CustomStringConvertible {
    package var description: String {
        let argument: String? =
            switch self {
            case .return(let fault): fault.rawValue
            case .sleep(let milliseconds), .delay(let milliseconds): "\(milliseconds)"
            case .panic(let text), .print(let text): text
            case .off, .pause, .yield: nil
            }
        return kind.rawValue + (argument.map { "(\($0))" } ?? "")
    }
}

package struct FailpointProgram: Hashable, Sendable {
    package struct Step: Hashable, Sendable {
        /// In millionths, so that nothing is rounded: 1,000,000 is always.
        package var chance: UInt64
        /// How often it is still taken; nil: without end.
        package var count: UInt64?
        package var action: FailpointAction

        package static let always: UInt64 = 1_000_000

        package init(
            _ action: FailpointAction, chance: UInt64 = Step.always, count: UInt64? = nil
        ) {
            self.action = action
            self.chance = chance
            self.count = count
        }
    }

    /// At least one.
    package private(set) var steps: [Step]

    package init(_ steps: [Step]) {
        invariant(!steps.isEmpty, "a program has a step")
        self.steps = steps
    }

    /// What to do now; nil if no step is taken.
    package mutating func next(using generator: inout SeededGenerator) -> FailpointAction? {
        for index in steps.indices where steps[index].count != 0 {
            let chance = steps[index].chance
            guard chance == Step.always || generator.chance(chance, in: Step.always) else {
                continue
            }
            if let count = steps[index].count { steps[index].count = count - 1 }
            return steps[index].action
        }
        return nil
    }
}

extension FailpointProgram: CustomStringConvertible {
    /// In the grammar: reading it gives the same program.
    package var description: String {
        steps.map { step in
            let chance = step.chance == Step.always ? "" : Self.percent(step.chance) + "%"
            return chance + (step.count.map { "\($0)*" } ?? "") + step.action.description
        }.joined(separator: "->")
    }

    private static func percent(_ chance: UInt64) -> String {
        let (whole, rest) = chance.quotientAndRemainder(dividingBy: 10_000)
        guard rest > 0 else { return "\(whole)" }
        var digits = String(10_000 + rest).dropFirst()
        while digits.last == "0" { digits = digits.dropLast() }
        return "\(whole).\(digits)"
    }
}
