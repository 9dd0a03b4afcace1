// Three nodes are restarted one after the other, as an upgrade does it, and clients that do what
// the answers say are not refused anything.
import Base
import Foundation
import Glibc
import HTTP
import ProcessSupport
import Synchronization
import Testing

/// A client that knows all nodes. It asks another one if it cannot connect, sends a request again
/// only where that is said to be safe, and counts as failed what is left.
private final class PatientClient: Sendable {
    private struct State {
        var isOver = false
        var done = 0
        var failures: [String] = []
    }

    private let state = Mutex(State())
    private let nodes: [HTTPClient]
    private static let triesMax = 400

    init(_ urls: [String]) throws {
        nodes = try urls.map { HTTPClient(try Origin.parse($0).origin) }
    }

    var done: Int { state.withLock { $0.done } }
    var failures: [String] { state.withLock { $0.failures } }
    func stop() { state.withLock { $0.isOver = true } }

    func run(_ number: Int) async throws {
        var count = 0
        while !(state.withLock { $0.isOver }) {
            count += 1
            let path = "/v1/raw/kv/c\(number)"
            let value = Bytes("\(count)".utf8)
            try await send(ClientRequest("PUT", path, body: value), from: number + count)
            let read = try await send(ClientRequest("GET", path), from: number + count + 1)
            state.withLock { state in
                if let read, read != value { state.failures.append("read \(read) not \(value)") }
                state.done += 1
            }
        }
    }

    /// - Returns: the body of a success.
    @discardableResult
    private func send(_ request: ClientRequest, from first: Int) async throws -> Bytes? {
        var last = ""
        for attempt in 0..<Self.triesMax {
            do {
                let node = nodes[(first + attempt) % nodes.count]
                let response = try await node.send(request)
                if response.status == 200 { return response.body }
                last = response.text
                guard last.contains(#""retry":"same_request""#) else { break }
            } catch {
                last = "\(request.method): \(error)"
                guard error.neverBegan || request.method == "GET" else { break }
            }
            try await Task.sleep(for: .milliseconds(10))
        }
        state.withLock { $0.failures.append(last) }
        return nil
    }
}

@Suite(.serialized) struct RollingRestartTests {
    @Test func nothingIsRefusedToWhoeverTriesAgain() async throws {
        try await withThreeNodes { nodes in
            let client = try PatientClient(ThreeNodes.all.map { nodes.url($0) })
            try await withThrowingTaskGroup(of: Void.self) { group in
                defer { client.stop() }
                for number in 0..<4 { group.addTask { try await client.run(number) } }
                for round in 0..<2 {
                    for node in ThreeNodes.all {
                        let before = client.done
                        try nodes.signal(node, SIGTERM)
                        try nodes.start(node)
                        try await nodes.wait("store \(node) to be ready, round \(round)") {
                            try await nodes.send(ClientRequest("GET", "/readyz"), at: node)
                                .status == 200
                        }
                        try await nodes.wait("requests beside store \(node)") {
                            client.done >= before + 20
                        }
                    }
                }
                client.stop()
                try await group.waitForAll()
            }
            #expect(client.failures.isEmpty, "\(client.failures.prefix(5))")
        }
    }
}
