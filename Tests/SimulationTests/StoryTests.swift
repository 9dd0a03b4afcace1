// Stories of whole clusters: what they are told, and below it what whoever looks on can see.
//
// Lines at the margin are commands and remarks; an empty line begins a chapter with a cluster of
// its own (`Simulation.Story` has the words). `REWRITE_SCENARIOS=1 swift test --filter StoryTests`
// writes them anew, to be reviewed as a diff. No chapter violates a property.
import Foundation
import Simulation
import Testing

@Suite struct StoryTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "Scenarios")

    @Test(arguments: Story.names) func story(_ name: String) throws {
        let file = Self.folder.appending(path: name + ".txt")
        let written = try String(contentsOf: file, encoding: .utf8)
        let chapters = Story.chapters(of: written)
        let played = chapters.map { Story.play($0) }
        let text = played.map(\.text).joined(separator: "\n\n") + "\n"
        if ProcessInfo.processInfo.environment["REWRITE_SCENARIOS"] != nil {
            try text.write(to: file, atomically: true, encoding: .utf8)
        }
        for (expected, actual) in zip(chapters, played) { #expect(expected == actual.text + "\n") }
        #expect(text == written)
        #expect(played.filter { !$0.checkers.isEmpty }.isEmpty)
        #expect(!text.contains("no such command"))
    }

    /// What random worlds hardly ever meet, a story shows: and a checker says so.
    #if MARTLET_MUTATIONS
        @Test(arguments: [
            ("raft.forgetsPromises", "reads"), ("raft.keepsLeaseInTransfer", "reads"),
            ("raft.overstaysLease", "reads"), ("raft.confirmsByEarlierRound", "reads"),
            ("cluster.failedConditionIsNotAsked", "reads"),
            ("raft.ignoresOutgoingVoters", "membership"),
            ("raft.removedNeverCampaigns", "membership"), ("raft.commitsOldTerms", "partitions"),
        ])
        func aBugIsFound(_ name: String, _ story: String) throws {
            let bug = try #require(KnownBug.all.first { "\($0)" == name })
            let file = Self.folder.appending(path: story + ".txt")
            let chapters = Story.chapters(of: try String(contentsOf: file, encoding: .utf8))
            #expect(chapters.contains { !Story.play($0, bug: bug).checkers.isEmpty })
        }
    #endif
}
