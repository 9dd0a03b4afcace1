// Three nodes in network namespaces of their own, cut off from each other in every way that three
// can be, while clients reach all of them: nothing acknowledged is lost, nothing read is stale, and
// the majority goes on.
import Base
import Foundation
import Glibc
import HTTP
import ProcessSupport
import Simulation
import Testing

@Suite(.serialized, .enabled(if: NodeNetwork.isPossible, "network namespaces need root"))
struct PartitionTests {
    private func withNetwork(
        _ body: (ThreeNodes, NodeNetwork) async throws -> Void
    ) async throws {
        let folder = URL(filePath: NSTemporaryDirectory() + "martlet-net-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let network = try NodeNetwork()
        let nodes = try await ThreeNodes(in: folder, on: network)
        try await body(nodes, network)
    }

    // Its lease is over before the others may elect anyone, so it never answers a read by what it
    // has; and what it takes in it cannot acknowledge.
    @Test func aLeaderThatIsCutOffAnswersNothingOld() async throws {
        try await withNetwork { nodes, network in
            let leader = try await nodes.leader()
            let others = ThreeNodes.all.filter { $0 != leader }
            #expect(try await nodes.put("k", "old", at: leader) == 200)
            for other in others { try network.cut(leader, other) }
            try await nodes.wait("the others to write") {
                try await nodes.put("k", "new", at: others[0]) == 200
            }
            let read = try await nodes.send(ClientRequest("GET", "/v1/raw/kv/k"), at: leader)
            #expect(read.status == 503, "\(read.text)")
            let write = try await nodes.put("k", "never", at: leader)
            #expect(write == 503 || write == 504)
            try network.heal()
            try await nodes.wait("the old leader to read what it missed") {
                let read = try await nodes.send(ClientRequest("GET", "/v1/raw/kv/k"), at: leader)
                #expect(read.status != 200 || read.text == "new", "\(read.text)")
                return read.status == 200
            }
        }
    }

    // Pre-vote: who hears of a leader from nobody asks in vain, and deposes nobody.
    @Test func whoIsCutOffFromTheLeaderOnlyDeposesNobody() async throws {
        try await withNetwork { nodes, network in
            let leader = try await nodes.leader()
            let others = ThreeNodes.all.filter { $0 != leader }
            try network.cut(leader, others[0])
            let changes = try await nodes.metric("martlet_raft_leader_changes_total", at: leader)
            try await nodes.wait("store \(others[0]) to have asked in vain") {
                let asks = #"martlet_raft_regions{role="pre_candidate"}"#
                return try await nodes.metric(asks, at: others[0]) == 1
            }
            for number in 0..<20 {
                #expect(try await nodes.put("n\(number)", "x", at: others[1]) == 200)
            }
            #expect(
                try await nodes.metric("martlet_raft_leader_changes_total", at: leader) == changes)
            try network.heal()
            try await nodes.wait("store \(others[0]) to read what it missed") {
                try await nodes.get("n19", at: others[0]) == "x"
            }
        }
    }

    @Test func whatClientsAreToldIsLinearizable() async throws {
        let seed = UInt64.random(in: 0..<UInt64.max)
        try await withNetwork { nodes, network in
            let recorded = try RecordedClients(of: ThreeNodes.all.map { nodes.url($0) })
            try await recorded.beside(6, seed: seed) {
                try await partitions(nodes, network, recorded)
            }
            recorded.expectLinearizable(readsAtLeast: 50, seed: seed)
        }
    }

    private func partitions(
        _ nodes: ThreeNodes, _ network: NodeNetwork, _ recorded: RecordedClients
    ) async throws {
        try await recorded.goOn(nodes, "before anything is cut")
        func both(_ one: Int, _ other: Int) -> [(Int, Int)] { [(one, other), (other, one)] }
        // Who is no longer heard by whom, of the leader and the two others.
        let cuts: [(String, (Int, Int, Int) -> [(Int, Int)])] = [
            ("the leader", { both($0, $1) + both($0, $2) }),
            ("a follower", { both($0, $1) + both($1, $2) }),
            ("the leader and a follower from each other", { leader, one, _ in both(leader, one) }),
            ("the followers from each other", { _, one, other in both(one, other) }),
            ("what the leader says", { [($0, $1), ($0, $2)] }),
            ("what the leader hears", { [($1, $0), ($2, $0)] }),
        ]
        for (what, cut) in cuts {
            let leader = try await nodes.leader()
            let others = ThreeNodes.all.filter { $0 != leader }
            for (from, to) in cut(leader, others[0], others[1]) {
                try network.cut(from: from, to: to)
            }
            try await recorded.goOn(nodes, "without \(what)")
            try network.heal()
            try await recorded.goOn(nodes, "after \(what) was cut off")
        }
        for (one, other) in [(1, 2), (1, 3), (2, 3)] { try network.cut(one, other) }
        try await nodes.wait("nobody to lead") {
            try await nodes.send(ClientRequest("PUT", "/v1/raw/kv/other"), at: 1).status != 200
        }
        try network.heal()
        try await recorded.goOn(nodes, "after all were cut off from each other")
    }
}
