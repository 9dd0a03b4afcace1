// Clients that give up while their requests are in hand, against the whole process: nothing of them
// is left, by the node's own metrics. And how much memory a connection takes that only is there.
import Foundation
import HTTP
import Testing

@Suite(.serialized) struct CancelTests {
    /// A certificate that is its own authority, and its key.
    private static func makeCertificate(in folder: String) throws -> [String] {
        let (certificate, key) = (folder + "/node.crt", folder + "/node.key")
        let words =
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
            + "-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
        let pid = try spawn(
            words.components(separatedBy: " ") + ["-keyout", key, "-out", certificate],
            log: folder + "/openssl.log")
        var status: Int32 = 0
        try #require(waitpid(pid, &status, 0) == pid && status == 0)
        return [certificate, key]
    }

    private static func withTLSNode(
        _ body: (LiveNode, (ClientOptions.Version) -> HTTPClient) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "martlet-\(UInt64.random(in: 0 ... .max))").path
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let files = try makeCertificate(in: folder)
        let node = try LiveNode(
            data: folder + "/data", options: ["--tls-cert", files[0], "--tls-key", files[1]])
        defer { node.kill() }
        let origin = Origin(scheme: .https, host: "127.0.0.1", port: Int(node.port))
        try await body(node) { version in
            HTTPClient(
                origin,
                options: ClientOptions(version: version, trust: .authorities(path: files[0])))
        }
    }

    private static func metric(_ name: String, _ node: LiveNode) throws -> Int {
        let text = try node.connect().request("GET", "/metrics").text
        let line = text.split(separator: "\n").first { $0.hasPrefix(name + " ") }
        return try #require(line?.split(separator: " ").last.flatMap { Int($0) }, "\(name)")
    }

    /// No request is in hand but the one that asks, no body is held, and the node serves.
    private static func expectNothingLeft(_ node: LiveNode) throws {
        let isOver = try poll(.seconds(40)) {
            try metric("martlet_http_requests_in_flight", node) == 1
                && metric("martlet_http_held_bytes{of=\"requests\"}", node) == 0
                && metric("martlet_http_connections", node) == 1
        }
        let metrics = try node.connect().request("GET", "/metrics").text
        #expect(isOver, "\(metrics)")
        try node.answersAsEver("after clients that gave up")
    }

    private static let value = [UInt8](repeating: 0x76, count: 64 << 10)

    /// Writes, for they are in hand until the disk has them; and their RST_STREAM in the same
    /// segment.
    @Test func resetStreams() throws {
        try withNode { node in
            let wire = try node.connect()
            wire.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            wire.send(frame(4, []))
            for stream in UInt32(0)..<20 {
                let id = stream * 2 + 1
                let path = Array("/v1/raw/kv/a".utf8)
                // PUT and :path as literals, http and :authority as ever.
                let block =
                    [0x02, 3] + Array("PUT".utf8) + [0x86, 0x04, UInt8(path.count)] + path
                    + [0x01, 9] + Array("localhost".utf8)
                wire.send(
                    frame(1, flags: 4, stream: id, block)
                        + frame(0, flags: 1, stream: id, [1, 2, 3])
                        + frame(3, stream: id, [0, 0, 0, 8]))
            }
            let isCancelled = try poll(.seconds(20)) {
                try Self.metric("martlet_http_requests_cancelled_total", node) > 0
            }
            #expect(isCancelled)
            #expect(wire.receive(isWaiting: true) == .bytes)
            // The connection goes on; it is closed before the count.
            wire.end()
            try Self.expectNothingLeft(node)
        }
    }

    @Test func closedConnections() throws {
        try withNode { node in
            let head =
                "PUT /v1/raw/kv/a HTTP/1.1\r\nHost: localhost\r\n"
                + "Content-Length: \(Self.value.count)\r\n\r\n"
            var rounds = 0
            repeat {
                let wires = try (0..<20).map { _ in try node.connect() }
                for wire in wires { wire.send(Array(head.utf8) + Self.value) }
                // One half with a reset, the other half with an end.
                for (index, wire) in wires.enumerated() { wire.end(resets: index % 2 == 0) }
                rounds += 1
                try #require(rounds < 200, "no request was in hand when its client left")
            } while try Self.metric("martlet_http_requests_cancelled_total", node) == 0
            try Self.expectNothingLeft(node)
        }
    }

    @Test(arguments: [ClientOptions.Version.http1, .http2])
    func closedTLSConnections(_ version: ClientOptions.Version) async throws {
        try await Self.withTLSNode { node, client in
            var abandoned = 0
            for round in 0..<100 where abandoned < 20 {
                let client = client(version)
                await withTaskGroup(of: Bool.self) { group in
                    for index in 0..<10 {
                        var put = ClientRequest("PUT", "/v1/raw/kv/\(index)", body: Self.value)
                        // The client then closes (HTTP/1.1) or resets the stream (HTTP/2).
                        put.timeout = .milliseconds(1 + round % 20)
                        group.addTask { [put] in
                            do throws(ClientError) {
                                _ = try await client.send(put)
                                return false
                            } catch {
                                return true
                            }
                        }
                    }
                    for await isGivenUp in group where isGivenUp { abandoned += 1 }
                }
                await client.close()
            }
            #expect(abandoned >= 20, "every request was answered in time")
            try Self.expectNothingLeft(node)
        }
    }

    @Test func idleTLSConnections() async throws {
        try await Self.withTLSNode { node, client in
            // Few enough to be opened one by one, on a machine that has much else to do, before
            // the first has been idle for too long.
            let count = min(300, try raiseDescriptors() - 500)
            try #require(count >= 100, "there are too few descriptors for a test")
            var clients: [HTTPClient] = []
            func open(_ count: Int) async throws {
                for _ in 0..<count {
                    let client = client(.http1)
                    let answer = try await client.send(ClientRequest("GET", "/livez"))
                    try #require(answer.status == 200)
                    clients.append(client)
                }
            }
            try await open(20)
            let before = node.residentBytes
            try await open(count)
            try #require(Self.metric("martlet_http_connections", node) == count + 21)
            let growth = node.residentBytes - before
            #expect(growth <= count * 65_000, "\(growth / count) bytes for each of \(count)")
            for client in clients { await client.close() }
        }
    }
}
