// A node as a program: ready means ready, the data verbs, signals, certificates, what is logged.
import Foundation
import ProcessSupport
import Testing

@Suite struct ServeTests {
    private func run(_ url: String, _ arguments: String...) throws -> Program.Outcome {
        try Program(arguments: arguments + ["--url", url]).run()
    }

    @Test func readyMeansReady() throws {
        try withNode { (node, url, _) throws in
            #expect(try Program("healthcheck", url).run().status == 0)
            #expect(try Program("status", url).run().status == 0)
            #expect(try Program("status", url, "--json").run().text.hasPrefix("{"))
            #expect(node.output.isEmpty)
        }
    }

    @Test func theDataVerbs() throws {
        try RecordedNode.run { recorded in
            let url = recorded.url
            #expect(try run(url, "get", "a").status == 1)
            #expect(try run(url, "put", "a", "1").status == 0)
            let one = try run(url, "get", "a")
            #expect(one.status == 0 && one.text == "1", "no newline in a pipe")
            #expect(try run(url, "put", "a", "2", "--if-absent").status == 1)
            let binary = Data((0...255).map { UInt8($0) })
            #expect(
                try Program("put", "a/../b", "--url", url).reading(binary).run().status == 0)
            #expect(try run(url, "get", "a/../b").output == binary)
            #expect(
                try run(url, "get", "--base64", Data("a/../b".utf8).base64EncodedString()).text
                    == binary.base64EncodedString() + "\n")
            let file = recorded.folder.appending(path: "value")
            #expect(try run(url, "get", "a/../b", "--file", file.path).output.isEmpty)
            #expect(try Data(contentsOf: file) == binary)
            #expect(try run(url, "get", "none", "--file", file.path).status == 1)
            #expect(try Data(contentsOf: file) == binary, "a file without a value stays")
            #expect(try run(url, "get", "a", "-o", "x").status == 64)
            let link = recorded.folder.appending(path: "link").path
            try Data().write(to: recorded.folder.appending(path: "target"))
            try FileManager.default.createSymbolicLink(
                atPath: link, withDestinationPath: "target")
            #expect(try run(url, "get", "a", "--file", link).status == 0)
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == "target")
            #expect(try run(url, "get", "a", "--file", "/dev/null/x").status == 64)
            #expect(try run(url, "put", "--base64", "/w==", "AAA=").status == 0)
            #expect(try run(url, "scan", "a", "--keys").text == "a\na/../b\n")
            #expect(try run(url, "scan", "--limit", "1").text == "a\t1\n")
            #expect(
                try run(url, "scan", "--reverse", "--limit", "1").text == "\\xff\t\\u0000\\u0000\n")
            #expect(
                try run(url, "scan", "--base64", "--reverse", "--limit", "1").text == "/w==\tAAA=\n"
            )
            #expect(try run(url, "scan", "--start", "a", "--end", "b").text.hasPrefix("a\t1\n"))
            #expect(
                try run(url, "scan", "a", "--limit", "1", "-o", "yaml").text
                    .hasPrefix("entries:\n  - key: \"a\"\n    value: \"1\"\nnext_cursor: \""))
            let page = try run(url, "scan", "--json", "--limit", "1")
            #expect(page.text.hasPrefix("{\"entries\":[{\"key\":\"a\",\"value\":\"1\""))
            let tag = try #require(entityTag(try run(url, "get", "a", "--json").output))
            #expect(try run(url, "delete", "a", "--if-etag", "0" + tag).status == 1)
            #expect(try run(url, "delete", "a", "--if-etag", tag).status == 0)
            #expect(
                try run(url, "delete", "--prefix", "a", "--dry-run").text
                    == "1 key would be removed\n")
            #expect(try run(url, "delete", "--prefix", "a", "--yes").text == "1 key removed\n")
            #expect(try run(url, "scan", "a").text == "")
            let short = try run(url, "put", "t", "v", "--ttl", "1h", "--json")
            #expect(short.text.contains("expires_at") || short.text.contains("etag"))
            #expect(try run(url, "get", "t", "--json").text.contains("expires_at"))
        }
    }

    private func entityTag(_ entry: Data) throws -> String? {
        (try JSONSerialization.jsonObject(with: entry) as? [String: Any])?["etag"] as? String
    }

    @Test func aLongScanGoesOverPages() throws {
        try withNode { (_, url, _) throws in
            for index in 0..<3 { #expect(try run(url, "put", "k\(index)", "v").status == 0) }
            #expect(try run(url, "scan", "--limit", "2").text == "k0\tv\nk1\tv\n")
            #expect(try run(url, "scan", "k").text.split(separator: "\n").count == 3)
        }
    }

    @Test(arguments: [SIGTERM, SIGINT])
    func aSignalDrains(signal: Int32) throws {
        try withNode { (node, url, _) throws in
            #expect(try run(url, "put", "a", "1").status == 0)
            node.send(signal)
            let outcome = try #require(node.wait(.seconds(20)))
            #expect(outcome.status == 0)
            #expect(outcome.messages.contains("\"event\":\"draining\""))
            #expect(outcome.messages.contains("\"event\":\"stopped\""))
        }
    }

    @Test func aSecondSignalEndsAtOnce() throws {
        try withNode { (node, url, _) throws in
            // An answer that nobody reads keeps the drain waiting.
            let large = Data(repeating: 0x61, count: 4 << 20)
            #expect(try Program("put", "a", "--url", url).reading(large).run().status == 0)
            let port = try #require(URL(string: url)?.port)
            let client = try ClientSocket(port: UInt16(port))
            client.send("GET /v1/raw/kv/a HTTP/1.1\r\nHost: localhost\r\n\r\n")
            #expect(client.receiveSome().hasPrefix("HTTP/1.1 200"))
            node.send(SIGTERM)
            try #require(node.line(with: "\"event\":\"draining\"") != nil)
            #expect(node.isRunning)
            node.send(SIGTERM)
            let outcome = try #require(node.wait(.seconds(20)))
            #expect(outcome.signal == SIGTERM)
            #expect(!outcome.messages.contains("\"event\":\"stopped\""))
            withExtendedLifetime(client) {}
        }
    }

    @Test func keysAndValuesStayOutOfTheLog() throws {
        try withNode("--log-level", "trace") { (node, url, _) throws in
            #expect(try run(url, "put", "planted-key", "planted-value").status == 0)
            #expect(try run(url, "get", "planted-key").text == "planted-value")
            #expect(try run(url, "scan", "planted-").status == 0)
            #expect(try run(url, "get", "planted-key-too").status == 1)
            #expect(try run(url, "put", "planted-key", "planted-value", "--if-absent").status == 1)
            node.send(SIGTERM)
            let messages = try #require(node.wait(.seconds(20))).messages
            #expect(!messages.contains("planted"), "\(messages)")
            for line in messages.split(separator: "\n") {
                #expect(throws: Never.self) {
                    try JSONSerialization.jsonObject(with: Data(line.utf8))
                }
            }
        }
    }

    @Test func tlsAndANewCertificate() throws {
        try withFolder { folder in
            let first = try TestCertificate(in: folder)
            let node = try Program(
                "serve", "--data-dir", "data", "--listen", "127.0.0.1:0", "--tls-cert", "node.crt",
                "--tls-key", "node.key"
            ).in(folder).start()
            defer { node.kill() }
            let line = try #require(node.line(with: "\"event\":\"ready\""), "\(node.messages)")
            let ready = try #require(
                JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            let url = try #require(ready["base"] as? String)
            #expect(url.hasPrefix("https://127.0.0.1:"))
            #expect(try run(url, "put", "a", "1").status == 77, "nobody trusts it yet")
            #expect(try run(url, "put", "a", "1", "--tls-ca", first.certificate).status == 0)
            // New files, then the signal.
            try FileManager.default.moveItem(
                atPath: first.certificate, toPath: folder.appending(path: "first.crt").path)
            let second = try TestCertificate(in: folder, to: "20981231235959Z")
            node.send(SIGHUP)
            #expect(node.line(with: "certificate_replaced") != nil, "\(node.messages)")
            #expect(try run(url, "get", "a", "--tls-ca", second.certificate).text == "1")
            let metrics = try Tool.curl("--cacert", second.certificate, "\(url)/metrics").text
            let end = "martlet_certificate_expiry_timestamp_seconds{use=\"node\"} 4070908799\n"
            #expect(metrics.contains(end))
            // A broken file changes nothing.
            try Data("nonsense".utf8).write(to: URL(filePath: second.key))
            node.send(SIGHUP)
            #expect(node.line(with: "certificate_kept") != nil, "\(node.messages)")
            #expect(try run(url, "get", "a", "--tls-ca", second.certificate).text == "1")
        }
    }

    /// The address that it listens on, also if the certificate is for other names.
    @Test func theBaseCanBeConnectedTo() throws {
        try withFolder { folder in
            let pair = try TestCertificate(in: folder)
            let node = try Program(
                "serve", "--data-dir", "data", "--listen", "127.0.0.2:0", "--tls-cert",
                pair.certificate, "--tls-key", pair.key
            ).in(folder).start()
            defer { node.kill() }
            let line = try #require(node.line(with: "\"event\":\"ready\""), "\(node.messages)")
            #expect(line.contains("\"base\":\"https://127.0.0.2:"), "\(line)")
            #expect(line.contains("\"certificate_names\":\"localhost,127.0.0.1\""), "\(line)")
        }
    }

    @Test func fewFileDescriptorsAreAWarning() throws {
        try withFolder { folder in
            var program = Program(
                "-c",
                "ulimit -n 300 && exec \"$0\" serve --listen 127.0.0.1:0 --log-format text",
                Program.binary.path)
            program.executable = URL(filePath: "/bin/sh")
            let node = try program.in(folder).start()
            defer { node.kill() }
            #expect(node.line(with: "event=ready") != nil, "\(node.messages)")
            #expect(
                node.messages.hasPrefix(
                    """
                    warning[few_file_descriptors]: the limit of open files is 300; 54 of 20000 \
                    connections and 182 table files fit
                         try: LimitNOFILE=65536 in the unit, or docker run --ulimit \
                    nofile=65536   # the hard limit; in a shell only root can: ulimit -n 65536

                    """), "\(node.messages)")
        }
    }

    /// Fewer than its databases need would end it in the middle of a flush.
    @Test func tooFewFileDescriptorsRefuseTheStart() throws {
        try withFolder { folder in
            for (limit, starts) in [(175, false), (176, true)] {
                var program = Program(
                    "-c",
                    "ulimit -n \(limit) && exec \"$0\" doctor --listen 127.0.0.1:0 --json",
                    Program.binary.path)
                program.executable = URL(filePath: "/bin/sh")
                let outcome = try program.in(folder).run()
                #expect(outcome.status == (starts ? 0 : 1), "\(outcome.text)")
                let refusal = "the limit of open files is \(limit), a node needs 176"
                #expect(outcome.text.contains(refusal) == !starts, "\(outcome.text)")
            }
        }
    }

    /// The log of the store meets the largest size that a file may have: the write fails, whoever
    /// waited is told that the outcome is unknown, and the node ends with the status of the disk.
    @Test func aFailedStoreEndsTheNode() throws {
        try withFolder { folder in
            var program = Program(
                "-c",
                """
                trap '' XFSZ; ulimit -f 4096
                exec "$0" serve --listen 127.0.0.1:0 --log-format json
                """,
                Program.binary.path)
            program.executable = URL(filePath: "/bin/sh")
            let node = try program.in(folder).start()
            defer { node.kill() }
            let line = try #require(node.line(with: "\"event\":\"ready\""), "\(node.messages)")
            let ready = try #require(
                JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            let url = try #require(ready["base"] as? String)
            #expect(try run(url, "put", "kept", "1").status == 0)
            let large = Data(repeating: 0x61, count: 3 << 20)
            let put = try Program("put", "a", "--url", url).reading(large).run()
            #expect(put.status == 76, "\(put.messages)")
            let outcome = try #require(node.wait(.seconds(20)), "\(node.messages)")
            #expect(outcome.status == 74, "\(outcome)")
            #expect(outcome.messages.contains("\"event\":\"store_failed\""))
            #expect(outcome.messages.contains("dmesg"))
            #expect(!outcome.messages.contains("\"event\":\"stopped\""))

            let again = try Program(
                "serve", "--listen", "127.0.0.1:0", "--log-format", "json"
            ).in(folder).start()
            defer { again.kill() }
            let next = try #require(again.line(with: "\"event\":\"ready\""), "\(again.messages)")
            let object = try JSONSerialization.jsonObject(with: Data(next.utf8))
            let base = try #require((object as? [String: Any])?["base"] as? String)
            #expect(try run(base, "get", "kept").text == "1")
        }
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/script")))
    func aTerminalGetsABanner() throws {
        try withFolder { folder in
            var program = Program(
                "-qfec", "\(Program.binary.path) serve --listen 127.0.0.1:0", "/dev/null")
            program.executable = URL(filePath: "/usr/bin/script")
            let terminal = try program.in(folder).start()
            defer { terminal.kill() }
            let isDone = poll(.seconds(20)) {
                String(decoding: terminal.output, as: UTF8.self).contains("Ctrl-C stops it.")
            }
            let text = String(decoding: terminal.output, as: UTF8.self)
            #expect(isDone, "\(text)")
            let lines = text.split(separator: "\r\n")
            let start = try #require(lines.firstIndex { $0.hasPrefix("Martlet 0.1.0 ") })
            #expect(lines.count - start <= 12)
            #expect(lines[start + 1].contains("/martlet-data    new (created now)"))
            #expect(lines[start + 3].contains("http://127.0.0.1:"))
            #expect(lines.contains { $0.contains("curl -X PUT http://127.0.0.1:") })
            #expect(!text.contains("\u{1B}["))
            // The terminal goes away, and the node with it.
            terminal.kill()
            #expect(!terminal.isRunning)
        }
    }
}
