// Faults in a real node, at each failpoint that there is: what a client is told, what the log says,
// and what a restart finds.
import Failpoints
import Foundation
import ProcessSupport
import Testing

@Suite struct FailpointTests {
    private func withNode(
        _ failpoints: String = "", _ arguments: String..., body: (FaultyNode) throws -> Void
    ) throws {
        try withFolder { folder in
            let node = try FaultyNode(in: folder, failpoints: failpoints)
            defer { node.program.kill() }
            try body(node)
        }
    }

    // MARK: The switch

    @Test func theyAreServedOnlyIfAskedFor() throws {
        try withFolder { folder in
            let node = try Program("serve", "--data-dir", "data", "--listen", "127.0.0.1:0")
                .with("MARTLET_FAILPOINTS", "shard.write=1*return(overloaded)").in(folder).start()
            defer { node.kill() }
            let line = try #require(node.line(with: "\"event\":\"ready\""), "\(node.messages)")
            #expect(node.messages.contains("failpoints can make this node fail on purpose"))
            let base = try #require(line.firstMatch(of: /"base":"([^"]+)"/)).1
            for method in ["GET", "PUT", "DELETE"] {
                let answer = try Tool.curl(
                    "-X", method, "\(base)/v1/debug/failpoints/no.matter"
                ).text
                #expect(answer.contains(#""code":"route_not_found""#), "\(answer)")
                #expect(answer.contains("it would with --enable-failpoints"), "\(answer)")
            }
            // What was set by the environment holds all the same.
            func put() throws -> String {
                try Tool.curl("-X", "PUT", "-d", "v", "\(base)/v1/raw/kv/k").text
            }
            #expect(try put().contains("overloaded"))
            #expect(try !put().contains("overloaded"))
        }
    }

