// What real clients are told by three real nodes while these are killed, paused, stopped and
// restarted is linearizable key by key: there is an order in which every answer is right. What was
// acknowledged and is gone, or was read and is stale, has no such order.
import Base
import Foundation
import Glibc
import HTTP
import ProcessSupport
import Simulation
import Testing

@Suite(.serialized) struct HistoryTests {
    private static let clients = 6
    /// Acknowledged writes between two faults.
    private static let progress = 60

    @Test func whatClientsAreToldIsLinearizable() async throws {
        let seed = UInt64.random(in: 0..<UInt64.max)
        try await withThreeNodes { nodes in
            let recorded = try RecordedClients(of: ThreeNodes.all.map { nodes.url($0) })
            try await withThrowingTaskGroup(of: Void.self) { group in
                defer { recorded.stop() }
                for client in 0..<Self.clients {
                    group.addTask { await recorded.run(client, seed: seed) }
                }
                try await faults(nodes, recorded)
                recorded.stop()
            }
            let calls = recorded.calls
            let (violations, undecided) = HistoryCheckers(calls: calls).violations()
            // The others go by an order of effects that is known in a simulation only.
            let bad = violations.filter {
                $0.checker == .linearizability || $0.checker == .atomicity
            }
            #expect(bad.isEmpty, "clients' seed \(seed)\n\(bad)")
            #expect(undecided == 0, "too much was going on for the search")
            let reads = calls.count { if case .read = $0.answer { true } else { false } }
            #expect(reads > Self.progress, "\(calls.count) calls")
        }
    }

    private func faults(_ nodes: ThreeNodes, _ recorded: RecordedClients) async throws {
        func goOn(_ what: String) async throws {
            let before = recorded.acknowledged
            try await nodes.wait("writes \(what)") {
                recorded.acknowledged >= before + Self.progress
            }
        }
        try await goOn("before anything happens")
        for signal in [SIGKILL, SIGTERM] {
            for strikesLeader in [true, false] {
                let leader = try await nodes.leader()
                let victim = try #require(
                    ThreeNodes.all.first { ($0 == leader) == strikesLeader })
                try nodes.signal(victim, signal)
                try await goOn("without store \(victim)")
                try nodes.start(victim)
                try await goOn("with store \(victim) again")
            }
        }
        for _ in 0..<2 {
            let leader = try await nodes.leader()
            try nodes.signal(leader, SIGSTOP)
            try await goOn("while store \(leader) is paused")
            try nodes.signal(leader, SIGCONT)
            try await goOn("after store \(leader) was paused")
        }
        for node in ThreeNodes.all { try nodes.signal(node, SIGKILL) }
        for node in ThreeNodes.all { try nodes.start(node) }
        try await goOn("after all were killed")
    }
}
