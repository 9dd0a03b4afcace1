// Commands that ask a running node, and what a build says of itself wherever it is asked.
import Foundation
import ProcessSupport
import Testing

@Suite struct NodeCommandTests {
    @Test func theRevisionIsTheSameEverywhere() throws {
        try withNode { _, url, _ in
            let version = try Self.object(Program("version", "--json").run().output)
            let revision = try #require(version["revision"] as? String)
            // The Makefile tells the build and, by the environment, this test.
            let told = ProcessInfo.processInfo.environment["BUILD_REVISION"] ?? ""
            #expect(revision == (told.isEmpty ? "unknown" : told))
            let status = try Self.object(Program("status", url, "--json").run().output)
            #expect(status["revision"] as? String == revision)
            let metrics = try Tool.curl("\(url)/metrics").text
            #expect(metrics.contains("revision=\"\(revision)\""))
            let sentence = try Program("--version").run().text
            try #expect(sentence == Program("version").run().text)
            #expect(told.isEmpty || sentence.contains("commit \(revision)"))
        }
    }

    // Told before the start, at it, and by the node that runs: one number, and the cache is in it.
    @Test func memoryIsBoundedAsToldEverywhere() throws {
        try withNode("--cache-size", "64MiB") { node, url, folder in
            let line = try #require(node.line(with: "\"event\":\"ready\""))
            let ready = try Self.object(Data(line.utf8))
            let bound = try #require(ready["memory_bound_bytes"] as? Int)
            #expect(bound > 64 << 20)
            let status = try Self.object(Program("status", url, "--json").run().output)
            let store = try #require(status["store"] as? [String: Any])
            #expect(store["memory_bound_bytes"] as? Int == bound)
            let metrics = try Tool.curl("\(url)/metrics").text
            #expect(metrics.contains("\nmartlet_engine_memory_bound_bytes \(bound)\n"))
            let table = try Program("status", url).run().text
            let row = try #require(
                table.components(separatedBy: "\n").first {
                    $0.hasPrefix("store.memory_bound_bytes\t\(bound) (")
                }, "\(table)")
            let size = try #require(row.firstMatch(of: /\((.+)\)/)).1
            let doctor = Program("doctor", "--cache-size", "64MiB", "--listen", "127.0.0.1:0")
            let text = try doctor.in(folder).run().text
            #expect(text.contains("memory       the store stays below \(size) of the "), "\(text)")
            let larger = try Program("doctor", "--cache-size", "65MiB").in(folder).run().text
            #expect(!larger.contains("below \(size) of the "), "the cache counts: \(larger)")
        }
    }

    @Test func moreMemoryThanThereIsIsAWarning() throws {
        let outcome = try Program("doctor", "--cache-size", "100TiB", "--listen", "127.0.0.1:0")
            .in(FileManager.default.temporaryDirectory).run()
        #expect(outcome.text.contains("[memory_exceeded]\n"), "\(outcome.text)")
        #expect(outcome.text.contains("try: martlet serve --listen 127.0.0.1:0 --cache-size "))
    }

    @Test func healthIsJSONIfAsked() throws {
        try withNode { _, url, _ in
            let outcome = try Program("healthcheck", url, "--json").run()
            #expect(outcome.status == 0 && outcome.text == "{\"ready\":true}\n")
            try #expect(Program("healthcheck", url).run().text == "ready\n")
        }
    }

    /// An option set at the wrong level of a socket is one that only root may set: as TCP_NODELAY
    /// was, which at the level of sockets is SO_DEBUG.
    @Test func aClientNeedsNoPrivileges() throws {
        try withNode { _, url, _ in
            var program = Program("healthcheck", url)
            if geteuid() == 0 {
                let drop = ["--bounding-set=-all", "--inh-caps=-all", Program.binary.path]
                program.arguments = drop + program.arguments
                program.executable = URL(filePath: "/usr/bin/setpriv")
            }
            let outcome = try program.run()
            #expect(outcome.status == 0, "\(outcome.messages)")
        }
    }

    @Test func aDelimiterFoldsKeysLikeFolders() throws {
        try withNode { _, url, _ in
            for key in ["a/1", "a/2", "b", "c/1", "d"] {
                try #expect(Program("put", key, "v", "--url", url).run().status == 0)
            }
            func scan(_ arguments: String...) throws -> String {
                try Program(arguments: ["scan", "--url", url] + arguments).run().text
            }
            try #expect(scan("--delimiter", "/") == "a/\nb\tv\nc/\nd\tv\n")
            try #expect(scan("--delimiter", "/", "--reverse") == "d\tv\nc/\nb\tv\na/\n")
            try #expect(scan("a/", "--delimiter", "/", "--keys") == "a/1\na/2\n")
            // Folders count as much as entries do.
            try #expect(scan("--delimiter", "/", "--keys", "--limit", "2") == "a/\nb\n")
        }
    }

    @Test func whatIsRefusedIsNamedAsItWasGiven() throws {
        try withNode { _, url, _ in
            let scan = try Program("scan", "--start", "b", "--end", "a", "--url", url).run()
            #expect(scan.messages.hasPrefix("error[invalid_range]: end: "), "\(scan.messages)")
            try #expect(Program("put", "k 1", "v", "--url", url).run().status == 0)
            let put = try Program("put", "k 1", "v", "--if-absent", "--url", url).run()
            #expect(put.status == 1)
            #expect(put.messages.contains("try: martlet get 'k 1' --json "), "\(put.messages)")
        }
    }

    @Test func aNodeInClearAskedInTLSIsToldAsSuch() throws {
        try withNode { _, url, _ in
            let address = url.dropFirst("http://".count)
            let outcome = try Program("get", "k", "--url", "https://\(address)").run()
            #expect(outcome.status == 69)
            #expect(
                outcome.messages == """
                    error[unreachable]: \(address): it speaks plain HTTP, you wrote https://
                         try: --url http://\(address)

                    """)
        }
    }

    @Test func aLoadOfKeysThatAreNotThereSaysSo() throws {
        try withNode { _, url, _ in
            let load = ["bench", url, "--duration", "100ms", "--warmup", "0s", "--keys", "10"]
            let empty = try Program(arguments: load).run()
            #expect(empty.status == 1)
            #expect(
                empty.messages.contains("holds none of the 10 keys that it reads"),
                "\(empty.messages)")
            let advice = "     try: martlet \(load.joined(separator: " ")) --load\n"
            #expect(empty.messages.hasSuffix(advice), "\(empty.messages)")
            let full = try Program(arguments: load + ["--load"]).run()
            #expect(full.status == 0 && !full.messages.contains("keys_missing"))
        }
    }

    private static func object(_ data: Data) throws -> [String: Any] {
        try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
    }
}
