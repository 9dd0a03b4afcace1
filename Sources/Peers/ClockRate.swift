/// Whether another store's monotonic clock runs at the rate of this one.
///
/// A leader's lease is shorter than the time after which another is elected by the share that two
/// clocks may differ in rate (Raft §6.4.1); if they differ by more, a lease may outlive its
/// leader's term. Only rates count, so a clock that is set, or a machine that starts, changes
/// nothing. Each pair of readings may be late by what the network and the loops took; so a rate is
/// judged over a stretch that is long beside that. A process that was stopped reads at once what
/// had come meanwhile, all of it late; so a difference counts when it has lasted, and by then a
/// connection on which it was only that has been given up.
package import Base

package struct ClockRate: Sendable {
    private var first: (own: Instant, theirs: Instant)?
    /// Since when all readings say so.
    private var differsSince: Instant?

    package init() {}

    /// A reading of the other clock that arrived now. A fault if the clocks differ too much.
    package mutating func observe(_ theirs: Instant, at own: Instant) -> PeerFault? {
        guard let first else {
            self.first = (own, theirs)
            return nil
        }
        let passedHere = own.since(first.own)
        let passedThere = theirs.since(first.theirs)
        guard max(passedHere, passedThere) >= Limits.peerClockStretch else { return nil }
        let here = passedHere.wholeNanoseconds
        let there = passedThere.wholeNanoseconds
        let difference = here > there ? here - there : there - here
        // Two readings are late by at most so much, else the link counts as silent.
        let excused = Limits.peerSilence.wholeNanoseconds
        guard difference > excused + max(here, there) / Limits.clockRateShare else {
            self.first = (own, theirs)
            differsSince = nil
            return nil
        }
        let since = differsSince ?? own
        differsSince = since
        guard own.since(since) >= Limits.peerSilence else { return nil }
        return .clocks(own: passedHere, theirs: passedThere)
    }
}
