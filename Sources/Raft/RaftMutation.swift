/// Known bugs of consensus implementations, as switches of one line each, for showing that the
/// checks find them.
///
/// Only debug builds can switch one on (`MARTLET_MUTATIONS` in Package.swift): in a release build
/// `has` is a constant, and no trace of the bugs is left. The rows are those of the project's
/// catalogue of real bugs.
package enum RaftMutation: String, CaseIterable, Hashable, Sendable {
    /// Acknowledges entries that are not on disk (rows 2 and 14).
    case acknowledgesEarly
    /// Commits entries of older terms by counting (row 3).
    case commitsOldTerms
    /// The leader counts its own copy before it is on disk (row 5).
    case countsItselfEarly
    /// Asks for votes before term, vote and log are on disk.
    case asksForVotesEarly
    /// Votes right after a restart, whatever was promised before it (row 39).
    case forgetsPromises
    /// Voters of the old half of a joint membership are not asked (row 29).
    case ignoresOutgoingVoters
    /// A change begins before the term has committed anything or an earlier one is done (row 28).
    case changesEarly
    /// Who is being removed does not campaign, even if nobody else can win.
    case removedNeverCampaigns
    /// Reads an index before the term has committed anything (row 36).
    case readsBeforeCommitting
    /// Late answers to an earlier broadcast confirm a read (row 37).
    case confirmsByEarlierRound
    /// Reads under the lease while leadership is handed over (row 41).
    case keepsLeaseInTransfer
    /// The lease lasts longer than the voters' promises.
    case overstaysLease
    /// Bytes that are committed stay counted as uncommitted (row 24).
    case leaksUncommittedBytes
    /// What was lost is not looked for (row 35).
    case neverProbes
}

package struct RaftMutations: Hashable, Sendable {
    #if MARTLET_MUTATIONS
        private let active: RaftMutation?

        package init(_ active: RaftMutation? = nil) { self.active = active }

        func has(_ mutation: RaftMutation) -> Bool { active == mutation }
    #else
        package init() {}

        @inline(__always)
        func has(_ mutation: RaftMutation) -> Bool { false }
    #endif
}
