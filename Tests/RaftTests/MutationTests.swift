// Known bugs, switched on one by one: random runs or a story tell each from the right thing.
#if MARTLET_MUTATIONS
    import Foundation
    import Raft
    import Testing

    @Suite struct MutationTests {
        /// Found by the checks of random runs, in the first few dozen seeds.
        static let foundByRandomRuns: [RaftMutation] = [
            .acknowledgesEarly, .countsItselfEarly, .readsBeforeCommitting, .leaksUncommittedBytes,
            .neverProbes, .claimsUnconfirmedViews, .datesViewsByArrival,
        ]

        /// What needs a rare order of things: the story that takes another turn with the bug.
        static let foundByStories: [(RaftMutation, String)] = [
            (.commitsOldTerms, "figure-8"), (.asksForVotesEarly, "elections"),
            (.forgetsPromises, "elections"), (.ignoresOutgoingVoters, "membership"),
            (.changesEarly, "membership"), (.removedNeverCampaigns, "bugs"),
            (.confirmsByEarlierRound, "reads"), (.keepsLeaseInTransfer, "transfer"),
            (.overstaysLease, "reads"),
        ]

        /// Found in whole clusters, by `make mutants`.
        static let foundBySimulation: [RaftMutation] = [
            .anyReplyGrants, .anyoneCampaigns, .votesForOlderLogs,
            .commitsOnMinority, .commitsUnseen, .mixesUpWrites,
            .acceptsWithoutMatch, .truncatesWhatMatches, .leavesBlankOut,
            .installsOldSnapshots,
        ]

        @Test(arguments: foundByRandomRuns) func randomRunsFind(_ mutation: RaftMutation) {
            for seed in 1...60 as ClosedRange<UInt64> {
                var run = RandomRun(seed: seed, mutations: RaftMutations(mutation))
                run.play(turns: 200)
                if !run.cluster.checks.violations.isEmpty || run.failure != nil { return }
            }
            Issue.record("\(mutation) lives through all seeds")
        }

        @Test(arguments: foundByStories) func aStoryFinds(
            _ mutation: RaftMutation, _ name: String
        ) throws {
            let file = StoryTests.folder.appending(path: name + ".txt")
            let chapters = try String(contentsOf: file, encoding: .utf8)
                .trimmingCharacters(in: .newlines).components(separatedBy: "\n\n")
            #expect(chapters.contains { Script.play($0, RaftMutations(mutation)) != $0 })
        }

        @Test func everyMutationIsLookedFor() {
            let looked =
                Self.foundByRandomRuns + Self.foundByStories.map(\.0) + Self.foundBySimulation
            #expect(Set(looked) == Set(RaftMutation.allCases))
        }
    }
#endif
