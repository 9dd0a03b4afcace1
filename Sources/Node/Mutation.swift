/// Known bugs, as switches of one line each, for showing that the simulator finds them.
///
/// Only debug builds and `make mutants` can switch one on (`MARTLET_MUTATIONS` in Package.swift and
/// in the Makefile): in the program that ships a `Mutations` is empty, `has` is a constant, and no
/// trace of the bugs is left. The bugs that a host can have are in `Simulation` (`HostBug`).
internal import Base
internal import Regions

package enum Mutation: String, CaseIterable, Hashable, Sendable {
    /// A stale read is answered from whatever is there.
    case staleReadsHaveNoBound
    /// A leader reads under its lease though others may have applied more.
    case leaderReadsBehind
    /// A read does not wait for the version that it names.
    case ignoresMinVersion
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
    /// A read that a reader thread answers shows expired values.
    case expiredIsShownFromDisk
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
    /// Backwards, the next page begins with the last entry.
    case reverseCursorRepeats
    /// A range delete takes the key at its end as well.
    case rangeTakesItsEnd
    /// A range delete spares the key at its start.
    case rangeSparesItsStart
    /// A range delete that is withdrawn keeps its range closed.
    case withdrawnDeleteKeepsRange
    /// A write that is refused, for a full disk or a full queue, is carried out nevertheless.
    case refusedIsWritten
    /// Every read of a batch takes the newest state, whenever it comes about.
    case readsHaveNoOrder
    /// The bound on unsynced bytes is not looked at.
    case unsyncedIsUnbounded
    /// The bound on waiting reads is not looked at.
    case readsAreUnbounded
    /// The disk's error is taken for success.
    case failureIsSuccess
    /// Requests are taken as soon as the replica leads, before it has applied what was acknowledged
    /// under others, or in an earlier life.
    case servesTooEarly
    /// A write that has waited is decided by a replica that leads again, before it has applied what
    /// was acknowledged meanwhile.
    case decidesBeforeServing
    /// A request that has expired is carried out nevertheless.
    case expiredIsCarriedOut
    /// That a condition failed is answered without asking whether this replica still leads.
    case failedConditionIsNotAsked

    /// Whether it shows only where others can lead.
    package var isOfCluster: Bool {
        switch self {
        case .failedConditionIsNotAsked, .staleReadsHaveNoBound, .ignoresMinVersion,
            .leaderReadsBehind, .decidesBeforeServing:
            true
        default: false
        }
    }

    /// Of the catalogue; nil: it has none like it.
    package var row: Int? {
        switch self {
        case .answeredBeforeDurable: 2
        case .firstCompletionForAll: 20
        case .timeoutMeansNotDone: 95
        case .failureIsSuccess: 69
        case .servesTooEarly, .decidesBeforeServing: 36
        default: nil
        }
    }
}

package struct Mutations: Hashable, Sendable {
    #if MARTLET_MUTATIONS
        private let active: Mutation?

        package init(_ active: Mutation? = nil) { self.active = active }

        func has(_ mutation: Mutation) -> Bool { active == mutation }

        /// The range that a range delete takes, with a wrong end or start.
        func deleted(_ range: KeyRange) -> KeyRange {
            switch active {
            case .rangeTakesItsEnd: KeyRange(start: range.start, end: range.end?.successor)
            case .rangeSparesItsStart where range.end != range.start.successor:
                KeyRange(start: range.start.successor, end: range.end)
            default: range
            }
        }

        /// The outcome of a read, with a wrong place for the next page.
        func page(_ outcome: RawOutcome) -> RawOutcome {
            guard case .page(var page) = outcome, var rest = page.rest, let last = page.entries.last
            else { return outcome }
            let key = Key(Bytes(page.arena[last.key]))
            // Forwards the start of the range moves, backwards its end.
            let isForwards = rest.start == key.successor
            switch active {
            case .cursorRepeats where isForwards: rest.start = key
            case .cursorSkips where isForwards: rest.start = key.prefixSuccessor ?? rest.start
            case .reverseCursorRepeats where rest.end == key: rest.end = key.successor
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
        func deleted(_ range: KeyRange) -> KeyRange { range }

        @inline(__always)
        func page(_ outcome: RawOutcome) -> RawOutcome { outcome }
    #endif
}
