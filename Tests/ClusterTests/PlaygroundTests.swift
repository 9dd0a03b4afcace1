// A cluster in one command, as somebody who has just found Martlet uses it.
import Base
import Foundation
import HTTP
import ProcessSupport
import Testing

@Suite(.serialized) struct PlaygroundTests {
    /// A playground that runs, and where its nodes are.
    private struct Playground {
        let program: RunningProgram
        let urls: [String]

        init(_ folder: URL, _ arguments: String..., failpoints: String = "") throws {
            let all = ["playground", "--port", "\(UInt16.random(in: 20_000...30_000))"]
            program = try Program(arguments: all + arguments).with("TMPDIR", folder.path)
                .with("MARTLET_FAILPOINTS", failpoints).in(folder).start()
            _ = try #require(program.line(with: "Ctrl-C stops it"), "\(program.messages)")
            urls = program.messages.matches(of: /node \d+  (http:\S+)/).map { String($0.1) }
        }

        func send(_ request: ClientRequest, at node: Int) async throws -> ClientResponse {
            try await HTTPClient(try Origin.parse(urls[node]).origin).send(request)
        }

        func stop() throws {
            program.send(SIGINT)
            let outcome = try #require(program.wait(.seconds(20)), "it did not end")
            #expect(outcome.status == 0, "\(outcome.messages)")
            #expect(outcome.messages.hasSuffix("stopped cleanly, nothing to undo\n"))
        }
    }

    private func withFolder(_ body: (URL) async throws -> Void) async throws {
        let folder = URL(filePath: NSTemporaryDirectory() + "martlet-play-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try await body(folder)
    }

    private let put = ClientRequest("PUT", "/v1/raw/kv/greeting", body: Bytes("hello".utf8))
    private let get = ClientRequest("GET", "/v1/raw/kv/greeting")

    @Test func nothingIsLeftBehind() async throws {
        try await withFolder { folder in
            let playground = try Playground(folder)
            defer { playground.program.kill() }
            #expect(playground.urls.count == 3)
            #expect(try await playground.send(put, at: 0).status == 200)
            for node in 0..<3 {
                #expect(try await playground.send(get, at: node).text == "hello")
            }
            try playground.stop()
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
        }
    }

    // History: it ended, and what it had promised to remove stayed.
    @Test func nothingIsLeftBehindOfAStoreThatFails() async throws {
        try await withFolder { folder in
            // More than its start takes.
            let playground = try Playground(folder, failpoints: "log.sync=200*off->1*return->off")
            defer { playground.program.kill() }
            for _ in 0..<400 {
                guard let response = try? await playground.send(put, at: 0) else { break }
                if response.status != 200 { break }
            }
            let outcome = try #require(playground.program.wait(.seconds(20)), "it did not end")
            #expect(outcome.status == 74, "\(outcome.messages)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
        }
    }

    @Test func ctrlCIsHeardWhileItStarts() async throws {
        try await withFolder { folder in
            let program = try Program(
                arguments: ["playground", "--nodes", "9", "--port", "31000"]
            ).with("TMPDIR", folder.path).in(folder).start()
            defer { program.kill() }
            let end = ContinuousClock.now + .seconds(20)
            while try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty {
                try #require(ContinuousClock.now < end, "\(program.messages)")
                usleep(1_000)
            }
            program.send(SIGINT)
            let outcome = try #require(program.wait(.seconds(20)), "it did not end")
            #expect(outcome.status == 0, "\(outcome.messages)")
            #expect(!outcome.messages.contains("ready after"))
            #expect(outcome.messages.hasSuffix("stopped cleanly, nothing to undo\n"))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
        }
    }

    // The ports may be others: what the directories remember of each other is out of date then.
    @Test func itGoesOnWithItsData() async throws {
        try await withFolder { folder in
            for round in 0..<2 {
                let playground = try Playground(folder, "--data-dir", "play")
                defer { playground.program.kill() }
                if round == 0 { #expect(try await playground.send(put, at: 2).status == 200) }
                for node in 0..<3 {
                    #expect(try await playground.send(get, at: node).text == "hello")
                }
                try playground.stop()
            }
        }
    }
}
