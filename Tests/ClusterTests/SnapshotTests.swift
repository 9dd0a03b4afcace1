// A store whose cluster has cut its log gets everything by a snapshot, whatever happens on the way.
import Base
import Foundation
import HTTP
import ProcessSupport
import Testing

@Suite(.serialized) struct SnapshotTests {
    /// More than a log keeps that nobody lacks.
    private static let values = 80
    private static let value = Bytes(repeating: 0x78, count: 1 << 20)

    private func withOne(_ body: (ThreeNodes) async throws -> Void) async throws {
        let folder = URL(filePath: NSTemporaryDirectory() + "martlet-three-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let nodes = try await ThreeNodes(in: folder, started: 1)
        for number in 0..<Self.values {
            let put = ClientRequest("PUT", "/v1/raw/kv/\(number)", body: Self.value)
            try #require(try await nodes.send(put, at: 1).status == 200)
        }
        try await nodes.wait("the log to be cut") {
            try await nodes.metric("martlet_raft_log_entries", at: 1) ?? .max < Self.values / 2
        }
        try await body(nodes)
    }

    private func check(_ nodes: ThreeNodes, at node: Int) async throws {
        let count = try await nodes.send(ClientRequest("GET", "/v1/raw/count"), at: node)
        #expect(count.text.contains("\"count\":\(Self.values)"), "\(count.text)")
        let last = "/v1/raw/kv/\(Self.values - 1)"
        #expect(try await nodes.send(ClientRequest("GET", last), at: node).body == Self.value)
    }

    // Each point at which the one who joins may die, one after the other; and then the leader,
    // which alone had everything before.
    @Test func whoJoinsMayDieAnywhere() async throws {
        try await withOne { nodes in
            for point in ["arrived", "whole", "marked", "cleared", "taken"] {
                try nodes.start(2, joining: 1, dying: "snapshot.\(point)")
                let outcome = try nodes.awaitEnd(2)
                #expect(outcome.messages.contains("snapshot.\(point)"), "\(outcome.messages)")
            }
            try nodes.start(2, joining: 1)
            try await nodes.votes(2, asking: 1)
            #expect(try snapshots(nodes, 2).isEmpty)
            try nodes.start(3, joining: 2)
            try await nodes.votes(3, asking: 1)
            let installed = #"martlet_snapshots_total{event="installed"}"#
            #expect(try await nodes.metric(installed, at: 3) == 1)
            try nodes.signal(1, SIGKILL)
            for node in 2...3 { try await check(nodes, at: node) }
        }
    }

    // Errors on the way are tried again: of the leader's disk, of the other's, a broken stream.
    @Test func whatFailsIsTriedAgain() async throws {
        try await withOne { nodes in
            try nodes.signal(1, SIGTERM)
            try nodes.start(
                1, failpoints: "snapshot.wanted=1*return(lost);snapshot.read=2*return->off")
            try nodes.start(
                2, joining: 1,
                failpoints: "snapshot.arrived=1*off->1*return->off;snapshot.whole=1*return")
            try await nodes.votes(2, asking: 1)
            try await check(nodes, at: 2)
            // What failed half-way left nothing either.
            try await nodes.wait("the snapshots to be gone") {
                try snapshots(nodes, 2).isEmpty
            }
        }
    }

    // History: the lead went on while a snapshot was on its way, and the new leader sent its own.
    // Each chunk of either made the store begin anew: 712 MB came for 80 MiB, and no end of it.
    @Test func theLeadMayGoOnMeanwhile() async throws {
        try await withOne { nodes in
            try nodes.signal(1, SIGTERM)
            let slow = "snapshot.read=sleep(40)"
            try nodes.start(1, failpoints: slow)
            try nodes.start(2, joining: 1, failpoints: slow)
            try await nodes.votes(2, asking: 1)
            try nodes.start(3, joining: 1)
            let received = #"martlet_snapshot_transferred_bytes_total{direction="received"}"#
            try await nodes.wait("a part of the snapshot") {
                try await nodes.metric(received, at: 3) ?? 0 > 8 << 20
            }
            let transfer = ClientRequest(
                "POST", "/v1/regions/1/transfer-leader",
                headers: [ClientHeader("content-type", "application/json")],
                body: Bytes(#"{"store_id":"2"}"#.utf8))
            #expect(try await nodes.send(transfer, at: 1).status == 200)
            let installed = #"martlet_snapshots_total{event="installed"}"#
            #expect(try await nodes.metric(installed, at: 3) == 0, "it was still on its way")
            try await nodes.votes(3, asking: 2)
            try await check(nodes, at: 3)
            #expect(try await nodes.leader() == 2)
            let bytes = try await nodes.metric(received, at: 3) ?? .max
            #expect(bytes < 3 * Self.values << 20, "\(bytes)")
            try await nodes.wait("the snapshots to be gone") {
                try snapshots(nodes, 3).isEmpty
            }
        }
    }

    /// What is left of snapshots in a directory.
    private func snapshots(_ nodes: ThreeNodes, _ node: Int) throws -> [String] {
        let folder = nodes.folder.appending(path: "n\(node)/snapshots").path
        guard FileManager.default.fileExists(atPath: folder) else { return [] }
        return try FileManager.default.contentsOfDirectory(atPath: folder)
    }
}
