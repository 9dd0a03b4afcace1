/// When which chunk of a snapshot goes to another store: one at a time, each when the one before it
/// is on disk there, no faster than `SnapshotPace` lets it; and whether a transfer that broke is
/// taken up again.
///
/// A value without sockets and disks. A chunk that was sent twice is answered with what is wanted
/// there: a stream begins with the first, and goes on where it is told, which is never behind what
/// was sent. Whoever is told to begin again and again does not get through: only an answer that has
/// come further than any before it forgives losses.
package import Base
internal import Regions

package struct SnapshotSending: Sendable {
    package enum Event: Hashable, Sendable {
        /// The other store has welcomed the stream.
        case welcomed
        /// That chunk was read, and goes no earlier than that.
        case read(UInt64, goesAt: Instant)
        case answered(SnapshotAnswer)
        /// The stream ended or could not be opened.
        case lost
        /// Nobody wants it any more, or another one takes its place.
        case stopped
        case deadlineReached
    }

    package enum Effect: Hashable, Sendable {
        /// A new stream.
        case open
        /// Read that chunk; then `read`, and send it when `send` says.
        case read(UInt64)
        case send
        /// Give the stream up.
        case close
        /// It is there, or will not be.
        case ended(isThere: Bool)
    }

    private enum State: Hashable, Sendable {
        case resting(until: Instant)
        case opening(until: Instant)
        case reading
        /// It was read, and goes when its time has come.
        case held(until: Instant)
        case awaiting(until: Instant)
        case over
    }

    package let origin: UInt64
    private var state: State
    private var losses = 0
    /// The chunk under way, and the first that never was.
    private var number: UInt64 = 0
    private var unsent: UInt64 = 0
    /// The furthest that was wanted.
    private var reached: UInt64 = 0

    package init(origin: UInt64, at now: Instant) {
        self.origin = origin
        state = .resting(until: now)
    }

    package var nextDeadline: Instant? {
        switch state {
        case .resting(let until), .opening(let until), .held(let until), .awaiting(let until):
            until
        case .reading, .over: nil
        }
    }

    /// A stream is open, or on its way.
    private var hasStream: Bool {
        switch state {
        case .opening, .reading, .held, .awaiting: true
        case .resting, .over: false
        }
    }

    package mutating func step(
        _ event: Event, at now: Instant, into effects: inout [Effect]
    ) {
        switch (event, state) {
        case (_, .over): break
        case (.welcomed, .opening): read(0, into: &effects)
        case (.read(number, let time), .reading):
            state = .held(until: time)
            if time <= now { send(at: now, into: &effects) }
        case (.answered(let answer), .awaiting) where answer.origin == origin:
            answered(answer, at: now, into: &effects)
        case (.stopped, _):
            if hasStream { effects.append(.close) }
            state = .over
        case (.lost, .resting): break
        case (.lost, _): rest(at: now, into: &effects)
        case (.deadlineReached, _): deadlineReached(at: now, into: &effects)
        default: break
        }
    }

    private mutating func answered(
        _ answer: SnapshotAnswer, at now: Instant, into effects: inout [Effect]
    ) {
        guard !answer.isComplete else {
            effects.append(.close)
            return end(true, into: &effects)
        }
        guard answer.wanted <= unsent else {
            // What never went there cannot be there.
            effects.append(.close)
            return rest(at: now, into: &effects)
        }
        if answer.wanted > reached {
            reached = answer.wanted
            losses = 0
        } else if answer.wanted <= number {
            // What was there is gone: the store there has failed to keep it, or takes another's.
            losses += 1
            guard losses < Limits.snapshotLosses else {
                effects.append(.close)
                return end(false, into: &effects)
            }
        }
        read(answer.wanted, into: &effects)
    }

    private mutating func read(_ wanted: UInt64, into effects: inout [Effect]) {
        number = wanted
        state = .reading
        effects.append(.read(wanted))
    }

    private mutating func deadlineReached(at now: Instant, into effects: inout [Effect]) {
        guard let nextDeadline, nextDeadline <= now else { return }
        switch state {
        case .resting:
            state = .opening(until: now + Limits.snapshotPatience)
            effects.append(.open)
        case .held: send(at: now, into: &effects)
        case .opening, .awaiting:
            effects.append(.close)
            rest(at: now, into: &effects)
        case .reading, .over: break
        }
    }

    private mutating func send(at now: Instant, into effects: inout [Effect]) {
        state = .awaiting(until: now + Limits.snapshotPatience)
        unsent = max(unsent, number + 1)
        effects.append(.send)
    }

    private mutating func rest(at now: Instant, into effects: inout [Effect]) {
        losses += 1
        guard losses < Limits.snapshotLosses else { return end(false, into: &effects) }
        state = .resting(until: now + Limits.snapshotPause)
    }

    private mutating func end(_ isThere: Bool, into effects: inout [Effect]) {
        state = .over
        effects.append(.ended(isThere: isThere))
    }
}
