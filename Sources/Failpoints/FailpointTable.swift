/// The failpoints of one node as a value: what is set, and how often each was reached.
///
/// The one place that decides what happens at a point. A host keeps it behind a lock and asks it
/// only when a flag says that something is set there (`Injection`).
/// Each point draws from a stream of its own, so that one that is reached more often does not shift
/// the chances of the others.
package import Base

package struct FailpointState: Hashable, Sendable {
    package var point: Failpoint
    /// As it was set, with the counts that are left; nil if nothing is.
    package var program: FailpointProgram?
    /// How often a step was taken, `off` apart, since the node started.
    package var hits: UInt64
}

/// What a person or a test wants of the table.
package enum FailpointCommand: Hashable, Sendable {
    case list
    case show(Failpoint)
    case set(FailpointSetting)
    case clear(Failpoint)
    case clearAll
}

package struct FailpointTable: Sendable {
    private struct Slot: Sendable {
        var program: FailpointProgram?
        var hits: UInt64 = 0
        var generator: SeededGenerator

        mutating func next() -> FailpointAction? { program?.next(using: &generator) }
    }

    private var slots: [Slot]

    package init(_ settings: [FailpointSetting] = [], generator: SeededGenerator) {
        var generator = generator
        invariant(Failpoint.allCases.count <= 128, "the mask has a bit for each point")
        slots = Failpoint.allCases.map { _ in Slot(generator: generator.split()) }
        for setting in settings { slots[Int(setting.point.rawValue)].program = setting.program }
    }

    /// A bit for each point that is set, by its raw value.
    package var mask: UInt128 {
        slots.indices.reduce(0) { slots[$1].program == nil ? $0 : $0 | 1 << UInt128($1) }
    }

    /// What happens at `point` now; nil: nothing.
    package mutating func reached(_ point: Failpoint) -> FailpointAction? {
        let index = Int(point.rawValue)
        guard let action = slots[index].next(), action != .off else { return nil }
        slots[index].hits += 1
        return action
    }

    /// Carries a command out and says how the points stand that it is about.
    package mutating func perform(_ command: FailpointCommand) -> [FailpointState] {
        switch command {
        case .list: break
        case .show(let point): return [state(of: point)]
        case .set(let setting):
            slots[Int(setting.point.rawValue)].program = setting.program
            return [state(of: setting.point)]
        case .clear(let point):
            slots[Int(point.rawValue)].program = nil
            return [state(of: point)]
        case .clearAll:
            for index in slots.indices { slots[index].program = nil }
        }
        return Failpoint.allCases.map(state)
    }

    private func state(of point: Failpoint) -> FailpointState {
        let slot = slots[Int(point.rawValue)]
        return FailpointState(point: point, program: slot.program, hits: slot.hits)
    }
}
