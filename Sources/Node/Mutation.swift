/// Known bugs, as switches of one line each, for showing that the simulator finds them.
///
/// Only debug builds can switch one on (`MARTLET_MUTATIONS` in Package.swift): in a release build a
/// `Mutations` is empty, `has` is a constant, and no trace of the bugs is left.
internal import Base
internal import Regions

package enum Mutation: String, CaseIterable, Hashable, Sendable {
    /// The answer leaves when the write is decided, not when it is durable.
    case answeredBeforeDurable
    /// Conditional writes take their latch shared.
    case conditionalIsShared
    /// The latch is released when the write is decided.
    case latchReleasedEarly
    /// A range delete does not wait for older writes.
    case rangeDoesNotWait
    /// Writes do not wait for a range delete.
    case writesPassRange
    /// A write that waited for its latch does not look for a range delete again.
    case latchedPassesRange
    /// A condition takes an expired value for a present one.
    case expiredIsPresent
    /// A read that memory answers shows expired values.
    case expiredIsShown
    /// The first completion of the disk stands for all that were handed over (reliability.md row
    /// 20).
    case firstCompletionForAll
    /// A write at the disk whose time is over is reported as not done (row 95).
    case timeoutMeansNotDone
    /// A write whose condition failed keeps its latch.
    case failedConditionKeepsLatch
    /// A withdrawn write keeps a latch that it was given in the same step.
    case withdrawnKeepsLatch
    /// The next page begins behind everything that the last entry's key is a prefix of.
    case cursorSkips
    /// The next page begins with the last entry.
    case cursorRepeats
    /// Every read of a batch takes the newest state, whenever it comes about.
    case readsHaveNoOrder
    /// The bound on unsynced bytes is not looked at.
    case unsyncedIsUnbounded
    /// The bound on waiting reads is not looked at.
    case readsAreUnbounded
    /// The disk's error is taken for success.
    case failureIsSuccess
    /// A request that has expired is carried out nevertheless.
    case expiredIsCarriedOut
}

package struct Mutations: Hashable, Sendable {
    #if MARTLET_MUTATIONS
        private let active: Mutation?

        package init(_ active: Mutation? = nil) { self.active = active }

        func has(_ mutation: Mutation) -> Bool { active == mutation }

        /// The outcome of a read, with a wrong place for the next page.
        func page(_ outcome: RawOutcome) -> RawOutcome {
            guard case .page(var page) = outcome, var rest = page.rest, let last = page.entries.last
            else { return outcome }
            let key = Key(Bytes(page.arena[last.key]))
            // Only forwards: backwards the end of the range moves.
            guard rest.start == key.successor else { return outcome }
            switch active {
            case .cursorRepeats: rest.start = key
            case .cursorSkips: rest.start = key.prefixSuccessor ?? rest.start
            default: break
            }
            page.rest = rest
            return .page(page)
        }
    #else
        package init() {}

        @inline(__always)
        func has(_ mutation: Mutation) -> Bool { false }

        @inline(__always)
        func page(_ outcome: RawOutcome) -> RawOutcome { outcome }
    #endif
}
