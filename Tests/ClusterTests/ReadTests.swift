// Reads that say whose data they want and how fresh, and nodes that say that they are not ready, by
// three real processes.
import Base
import Foundation
import Glibc
import HTTP
import ProcessSupport
import Testing

@Suite(.serialized) struct ReadTests {
    private func withThree(_ body: (ThreeNodes) async throws -> Void) async throws {
        let folder = URL(filePath: NSTemporaryDirectory() + "martlet-reads-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try await body(try await ThreeNodes(in: folder))
    }

    private struct Written: Decodable { var version: String }
    private struct Problem: Decodable { var code: String }

    private func get(
        _ query: String, at node: Int, _ nodes: ThreeNodes
    ) async throws -> ClientResponse {
        try await nodes.send(ClientRequest("GET", "/v1/raw/kv/k?\(query)"), at: node)
    }

    private func code(_ response: ClientResponse) throws -> String {
        try JSONDecoder().decode(Problem.self, from: Data(response.body)).code
    }

    @Test func anyReplicaAnswersAndSaysWhatItHad() async throws {
        try await withThree { nodes in
            let leader = try await nodes.leader()
            let follower = try #require(ThreeNodes.all.first { $0 != leader })
            let put = try await nodes.send(
                ClientRequest("PUT", "/v1/raw/kv/k", body: Bytes("v".utf8)), at: follower)
            let text = try JSONDecoder().decode(Written.self, from: Data(put.body)).version
            let version = try #require(UInt64(text))

            for (query, node) in [
                ("replica=follower", leader), ("replica=follower", follower),
                ("consistency=stale&min_version=\(version)", follower),
                ("replica=any&min_version=\(version)", follower),
            ] {
                let response = try await get(query, at: node, nodes)
                #expect(response.status == 200 && response.text == "v", "\(query) at \(node)")
                let served = try #require(response["martlet-served-by"])
                #expect(served.hasSuffix(" role=follower"), "\(query) at \(node): \(served)")
                #expect(node == leader || served.hasPrefix("store=\(follower) "), "\(served)")
                let seen = response["martlet-read-version"].flatMap { UInt64($0) }
                #expect(try #require(seen) >= version)
                let age = response["martlet-staleness-ms"].flatMap { UInt64($0) }
                #expect(query.contains("stale") ? try #require(age) <= 10_000 : age == nil)
            }
            let local = try await get("consistency=stale", at: leader, nodes)
            #expect(local["martlet-served-by"] == "store=\(leader) role=leader")
            #expect(local["martlet-staleness-ms"] == "0")

            let unknown = try await get("min_version=\(version + 1_000_000)", at: follower, nodes)
            #expect(unknown.status == 400, "\(unknown.text)")
            let write = try await nodes.send(
                ClientRequest("PUT", "/v1/raw/kv/k?consistency=stale", body: []), at: follower)
            #expect(write.status == 400, "\(write.text)")
            #expect(
                try #require(
                    await nodes.metric(
                        #"martlet_raft_reads_total{mode="stale"}"#, at: follower)) >= 1)
        }
    }

    // The two others stand still: what this one has is all that there is, and it says how old.
    @Test func whoIsLeftAloneAnswersAsLongAsItMay() async throws {
        try await withThree { nodes in
            let leader = try await nodes.leader()
            let follower = try #require(ThreeNodes.all.first { $0 != leader })
            #expect(try await nodes.put("k", "v", at: leader) == 200)
            try await nodes.wait("the follower to have it") {
                try await self.get("consistency=stale", at: follower, nodes).status == 200
            }
            for node in ThreeNodes.all where node != follower { try nodes.signal(node, SIGSTOP) }
            try await nodes.wait("its data to be too old") {
                let response = try await self.get(
                    "consistency=stale&max_staleness_seconds=1", at: follower, nodes)
                guard response.status != 200 else { return false }
                #expect(response.status == 503)
                #expect(try self.code(response) == "replica_too_stale")
                #expect(response["retry-after"] == "1")
                return true
            }
            let old = try await get(
                "consistency=stale&max_staleness_seconds=3600", at: follower, nodes)
            #expect(old.status == 200 && old.text == "v")
            #expect(try #require(old["martlet-staleness-ms"].flatMap { UInt64($0) }) > 1_000)
            for node in ThreeNodes.all where node != follower { try nodes.signal(node, SIGCONT) }
            try await nodes.wait("its data to be fresh again") {
                try await self.get(
                    "consistency=stale&max_staleness_seconds=1", at: follower, nodes
                ).status == 200
            }
        }
    }

    @Test func whoIsDrainedOrEndsSaysFirstThatItIsNotReady() async throws {
        try await withThree { nodes in
            let leader = try await nodes.leader()
            let drain = ClientRequest("POST", "/v1/stores/\(leader)/drain")
            let drained = try await nodes.send(drain, at: leader)
            #expect(drained.status == 200, "\(drained.text)")
            let verbose = ClientRequest("GET", "/readyz?verbose=true")
            try await nodes.wait("the drained one to be unready") {
                let response = try await nodes.send(verbose, at: leader)
                return response.status == 503 && response.text.contains("not_drained")
            }
            let other = try await nodes.leader()
            #expect(other != leader)
            #expect(try await nodes.send(verbose, at: other).status == 200)
            #expect(try await nodes.put("k", "v", at: leader) == 200, "it passes on what comes")

            let third = try #require(ThreeNodes.all.first { $0 != leader && $0 != other })
            try nodes.signal(third, SIGTERM)
            try nodes.start(third, failpoints: "drain.quiet=sleep(5000)")
            try await nodes.wait("the third one to be ready") {
                try await nodes.send(verbose, at: third).status == 200
            }
            nodes.programs[third]?.send(SIGTERM)
            // By a connection that is open: no other is taken any more once the others lead.
            try await nodes.wait("the one that ends to be unready") {
                let response = try await nodes.send(verbose, at: third)
                return response.status == 503 && response.text.contains("accepting_requests")
            }
            #expect(try await nodes.get("k", at: third) == "v")
            #expect(try nodes.awaitEnd(third).status == 0)
        }
    }
}
