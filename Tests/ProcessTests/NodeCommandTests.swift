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
            try #expect(scan("--delimiter", "/") == "b\tv\nd\tv\na/\t\nc/\t\n")
            try #expect(scan("a/", "--delimiter", "/", "--keys") == "a/1\na/2\n")
            // Folders count as much as entries do.
            try #expect(scan("--delimiter", "/", "--keys", "--limit", "2") == "b\na/\n")
        }
    }

    private static func object(_ data: Data) throws -> [String: Any] {
        try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
    }
}
