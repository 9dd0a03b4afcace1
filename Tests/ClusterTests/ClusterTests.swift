// What three nodes promise: any of them answers, any of them may be killed, all of them may
// restart.
import Base
import Foundation
import Glibc
import HTTP
import ProcessSupport
import Testing

@Suite(.serialized) struct ClusterTests {
    /// Sends a write until it is answered with success; whatever else comes must say that it may be
    /// sent again.
    private func put(
        _ key: String, _ value: String, at node: Int, _ nodes: ThreeNodes
    ) async throws {
        try await nodes.wait("\(key) to be written at \(node)") {
            let status = try await nodes.put(key, value, at: node)
            #expect([200, 503, 504].contains(status))
            return status == 200
        }
    }

    private func everyoneSaysWhoServes(_ nodes: ThreeNodes) async throws {
        struct Status: Decodable {
            var store: String

            enum CodingKeys: String, CodingKey { case store = "store_id" }
        }
        let leader = try await nodes.leader()
        for node in ThreeNodes.all {
            let get = try await nodes.send(ClientRequest("GET", "/v1/raw/kv/k1"), at: node)
            #expect(get["martlet-served-by"] == "store=\(leader) role=leader")
            let about = try await nodes.send(ClientRequest("GET", "/v1/status"), at: node)
            #expect(about["martlet-served-by"] == nil)
            let status = try JSONDecoder().decode(Status.self, from: Data(about.body))
            #expect(status.store == "\(node)")
        }
    }

