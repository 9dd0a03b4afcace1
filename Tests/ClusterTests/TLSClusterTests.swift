// Stores that talk over TLS: who is one of them, who is not, and certificates that change while
// they serve.
import Base
import Foundation
import Glibc
import HTTP
import ProcessSupport
import Testing

@Suite(.serialized) struct TLSClusterTests {
    /// What all nodes believe is trust.crt, which a test may change.
    private func withThree(
        started count: Int = 3, _ body: (ThreeNodes, TestAuthority) async throws -> Void
    ) async throws {
        let folder = URL(filePath: NSTemporaryDirectory() + "martlet-three-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let authority = try TestAuthority("ca", in: folder)
        try authority.shell("cp ca.crt trust.crt")
        let nodes = try await ThreeNodes(in: folder, started: count, certifiedBy: authority)
        try await body(nodes, authority)
    }

    private static let refused = #"martlet_peer_refused_total{reason="unauthenticated"}"#

    private func messages(_ nodes: ThreeNodes, _ node: Int) -> String {
        nodes.programs[node]?.messages ?? ""
    }

    private func put(_ key: String, at node: Int, _ nodes: ThreeNodes) async throws {
        try await nodes.wait("\(key) to be written at \(node)") {
            try await nodes.put(key, "v", at: node) == 200
        }
    }

    @Test func threeAreOneCluster() async throws {
        try await withThree { nodes, _ in
            let large = String(repeating: "x", count: 1 << 20)
            #expect(try await nodes.put("large", large, at: 3) == 200)
            for node in ThreeNodes.all {
                #expect(try await nodes.get("large", at: node) == large)
            }
            for store in try await nodes.stores(2) {
                #expect(store.address.hasPrefix("https://"), "\(store.address)")
            }
            let leader = try await nodes.leader()
            #expect(try await nodes.metric("martlet_peer_connections", at: leader) == 2)
            try nodes.signal(leader, SIGKILL)
            let others = ThreeNodes.all.filter { $0 != leader }
            try await put("k", at: others[0], nodes)
            try nodes.start(leader)
            try await nodes.wait("the killed one to answer") {
                try await nodes.get("k", at: leader) == "v"
            }
        }
    }

    // More than a log keeps: it comes by a snapshot, on the same connection.
    @Test func aSnapshotGoesOverTLSToo() async throws {
        try await withThree(started: 1) { nodes, _ in
            let value = Bytes(repeating: 0x78, count: 1 << 20)
            for number in 0..<80 {
                let put = ClientRequest("PUT", "/v1/raw/kv/\(number)", body: value)
                try #require(try await nodes.send(put, at: 1).status == 200)
            }
            try await nodes.wait("the log to be cut") {
                try await nodes.metric("martlet_raft_log_entries", at: 1) ?? .max < 40
            }
            try nodes.start(2, joining: 1)
            try await nodes.votes(2, asking: 1)
            let installed = #"martlet_snapshots_total{event="installed"}"#
            #expect(try await nodes.metric(installed, at: 2) == 1)
            let opened = #"martlet_http_connections_opened_total{transport="cleartext"}"#
            for node in 1...2 { #expect(try await nodes.metric(opened, at: node) == 0) }
        }
    }

    // MARK: Who is no store

    @Test func whoShowsNoCertificateIsAClient() async throws {
        try await withThree(started: 1) { nodes, _ in
            let client = nodes.client(1)
            #expect(try await client.send(ClientRequest("GET", "/v1/stores")).status == 200)
            let join = ClientRequest(
                "POST", "/v1/stores", headers: [ClientHeader("content-type", "application/json")],
                body: Bytes(#"{"address":"https://127.0.0.1:9"}"#.utf8))
            for path in ["/v1/peers/stream", "/v1/stores", "/v1/%73tores"] {
                var request = join
                request.target = Bytes(path.utf8)
                let answer = try await client.send(request)
                #expect(answer.status == 403 || path.contains("%"), "\(path): \(answer.text)")
                #expect(answer.status != 200, "\(path): \(answer.text)")
                guard answer.status == 403 else { continue }
                #expect(answer.text.contains("\"code\":\"peer_unauthenticated\""))
                #expect(answer.text.contains("it showed no certificate"), "\(answer.text)")
            }
            #expect(try await nodes.stores(1).count == 1)
            #expect(try await nodes.put("k", "v", at: 1) == 200)
            #expect(try await nodes.get("k", at: 1) == "v")
            let count = try await nodes.metric(Self.refused, at: 1)
            #expect(count ?? 0 >= 2)
            #expect(messages(nodes, 1).contains("\"event\":\"peer_refused\""))
        }
    }

    /// How a node that is to join ends.
    private func join(
        _ nodes: ThreeNodes, _ url: String, _ flags: [String]
    ) throws -> Program.Outcome {
        try Program(
            arguments: [
                "serve", "--data-dir", "other", "--listen", "127.0.0.1:\(nodes.port(3))",
                "--join", url,
            ] + flags
        ).in(nodes.folder).run()
    }

    // It believes only its own, so it ends the handshake: both sides say so.
    @Test func aNodeOfAForeignAuthorityIsRefused() async throws {
        try await withThree(started: 1) { nodes, authority in
            let foreign = try TestAuthority("foreign", in: nodes.folder)
            try foreign.sign("f")
            let outcome = try join(nodes, nodes.url(1), foreign.flags("f"))
            #expect(outcome.status == 69)
            #expect(outcome.messages.contains("join_failed"), "\(outcome.messages)")
            #expect(
                outcome.messages.contains(
                    "its certificate is not accepted (unable to get local issuer certificate)"),
                "\(outcome.messages)")
            try await nodes.wait("the other side to say so") {
                messages(nodes, 1).contains("a client does not accept this node's certificate")
            }
            // And one that believes this cluster, but is not believed.
            try authority.shell("cat ca.crt foreign.crt > both.crt")
            let second = try join(
                nodes, nodes.url(1), foreign.flags("f", believing: authority.path("both.crt")))
            #expect(second.status == 69)
            #expect(
                second.messages.contains("This peer is not believed: its certificate is not"),
                "\(second.messages)")
            let said = messages(nodes, 1)
            #expect(said.contains("client_certificate_rejected"), "\(said)")
            #expect(said.contains("This peer is not believed: its certificate is not"), "\(said)")
            #expect(try await nodes.metric(Self.refused, at: 1) == 1)
            #expect(try await nodes.stores(1).count == 1)
        }
    }

    // Found before a port opens or anybody is asked, but for what only the other side knows.
    @Test func schemesAndFlagsThatDoNotFit() async throws {
        try await withThree(started: 1) { nodes, authority in
            let flags = authority.flags("n3", believing: "trust.crt")
            let inClear = nodes.url(1).replacing("https://", with: "http://")
            for (url, flags, words) in [
                (nodes.url(1), [], "this node has no certificate to show"),
                (inClear, flags, "this node has TLS, and stores talk over TLS"),
                (nodes.url(1), Array(flags.dropLast(2)), "no --peer-ca says who signs"),
                (inClear, [], "it came in clear"),
            ] {
                let outcome = try join(nodes, url, flags)
                #expect(outcome.status == 69)
                #expect(outcome.messages.contains(words), "\(outcome.messages)")
            }
            let elsewhere = try join(
                nodes, nodes.url(1), flags + ["--advertise", "https://10.0.0.9:7171"])
            #expect(elsewhere.status == 77)
            #expect(
                elsewhere.messages.contains("n3.crt is not for 10.0.0.9"),
                "\(elsewhere.messages)")
            let alone = try Program(
                arguments: ["serve", "--data-dir", "clear", "--listen", "127.0.0.1:0"]
            ).in(nodes.folder).start()
            defer { alone.kill() }
            let ready = try #require(alone.line(with: "\"event\":\"ready\""))
            let port = try #require(ready.firstMatch(of: /127.0.0.1:([0-9]+)/)?.1)
            let outcome = try join(nodes, "https://127.0.0.1:\(port)", flags)
            #expect(outcome.status == 69)
            #expect(
                outcome.messages.contains("it speaks plain HTTP and this node TLS"),
                "\(outcome.messages)")
            #expect(alone.messages.contains("This port has no TLS"), "\(alone.messages)")
        }
    }