    @Test func aWrongOneIsToldBeforeTheStart() throws {
        try withFolder { folder in
            let outcome = try Program("serve", "--data-dir", "data", "--log-format", "text")
                .with("MARTLET_FAILPOINTS", "log.snyc=panic").in(folder).run()
            #expect(outcome.status == 78)
            #expect(
                outcome.messages == """
                    error[configuration_invalid]: MARTLET_FAILPOINTS is "log.snyc=panic", and must \
                    be name=actions;name=actions: at byte 0, "log.snyc": there is no such \
                    failpoint; did you mean log.sync?
                         try: export MARTLET_FAILPOINTS='log.sync=1*sleep(100)'

                    """)
        }
    }

    @Test func theyAreSetShownAndClearedWhileItRuns() throws {
        try withNode { node in
            try node.set("shard.write", "1*return(overloaded)->2*off->50%return")
            let shown = try #require(try node.ask("GET", "/v1/debug/failpoints/shard.write"))
            #expect(
                shown.member("actions") as? String
                    == "1*return(overloaded)->2*off->50%return(overloaded)")
            #expect(try node.put("k", "v")?.code == "overloaded")
            let metrics = try #require(try node.ask("GET", "/metrics")).body
            #expect(metrics.contains("\nmartlet_failpoints_enabled 1\n"))
            let list = try #require(try node.ask("GET", "/v1/debug/failpoints"))
            let entries = try #require(list.member("failpoints") as? [[String: Any]])
            #expect(entries.compactMap { $0["name"] as? String } == Failpoint.allCases.map(\.name))
            #expect(entries.compactMap { $0["actions"] as? String }.count == 1)
            try node.clear()
            #expect(try node.put("k", "v")?.status == 200)
        }
    }

    @Test func mistakesAreToldWhereTheyAre() throws {
        try withNode { node in
            let unknown = try node.ask("GET", "/v1/debug/failpoints/log.synk")
            #expect(unknown?.status == 404 && unknown?.code == "route_not_found")
            #expect(unknown?.body.contains("did you mean log.sync?") == true)
            for (body, place) in [
                (#"{"actions":"5*slep(1)"}"#, #"at byte 2, \"slep(1)\": an action is one of"#),
                (#"{"actions":"pause"}"#, "stands on an event loop"),
                (#"{"actions":1}"#, "Must be a string"),
                ("{}", "Required"),
            ] {
                let answer = try node.ask(
                    "PUT", "/v1/debug/failpoints/http.answer", "--json", body)
                #expect(answer?.code == "invalid_argument" && answer?.status == 400)
                #expect(answer?.body.contains(place) == true, "\(answer?.body ?? "")")
            }
        }
    }

    // MARK: Before the store

    @Test func theGatewayRefusesAsTold() throws {
        try withNode { node in
            for fault in Failpoint.gatewayAdmit.faults {
                try node.set("gateway.admit", "return(\(fault.rawValue))")
                #expect(try node.put("k", "v")?.code == fault.rawValue)
                #expect(try node.ask("GET", "/metrics")?.code == fault.rawValue)
            }
            // Its own path is the way out.
            try node.clear("gateway.admit")
            #expect(try node.value("k") == nil, "nothing that was refused is written")
        }
    }

    @Test func shardsRefuseAsTold() throws {
        try withNode { node in
            #expect(try node.put("k", "v")?.status == 200)
            for fault in Failpoint.shardWrite.faults {
                try node.set("shard.write", "return(\(fault.rawValue))")
                #expect(try node.put("k", "w")?.code == fault.rawValue)
                #expect(try node.value("k") == "v")
            }
            try node.clear()
            for fault in Failpoint.shardRead.faults {
                // Without a leader a gateway asks again: once refused would not show.
                let program = fault == .noLeader ? "return" : "1*return"
                try node.set("shard.read", "\(program)(\(fault.rawValue))")
                let code = fault == .unreadable ? "internal" : fault.rawValue
                #expect(try node.ask("GET", "/v1/raw/kv/k")?.code == code)
                try node.clear("shard.read")
                #expect(try node.value("k") == "v")
            }
            // An election that is over within seconds is not the client's matter.
            try node.set("shard.write", "1*return(no_leader)")
            #expect(try node.put("k", "x")?.status == 200)
            #expect(try node.value("k") == "x")
        }
    }

    @Test(arguments: ["--http1.1", "--http2-prior-knowledge"])
    func headsAndBodiesAreRefused(version: String) throws {
        try withNode { node in
            for point in ["http.head", "http.body"] {
                try node.set(point, "1*return")
                // Refused by its head, a stream is reset behind its answer; curl 7.88 forgets the
                // answer if that meets it while it sends a body.
                let answer =
                    point == "http.head"
                    ? try node.ask("GET", "/v1/raw/kv/k", version)
                    : try node.put("k", "v", version)
                #expect(answer?.status == 429 && answer?.code == "overloaded", "\(point)")
                #expect(try node.put("k", "v", version)?.status == 200)
            }
        }
    }

    @Test func codingsFail() throws {
        try withNode { node in
            let gzip = ["-H", "Accept-Encoding: gzip"]
            try node.set("http.deflate", "1*return(kept)")
            #expect(try node.ask("GET", "/openapi.yaml", gzip)?.body.hasPrefix("#") == true)
            #expect(try node.ask("GET", "/openapi.yaml", gzip)?.body.hasPrefix("#") == false)
            try node.set("http.inflate", "1*return")
            #expect(try node.batchInGzip()?.code == "overloaded")
            #expect(try node.batchInGzip()?.status == 200)
        }
    }

    @Test func anUpgradeFails() throws {
        try withNode { node in
            try node.set("http.upgrade", "1*return(closed)")
            #expect(try node.ask("GET", "/livez", "--http2") == nil)
            #expect(try node.ask("GET", "/livez", "--http2")?.status == 200)
        }
    }

    /// What the client cannot know: with `http.answer` and `http.send` the write has happened.
    @Test(arguments: [
        ("accept.connection", false), ("http.receive", false), ("http.answer", true),
        ("http.send", true),
    ])
    func connectionsEndWithoutAnAnswer(name: String, isWritten: Bool) throws {
        try withNode { node in
            // Its own answer passes first, where it stands behind the point.
            try node.set(name, isWritten ? "1*off->1*return(closed)" : "1*return(closed)")
            #expect(try node.put("k", "v") == nil)
            #expect(try node.value("k") == (isWritten ? "v" : nil))
        }
    }

    @Test func aLoopThatSleepsHoldsUpItsConnections() throws {
        try withFolder { folder in
            let node = try FaultyNode(in: folder, "--cores", "1")
            defer { node.program.kill() }
            try node.set("core.inbox", "1*sleep(400)")
            let start = ContinuousClock.now
            #expect(try node.put("k", "v")?.status == 200)
            #expect(try node.value("k") == "v")
            #expect(ContinuousClock.now - start >= .milliseconds(400))
        }
    }

    @Test func handshakesAndReloadsFail() throws {
        try withFolder { folder in
            let files = try TestCertificate(in: folder)
            let node = try FaultyNode(
                in: folder, failpoints: "tls.handshake=1*return;tls.reload=1*return", "--tls-cert",
                files.certificate, "--tls-key", files.key)
            defer { node.program.kill() }
            let secure = node.url.replacing("http:", with: "https:") + "/livez"
            #expect(try node.ask("GET", secure, "-k") == nil)
            #expect(try node.ask("GET", secure, "-k")?.status == 200)
            node.program.send(SIGHUP)
            let kept = node.program.line(with: "the new certificate cannot be used")
            #expect(kept?.contains("the failpoint tls.reload") == true)
            #expect(try node.ask("GET", secure, "-k")?.status == 200)
        }
    }

    @Test func aLineOfTheAccessLogIsLost() throws {
        try withFolder { folder in
            let node = try FaultyNode(
                in: folder, failpoints: "access.write=1*return", "--log-level", "debug")
            defer { node.program.kill() }
            _ = try node.ask("GET", "/livez")
            _ = try node.ask("GET", "/readyz")
            #expect(node.program.line(with: "\"route\":\"/readyz\"") != nil)
            #expect(!node.program.messages.contains("\"route\":\"/livez\""))
        }
    }

    @Test func scrapesAreSlowOrIncomplete() throws {
        try withNode { node in
            try node.set("metrics.collect", "1*return->pause")
            let partial = try #require(try node.ask("GET", "/metrics"))
            #expect(partial.status == 200 && !partial.body.contains("\nmartlet_engine_"))
            let late = try node.ask("GET", "/metrics", "-H", "Request-Timeout: 0.1")
            #expect(late?.status == 504 && late?.code == "deadline_exceeded")
            try node.clear()
            #expect(try node.ask("GET", "/metrics")?.body.contains("\nmartlet_engine_") == true)
        }
    }
}
