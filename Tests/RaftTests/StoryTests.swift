// Stories: what a few replicas are told, and below it everything that they say and do.
//
// Lines at the margin are commands and remarks; an empty line begins a chapter with a cluster of
// its own. Heartbeats are left out. `REWRITE_SCENARIOS=1 swift test --filter StoryTests` writes the
// stories anew, to be reviewed as a diff. A story never holds a violation of Raft's properties.
import Foundation
import Testing

@Suite struct StoryTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "Scenarios")

    static let names = [
        "elections", "replication", "figure-7", "figure-8", "snapshots", "membership", "reads",
        "partitions", "transfer", "sleep", "bugs",
    ]

    @Test(arguments: names) func story(_ name: String) throws {
        let file = Self.folder.appending(path: name + ".txt")
        let written = try String(contentsOf: file, encoding: .utf8)
        let chapters = written.trimmingCharacters(in: .newlines).components(separatedBy: "\n\n")
        let replayed = chapters.map { Script.play($0) }
        let played = replayed.joined(separator: "\n\n") + "\n"
        if ProcessInfo.processInfo.environment["REWRITE_SCENARIOS"] != nil {
            try played.write(to: file, atomically: true, encoding: .utf8)
        }
        for (expected, actual) in zip(chapters, replayed) { #expect(expected == actual) }
        #expect(played == written)
        #expect(!played.contains("VIOLATION"))
        #expect(!played.contains("no such command"))
    }
}
