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
    /// The lease lasts longer than the voters' promises, and nobody looks for a quorum (row 40).
    case overstaysLease
    /// Bytes that are committed stay counted as uncommitted (row 24).
    case leaksUncommittedBytes
    /// What was lost is not looked for (row 35).
    case neverProbes
    /// Whatever a voter answers counts as its vote (row 4).
    case anyReplyGrants
    /// Who is no voter campaigns all the same (row 11).
    case anyoneCampaigns
    /// Votes, and pre-votes, for a candidate whose log is behind (row 9; Raft §5.4.1).
    case votesForOlderLogs
    /// Commits what the best of the others has (row 16).
    case commitsOnMinority
    /// A follower commits behind what was compared (row 17).
    case commitsUnseen
    /// What is written over counts as on disk when the write that it replaced is (row 19).
    case mixesUpWrites
    /// An append is taken wherever it comes (row 22).
    case acceptsWithoutMatch
    /// An append cuts the log behind it, even where it agrees.
    case truncatesWhatMatches
    /// A new leader commits nothing of its own (row 27).
    case leavesBlankOut
    /// A snapshot is taken even if everything in it is there (row 57).
    case installsOldSnapshots
    /// Tells followers what is committed without being sure that nobody else leads.
    case claimsUnconfirmedViews
    /// A follower takes what it is told for news of the moment at which it comes.
    case datesViewsByArrival

    /// Of the catalogue; nil: it has none like it.
    package var row: Int? {
        switch self {
        case .acknowledgesEarly: 14
        case .commitsOldTerms: 3
        case .countsItselfEarly: 5
        case .asksForVotesEarly: 2
        case .forgetsPromises: 39
        case .ignoresOutgoingVoters: 29
        case .changesEarly: 28
        case .readsBeforeCommitting: 36
        case .confirmsByEarlierRound: 37
        case .keepsLeaseInTransfer: 41
        case .overstaysLease: 40
        case .leaksUncommittedBytes: 24
        case .neverProbes: 35
        case .anyReplyGrants: 4
        case .anyoneCampaigns: 11
        case .votesForOlderLogs: 9
        case .commitsOnMinority: 16
        case .commitsUnseen: 17
        case .mixesUpWrites: 19
        case .acceptsWithoutMatch: 22
        case .leavesBlankOut: 27
        case .installsOldSnapshots: 57
        case .removedNeverCampaigns, .truncatesWhatMatches, .claimsUnconfirmedViews,
            .datesViewsByArrival:
            nil
        }
    }
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