    // One of three comes back without its certificate, and then without knowing the others'.
    @Test func aStoreThatComesBackInClear() async throws {
        try await withThree { nodes, authority in
            let leader = try await nodes.leader()
            let gone = try #require(ThreeNodes.all.first { $0 != leader })
            try nodes.signal(gone, SIGTERM)
            let half = Array(authority.flags("n\(gone)").dropLast(2))
            let outcome = try Program(
                arguments: [
                    "serve", "--data-dir", "n\(gone)", "--listen",
                    "127.0.0.1:\(nodes.port(gone))",
                ] + half
            ).in(nodes.folder).run()
            #expect(outcome.status == 78)
            #expect(outcome.messages.contains("peer_ca_missing"), "\(outcome.messages)")

            try nodes.start(gone, flags: [])
            try await nodes.wait("both sides to say so") {
                let clear = "it came in clear, and the stores here talk over TLS"
                return messages(nodes, gone).contains(clear)
                    && messages(nodes, leader).contains(clear)
                    && messages(nodes, leader).contains("it talks in clear and this store over TLS")
            }
            #expect(try await nodes.metric(Self.refused, at: leader) ?? 0 > 0)
            try nodes.signal(gone, SIGTERM)
            try nodes.start(gone)
            try await put("k", at: gone, nodes)
        }
    }

    // MARK: Change

    // Authorities overlap while certificates change, and nobody stops for it.
    @Test func certificatesAndAuthoritiesChangeWhileTheyServe() async throws {
        try await withThree { nodes, authority in
            func reload(_ what: String) async throws {
                for node in ThreeNodes.all {
                    let before = messages(nodes, node).count
                    nodes.programs[node]?.send(SIGHUP)
                    try await nodes.wait("\(node) to take \(what)") {
                        messages(nodes, node).dropFirst(before).contains("certificate_replaced")
                    }
                }
                try await put(what, at: 2, nodes)
            }
            let next = try TestAuthority("next", in: nodes.folder)
            try authority.shell("cat ca.crt next.crt > new && mv new trust.crt")
            try await reload("both-authorities")
            for node in ThreeNodes.all { try next.sign("n\(node)") }
            try await reload("certificates")
            try authority.shell("cp next.crt new && mv new trust.crt")
            try await reload("new-authority")
            // Connections that are made now know only the new ones.
            let leader = try await nodes.leader()
            let other = try #require(ThreeNodes.all.first { $0 != leader })
            try nodes.signal(other, SIGTERM)
            try await put("without-one", at: leader, nodes)
            try nodes.start(other)
            try await nodes.wait("it to read what it missed") {
                try await nodes.get("without-one", at: other) == "v"
            }
            #expect(try await nodes.metric("martlet_peer_connections", at: leader) == 2)

            // One with the certificate that it had before: it finds out by itself.
            try authority.sign("old")
            let outcome = try join(
                nodes, nodes.url(leader), authority.flags("old", believing: "trust.crt"))
            #expect(outcome.status == 77)
            #expect(outcome.messages.contains("would not accept it"), "\(outcome.messages)")
        }
    }
}
