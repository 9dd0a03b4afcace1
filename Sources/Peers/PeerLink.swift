/// The connection that this store keeps to another: when it is made, when it counts as gone, and
/// how long it is left alone then.
///
/// Nothing is sent again: what was on its way when a connection broke is lost, and whoever sent it
/// knows what that means. While there is no connection nothing waits for one either. A link that
/// nobody wants stays closed; one that is wanted is tried again after a pause that doubles, with a
/// random half, so that a store that comes back is not met by everybody at once.
package import Base

package struct PeerLink: Sendable {
    package enum State: Hashable, Sendable {
        case idle
        case connecting
        /// Connected; the lanes in it are taken, the others not yet.
        case greeting(until: Instant, welcomed: Set<PeerLane>)
        case open
        /// Nothing is tried before that.
        case resting(until: Instant)
    }

    package enum Event: Hashable, Sendable {
        /// There is something to send.
        case wanted
        case connected
        case welcomed(PeerLane)
        /// The other side has answered a ping.
        case heard
        /// It could not be made, or broke.
        case lost
        /// The other side does not want to talk to this one.
        case refused
        /// The other side has called: it can be reached again.
        case called
        case deadlineReached
    }

    package enum Effect: Hashable, Sendable {
        case connect
        /// Open both streams, each with its hello.
        case greet
        case opened
        /// What was sent is lost.
        case broke
        /// Give the connection up.
        case close
        case ping
    }

    package private(set) var state = State.idle
    private var failures = 0
    /// It was asked for since the last try.
    private var isWanted = false
    private var heardAt = Instant.origin
    private var pingAt = Instant.origin
    private var generator: SeededGenerator

    package init(generator: SeededGenerator) { self.generator = generator }

    package var isOpen: Bool { state == .open }

    package var nextDeadline: Instant? {
        switch state {
        case .idle, .connecting: nil
        case .greeting(let until, _), .resting(let until): until
        case .open: min(pingAt, heardAt + Limits.peerSilence)
        }
    }

    package mutating func step(
        _ event: Event, at now: Instant, into effects: inout [Effect]
    ) {
        switch event {
        case .wanted:
            isWanted = true
            if state == .idle { connect(into: &effects) }
        case .connected:
            guard state == .connecting else { return }
            state = .greeting(until: now + Limits.peerGreetingTimeout, welcomed: [])
            effects.append(.greet)
        case .welcomed(let lane):
            guard case .greeting(let until, var welcomed) = state else { return }
            welcomed.insert(lane)
            state = .greeting(until: until, welcomed: welcomed)
            guard welcomed.count == PeerLane.standing.count else { return }
            state = .open
            failures = 0
            heardAt = now
            pingAt = now + Limits.peerPingInterval
            effects.append(.opened)
        case .heard: heardAt = now
        case .called:
            if case .resting = state { state = .idle }
            isWanted = true
            if state == .idle { connect(into: &effects) }
        case .lost: end(at: now, into: &effects)
        case .refused:
            // A person has to change something first.
            failures = max(failures, Self.failuresOfRefusal)
            if state != .idle { effects.append(.close) }
            end(at: now, into: &effects)
        case .deadlineReached: deadlineReached(at: now, into: &effects)
        }
    }

    private mutating func deadlineReached(at now: Instant, into effects: inout [Effect]) {
        switch state {
        case .idle, .connecting: break
        case .greeting(let until, _):
            guard until <= now else { return }
            effects.append(.close)
            end(at: now, into: &effects)
        case .open:
            guard heardAt + Limits.peerSilence > now else {
                effects.append(.close)
                return end(at: now, into: &effects)
            }
            guard pingAt <= now else { return }
            pingAt = now + Limits.peerPingInterval
            effects.append(.ping)
        case .resting(let until):
            guard until <= now else { return }
            state = .idle
            if isWanted { connect(into: &effects) }
        }
    }

    private mutating func connect(into effects: inout [Effect]) {
        isWanted = false
        state = .connecting
        effects.append(.connect)
    }

    private mutating func end(at now: Instant, into effects: inout [Effect]) {
        switch state {
        case .idle, .resting: return
        case .connecting, .greeting: break
        case .open:
            isWanted = true
            effects.append(.broke)
        }
        state = .resting(until: now + pause())
        failures = min(failures + 1, Self.failuresMax)
    }

    private static let failuresMax = 16
    private static let failuresOfRefusal = 6

    /// From the half of it to all of it.
    private mutating func pause() -> Duration {
        let longest = Limits.peerPauseMax.wholeNanoseconds
        let whole = min(Limits.peerPause.wholeNanoseconds << UInt64(failures), longest)
        let half = whole / 2
        return .nanoseconds(Int64(half + UInt64.random(in: 0...half, using: &generator)))
    }
}
