// What a person does to a cluster from a shell, asked of whichever node.
import Foundation
import ProcessSupport
import Testing

@Suite(.serialized) struct CommandTests {
    private func run(
        _ nodes: ThreeNodes, at node: Int, _ arguments: String...
    ) throws -> Program.Outcome {
        try Program(arguments: arguments + ["--url", nodes.url(node)]).run()
    }

    @Test func aClusterIsSeenAndChangedFromAnywhere() async throws {
        let folder = URL(filePath: NSTemporaryDirectory() + "martlet-three-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let nodes = try await ThreeNodes(in: folder)
        let leader = try await nodes.leader()
        let others = ThreeNodes.all.filter { $0 != leader }

        let stores = try run(nodes, at: others[0], "stores", "--output", "tsv")
        #expect(stores.status == 0, "\(stores.messages)")
        let rows = stores.text.split(separator: "\n").map(String.init)
        #expect(rows.contains("\(leader)\t\(nodes.url(leader))\tleader"), "\(rows)")
        #expect(rows.contains("\(others[1])\t\(nodes.url(others[1]))\tvoter"), "\(rows)")
        #expect(try run(nodes, at: 1, "stores", "--json").text.contains("\"cluster_name\""))

        let moved = try run(nodes, at: others[0], "transfer-leader", "\(others[1])")
        #expect(moved.status == 0, "\(moved.messages)")
        try await nodes.wait("\(others[1]) to lead") { try await nodes.leader() == others[1] }
        let region = try run(nodes, at: leader, "region", "--output", "tsv")
        #expect(region.text.contains("store \(others[1])\tleader"), "\(region.text)")

        let drained = try run(nodes, at: others[0], "drain", "\(others[1])")
        #expect(drained.status == 0, "\(drained.messages)")
        try await nodes.wait("another to lead") { try await nodes.leader() != others[1] }

        let now = try await nodes.leader()
        let gone = try #require(ThreeNodes.all.first { $0 != now })
        let asked = try #require(ThreeNodes.all.first { $0 != now && $0 != gone })
        let removed = try run(nodes, at: asked, "stores", "--remove", "\(gone)")
        #expect(removed.status == 0, "\(removed.messages)")
        #expect(try await nodes.stores(now).count == 2)
        let again = try run(nodes, at: asked, "stores", "--remove", "\(gone)")
        #expect(again.status != 0)
        #expect(again.messages.hasPrefix("error[store_not_found]"), "\(again.messages)")
        let unknown = try run(nodes, at: asked, "drain", "9")
        #expect(unknown.status == 64)
        #expect(unknown.messages.contains("try: martlet stores"), "\(unknown.messages)")
    }

    @Test func whatIsNoNumberIsRefused() throws {
        let outcome = try Program("transfer-leader", "two").run()
        #expect(outcome.status == 64)
        #expect(outcome.messages.hasPrefix("error[usage]"), "\(outcome.messages)")
    }
}
