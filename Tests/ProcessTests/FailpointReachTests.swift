// Every failpoint there is, reached in a real node that does a bit of everything and lives twice.
//
// Each is set to `print`, so that the log says which were reached. Four are left to
// `CompactionTests` of the runtime: of itself a node flushes and compacts only when much was
// written.
import Failpoints
import Foundation
import ProcessSupport
import Testing

@Suite struct FailpointReachTests {
    /// Those of snapshots are reached by the tests of three nodes.
    private static let onDemand: Set<String> = [
        "flush.begin", "flush.done", "compaction.begin", "compaction.expired", "snapshot.wanted",
        "snapshot.read", "snapshot.arrived", "snapshot.whole", "snapshot.marked",
        "snapshot.cleared", "snapshot.taken",
    ]

    @Test func everyPointIsReached() throws {
        try withFolder { folder in
            let files = try TestCertificate(in: folder)
            let all = Failpoint.allCases.map { "\($0.name)=print" }.joined(separator: ";")
            func start() throws -> FaultyNode {
                try FaultyNode(
                    in: folder, failpoints: all, "--tls-cert", files.certificate, "--tls-key",
                    files.key, "--log-level", "debug", "--cores", "2")
            }
            let first = try start()
            defer { first.program.kill() }
            try work(first)
            try leave(first)
            first.program.send(SIGTERM)
            let ended = first.program.wait(.seconds(20))
            #expect(ended?.status == 0, "\(first.program.messages.suffix(2000))")

            // The first one's data went to disk when it closed, so that the log can be cut.
            let second = try start()
            defer { second.program.kill() }
            try second.waitForHit(of: "log.cut")
            try second.set("data.write", "return")
            #expect(try second.put("k", "w")?.code == "outcome_unknown")
            #expect(second.program.wait(.seconds(20))?.status == 74)
            let reached = first.reached.union(second.reached)
            #expect(Set(Failpoint.allCases.map(\.name)).subtracting(reached) == Self.onDemand)
        }
    }

    private func work(_ node: FaultyNode) throws {
        // Connections go to the cores in turn, and one core has the shard.
        for _ in 0..<4 { #expect(try node.put("k", "v")?.status == 200) }
        #expect(try node.value("k") == "v")
        #expect(try node.ask("GET", "/livez", "--http2")?.status == 200)
        #expect(try node.batchInGzip()?.status == 200)
        #expect(try node.ask("GET", "/openapi.yaml", "-H", "Accept-Encoding: gzip")?.status == 200)
        let secure = node.url.replacing("http:", with: "https:")
        #expect(try node.ask("GET", secure + "/v1/raw/kv/k", "-k")?.body == "v")
        let scans = #"{"ops":[{"op":"scan","limit":1000},{"op":"scan","limit":1000}]}"#
        #expect(try node.ask("POST", "/v1/raw/batch", "--json", scans)?.status == 200)
        #expect(try node.ask("GET", "/metrics")?.status == 200)
        node.program.send(SIGHUP)
        #expect(node.program.line(with: "certificate_kept") != nil)
        for name in ["disk.reclaim", "disk.flushed", "core.deadline"] {
            try node.waitForHit(of: name)
        }
    }

    /// A client that does not wait for its answer. In HTTP/1.1 one that has gone looks like one
    /// that only has nothing more to ask.
    private func leave(_ node: FaultyNode) throws {
        try node.set("read.begin", "pause")
        let before = try node.hits(of: "read.begin")
        let version = ["--http2-prior-knowledge"]
        let count = try node.curl("GET", "/v1/raw/count", version).start()
        defer { count.kill() }
        try node.waitForHit(of: "read.begin", after: before)
        count.send(SIGKILL)
        try node.waitForHit(of: "gateway.cancel")
        try node.waitForHit(of: "read.stop")
        try node.clear("read.begin")
    }
}