    @Test func anyNodeAnswersAndAnyMayBeKilled() async throws {
        try await withThreeNodes { nodes in
            for node in ThreeNodes.all {
                #expect(try await nodes.put("k\(node)", "v\(node)", at: node) == 200)
                for other in ThreeNodes.all {
                    #expect(try await nodes.get("k\(node)", at: other) == "v\(node)")
                }
            }
            try await everyoneSaysWhoServes(nodes)
            let large = String(repeating: "x", count: 1 << 20)
            #expect(try await nodes.put("large", large, at: 3) == 200)
            for node in ThreeNodes.all { #expect(try await nodes.get("large", at: node) == large) }

            let leader = try await nodes.leader()
            try nodes.signal(leader, SIGKILL)
            for node in ThreeNodes.all where node != leader {
                try await put("after\(node)", "x", at: node, nodes)
                #expect(try await nodes.get("k1", at: node) == "v1")
            }
            try nodes.start(leader)
            try await nodes.wait("the killed one to answer") {
                try await nodes.get("k1", at: leader) == "v1"
            }
            for node in ThreeNodes.all where node != leader {
                #expect(try await nodes.get("after\(node)", at: leader) == "x")
            }
        }
    }

    // Their table of stores is in their logs only, and nobody leads who could apply it.
    @Test func allAreKilledAndStartAgain() async throws {
        try await withThreeNodes { nodes in
            for number in 0..<20 {
                #expect(try await nodes.put("n\(number)", "\(number)", at: 1 + number % 3) == 200)
            }
            for node in ThreeNodes.all { try nodes.signal(node, SIGKILL) }
            for node in ThreeNodes.all { try nodes.start(node, joining: node == 1 ? nil : 1) }
            _ = try await nodes.leader()
            for number in 0..<20 {
                let node = 1 + (number + 1) % 3
                try await nodes.wait("n\(number) to be read at \(node)") {
                    try await nodes.get("n\(number)", at: node) == "\(number)"
                }
            }
            #expect(try await nodes.metric("martlet_peer_connections", at: 1) == 2)
            #expect(try await nodes.metric("martlet_peer_streams", at: 1) == 4)
        }
    }

    // Paused, its connections stand; what was asked of it is answered by somebody else.
    @Test func theLeaderIsPaused() async throws {
        try await withThreeNodes { nodes in
            let leader = try await nodes.leader()
            try await put("a", "1", at: leader, nodes)
            #expect(try await nodes.get("a", at: leader) == "1")
            try nodes.signal(leader, SIGSTOP)
            let other = try #require(ThreeNodes.all.first { $0 != leader })
            try await put("a", "2", at: other, nodes)
            try nodes.signal(leader, SIGCONT)
            // What it had when it was paused is over: nothing that it answers may be of then.
            try await nodes.wait("the paused one to read what it missed") {
                let get = ClientRequest("GET", "/v1/raw/kv/a")
                let answer = try await nodes.send(get, at: leader)
                let isNew = answer.status == 200 && answer.text == "2"
                try #require(isNew || [503, 504].contains(answer.status), "\(answer.text)")
                return isNew
            }
        }
    }

    // Nobody has to wait for an election: the write after the end of the leader is answered by who
    // leads since before it.
    @Test func aLeaderThatEndsHandsOver() async throws {
        try await withThreeNodes { nodes in
            let leader = try await nodes.leader()
            let other = try #require(ThreeNodes.all.first { $0 != leader })
            try nodes.signal(leader, SIGTERM)
            #expect(try await nodes.put("k", "v", at: other) == 200)
            let regions = try await nodes.send(ClientRequest("GET", "/v1/regions/1"), at: other)
            #expect(!regions.text.contains("\"leader_store_id\":\"\(leader)\""))
            try nodes.start(leader)
            #expect(try await nodes.get("k", at: leader) == "v")
        }
    }

    @Test func theLeadIsHandedOverOnRequest() async throws {
        try await withThreeNodes { nodes in
            for target in [3, 1, 2] where try await nodes.leader() != target {
                let leader = try await nodes.leader()
                try await nodes.lead(target)
                #expect(try await nodes.put("k\(target)", "v", at: leader) == 200)
            }
            let leader = try await nodes.leader()
            let drain = ClientRequest("POST", "/v1/stores/\(leader)/drain")
            let other = try #require(ThreeNodes.all.first { $0 != leader })
            #expect(try await nodes.send(drain, at: other).status == 409)
            #expect(try await nodes.send(drain, at: leader).status == 200)
            #expect(try await nodes.send(drain, at: leader).status == 200, "it is done already")
            try await nodes.wait("another to lead") { try await nodes.leader() != leader }
            #expect(try await nodes.put("k", "v", at: leader) == 200)
            let list = try await nodes.send(ClientRequest("GET", "/v1/stores"), at: leader)
            #expect(list.text.contains("\"draining\":true"), "\(list.text)")
        }
    }

    @Test func aStoreIsRemovedForGood() async throws {
        try await withThreeNodes { nodes in
            #expect(try await nodes.put("k", "v", at: 2) == 200)
            let leader = try await nodes.leader()
            let gone = try #require(ThreeNodes.all.first { $0 != leader })
            try nodes.signal(gone, SIGKILL)
            let request = ClientRequest("DELETE", "/v1/stores/\(gone)")
            #expect(try await nodes.send(request, at: leader).status == 200)
            #expect(try await nodes.send(request, at: leader).status == 404)
            let own = ClientRequest("DELETE", "/v1/stores/\(leader)")
            let refusal = try await nodes.send(own, at: leader)
            #expect(refusal.status == 409)
            #expect(refusal.text.contains("martlet transfer-leader"), "\(refusal.text)")
            let absent = ClientRequest("POST", "/v1/stores/99/drain")
            #expect(try await nodes.send(absent, at: leader).status == 404)
            #expect(try await nodes.stores(leader).count == 2)
            try await put("k", "w", at: leader, nodes)
            // It has its directory, and hears that it is no member.
            try nodes.start(gone)
            let readiness = ClientRequest("GET", "/readyz?verbose=true")
            try await nodes.wait("the removed one to say so") {
                let answer = try await nodes.send(readiness, at: gone)
                return answer.status == 503 && answer.text.contains("join anew (--join)")
            }
        }
    }

    // Whoever asked to join and never came votes for nothing and keeps few from joining.
    @Test func storesThatNeverCome() async throws {
        try await withThreeNodes { nodes in
            let leader = try await nodes.leader()
            let join = ClientRequest(
                "POST", "/v1/stores", headers: [ClientHeader("content-type", "application/json")],
                body: Bytes(#"{"address":"http://127.0.0.1:9"}"#.utf8))
            for _ in 0..<2 { #expect(try await nodes.send(join, at: leader).status == 200) }
            let refusal = try await nodes.send(join, at: leader)
            #expect(refusal.status == 409)
            #expect(refusal.text.contains("DELETE /v1/stores/4"), "\(refusal.text)")
            try await put("k", "v", at: leader, nodes)
            let remove = ClientRequest("DELETE", "/v1/stores/4")
            #expect(try await nodes.send(remove, at: leader).status == 200)
            #expect(try await nodes.send(join, at: leader).status == 200)
            let others = try await nodes.stores(leader).filter { $0.role == "learner" }
            #expect(others.map(\.store).sorted() == ["5", "6"])
        }
    }

    // It had asked and been answered, and had not written down who it is.
    @Test func aJoinerThatDiedIsTheSameStoreAgain() async throws {
        let folder = URL(filePath: NSTemporaryDirectory() + "martlet-join-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let nodes = try await ThreeNodes(in: folder, started: 1)
        for _ in 0..<4 {
            try nodes.start(2, joining: 1, dying: "start.identity")
            #expect(try nodes.awaitEnd(2).status != 0)
        }
        #expect(try await nodes.stores(1).map(\.store) == ["1", "2"])
        try nodes.start(2, joining: 1)
        try await nodes.votes(2, asking: 1)
        #expect(try await nodes.stores(1).map(\.store) == ["1", "2"])
    }

    // Said at once, with what to do: no later try would go better.
    @Test func aJoinerHearsWhoIsInTheWay() async throws {
        let folder = URL(filePath: NSTemporaryDirectory() + "martlet-join-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let nodes = try await ThreeNodes(in: folder, started: 1)
        let join = ClientRequest(
            "POST", "/v1/stores", headers: [ClientHeader("content-type", "application/json")],
            body: Bytes(#"{"address":"http://127.0.0.1:9"}"#.utf8))
        for _ in 0..<2 { #expect(try await nodes.send(join, at: 1).status == 200) }
        let outcome = try Program(
            "serve", "--data-dir", "n4", "--listen", "127.0.0.1:1", "--join", nodes.url(1)
        ).in(folder).run()
        #expect(outcome.status == 69, "\(outcome.messages)")
        let advice = "martlet stores --remove 2 --url \(nodes.url(1))"
        #expect(outcome.messages.contains(advice), "\(outcome.messages)")
        #expect(!outcome.messages.contains("join_waits"), "\(outcome.messages)")
    }

    @Test func aStoreOfAnotherClusterIsRefused() async throws {
        try await withThreeNodes { nodes in
            let port = ["serve", "--data-dir", "other", "--listen", "127.0.0.1:0"]
            let other = try Program(arguments: port).in(nodes.folder).start()
            _ = try #require(other.line(with: "\"event\":\"ready\""), "\(other.messages)")
            other.kill()
            let outcome = try Program(arguments: port + ["--join", nodes.url(1)])
                .in(nodes.folder).run()
            #expect(outcome.status == 78)
            #expect(outcome.messages.contains("wrong_cluster"), "\(outcome.messages)")
        }
    }
}
