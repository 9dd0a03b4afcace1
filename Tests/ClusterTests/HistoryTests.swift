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
    @Test func whatClientsAreToldIsLinearizable() async throws {
        let seed = UInt64.random(in: 0..<UInt64.max)
        try await withThreeNodes { nodes in
            let recorded = try RecordedClients(of: ThreeNodes.all.map { nodes.url($0) })
            try await recorded.beside(6, seed: seed) { try await faults(nodes, recorded) }
            recorded.expectLinearizable(readsAtLeast: 100, seed: seed)
        }
    }

    private func faults(_ nodes: ThreeNodes, _ recorded: RecordedClients) async throws {
        func goOn(_ what: String) async throws { try await recorded.goOn(nodes, what) }
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
