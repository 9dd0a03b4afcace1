// A whole node in this process: real sockets, real RocksDB, real time.
import Base
import Foundation
import HTTP
import Injection
import Logging
import NIOCore
import RocksStorage
import Runtime
import Synchronization
import Testing

@Suite struct RunningNodeTests {
    static func start(_ path: String, cores: Int) async throws -> RunningNode {
        var generator = SystemRandomNumberGenerator()
        let now = WallTime(milliseconds: UInt64(Date().timeIntervalSince1970 * 1000))
        let directory = try DataDirectory(path: path, now: now, using: &generator)
        let settings = NodeSettings(
            dataDirectory: path, listen: [NodeSettings.Endpoint(host: "127.0.0.1", port: 0)],
            cores: cores, tls: nil, takesClearFromAnywhere: false, cacheBytes: 32 << 20,
            connections: 100, allowedHosts: [],
            build: BuildFacts(version: "0.0.0", revision: "abc", swift: "6.3"),
            servesFailpoints: false)
        return try await RunningNode.start(
            settings, directory: directory, failpoints: FailpointRegistry(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            storeFailed: { Issue.record("the store of a test has failed") })
    }

    static func temporaryFolder() -> String {
        NSTemporaryDirectory() + "martlet-test-\(UUID().uuidString)"
    }

    /// A batch that memory answers shares its loop: another connection is served between its runs.
    @Test func aLargeBatchDoesNotShutOutOthers() async throws {
        let path = Self.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: path) }
        try await Self.readBesideABatch(path)
    }

    static func readBesideABatch(_ path: String) async throws {
        let node = try await Self.start(path, cores: 1)
        let port = try #require(node.addresses[0].port)
        let origin = Origin(scheme: .http, host: "127.0.0.1", port: port)
        let client = HTTPClient(origin)
        let other = HTTPClient(origin)
        let puts = (0..<64).map { #"{"op":"put","key":"k\#($0)","value":"v"}"# }
        let scans = Array(repeating: #"{"op":"scan","prefix":"k","limit":64}"#, count: 4_000)
        func post(_ operations: [String]) -> ClientRequest {
            let body = #"{"ops":[\#(operations.joined(separator: ","))]}"#
            return ClientRequest(
                "POST", "/v1/raw/batch",
                headers: [ClientHeader("content-type", "application/json")],
                body: Bytes(body.utf8))
        }
        #expect(try await client.send(post(puts)).status == 200)
        #expect(try await other.send(ClientRequest("GET", "/v1/raw/kv/k1")).status == 200)
        let isDone = Mutex(false)
        async let batch = {
            defer { isDone.withLock { $0 = true } }
            return try await client.send(post(scans)).status
        }()
        var answered = 0
        while !isDone.withLock({ $0 }) {
            #expect(try await other.send(ClientRequest("GET", "/v1/raw/kv/k1")).status == 200)
            answered += 1
        }
        #expect(try await batch == 200)
        #expect(answered > 1, "in one turn there would be one answer at the most")
        try await node.drain()
    }

    @Test(arguments: [1, 2]) func whatWasStoredIsThereAfterAStop(cores: Int) async throws {
        let path = Self.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: path) }
        for round in 0..<2 { try await Self.useNode(path, cores: cores, isNew: round == 0) }
    }

    /// In a function of its own, so that nothing refers to the node when it returns.
    static func useNode(_ path: String, cores: Int, isNew: Bool) async throws {
        let node = try await Self.start(path, cores: cores)
        let port = try #require(node.addresses[0].port)
        let client = HTTPClient(Origin(scheme: .http, host: "127.0.0.1", port: port))
        for index in 0..<20 {
            let target = "/v1/raw/kv/key-\(index)"
            if isNew {
                let put = ClientRequest("PUT", target, body: Bytes("v\(index)".utf8))
                #expect(try await client.send(put).status == 200)
            }
            let read = try await client.send(ClientRequest("GET", target))
            #expect(read.body == Bytes("v\(index)".utf8))
        }
        let metrics = try await client.send(ClientRequest("GET", "/metrics"))
        #expect(String(decoding: metrics.body, as: UTF8.self).contains("martlet_wal_fsync"))
        try await node.drain()
    }
}
