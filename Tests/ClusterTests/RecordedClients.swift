// Clients of a cluster that note what they asked, what they were told and when: a history for the
// checkers that the simulator's histories pass.
import Base
import Foundation
import Glibc
import HTTP
import Regions
import Simulation
import Synchronization
import Testing

final class RecordedClients: Sendable {
    private struct State {
        var calls: [Call] = []
        var acknowledged = 0
        var isOver = false
        /// What an entity tag stands for, from the answers that showed both.
        var fingerprints: [String: Fingerprint] = [:]
    }

    private let state = Mutex(State())
    private let clients: [HTTPClient]
    private static let keys = ["a", "b", "z", "b/1"]

    /// Past that a client has no answer; what a paused store was asked is not known for that long.
    private static let patience = Duration.seconds(1)

    init(of urls: [String]) throws {
        var options = ClientOptions()
        options.connectTimeout = Self.patience
        options.responseTimeout = Self.patience
        clients = try urls.map { HTTPClient(try Origin.parse($0).origin, options: options) }
    }

    /// So many of them, for as long as the body takes.
    func beside(_ count: Int, seed: UInt64, _ body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { state.withLock { $0.isOver = true } }
            for client in 0..<count { group.addTask { await self.run(client, seed: seed) } }
            try await body()
        }
    }

    /// Acknowledged writes between two faults.
    private static let progress = 60

    /// Until so many more writes were acknowledged.
    func goOn(_ nodes: ThreeNodes, _ what: String) async throws {
        let before = state.withLock { $0.acknowledged }
        try await nodes.wait("writes \(what)") {
            self.state.withLock { $0.acknowledged } >= before + Self.progress
        }
    }

    func expectLinearizable(readsAtLeast least: Int, seed: UInt64) {
        let calls = calls
        let (violations, undecided) = HistoryCheckers(calls: calls).violations()
        // The others go by an order of effects that is known in a simulation only.
        let bad = violations.filter { $0.checker == .linearizability || $0.checker == .atomicity }
        #expect(bad.isEmpty, "clients' seed \(seed)\n\(bad)")
        #expect(undecided == 0, "too much was going on for the search")
        let reads = calls.count { if case .read = $0.answer { true } else { false } }
        #expect(reads >= least, "\(calls.count) calls")
    }

    /// In the order in which they began, as the checkers want them.
    private var calls: [Call] {
        var calls = state.withLock { $0.calls }.sorted { $0.invokedAt < $1.invokedAt }
        for index in calls.indices { calls[index].id = index }
        return calls
    }

    /// One client, which asks any of the nodes one thing after the other until all are stopped.
    private func run(_ client: Int, seed: UInt64) async {
        var generator = SeededGenerator(seed: seed &* 31 &+ UInt64(client))
        var tag: String?
        var count = 0
        while !(state.withLock { $0.isOver }) {
            count += 1
            let key = Self.keys.randomElement(using: &generator) ?? "a"
            let wanted = Wish(
                key, value: "\(client)-\(count)", lastTag: tag,
                Int.random(in: 0..<20, using: &generator))
            let node = Int.random(in: clients.indices, using: &generator)
            let response = await ask(wanted, client: client, count: count, node: node)
            if let response, response.status == 200, let seen = response["etag"] { tag = seen }
            // Whoever cannot be reached is not asked again a thousand times a second.
            if response == nil { await Task.yield() }
        }
    }

    private func ask(
        _ wish: Wish, client: Int, count: Int, node: Int
    ) async -> ClientResponse? {
        let began = Self.now()
        var response: ClientResponse?
        let answer: Answer
        do {
            let got = try await clients[node].send(wish.request)
            response = got
            if let tag = got["etag"], let value = wish.value(shownBy: got) {
                state.withLock { $0.fingerprints[tag] = Fingerprint(of: value) }
            }
            answer = wish.answer(got) { tag in state.withLock { $0.fingerprints[tag] } }
        } catch {
            answer = error.neverBegan ? .refused("\(error)") : .unknown("\(error)")
        }
        let ended = Self.now()
        guard let command = wish.command({ tag in state.withLock { $0.fingerprints[tag] } }) else {
            return response
        }
        state.withLock { state in
            if case .written = answer { state.acknowledged += 1 }
            if case .deleted = answer { state.acknowledged += 1 }
            state.calls.append(
                Call(
                    id: state.calls.count, client: client, request: client << 32 | count,
                    node: node, command, from: began, to: ended, answer))
        }
        return response
    }

    private static func now() -> Instant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(
            nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }
}

extension ClientError {
    /// Nothing that was asked for can have happened.
    var neverBegan: Bool {
        if case .notProcessed = self { true } else { isConnectFailure }
    }
}

/// One request, as HTTP and as the checkers' command.
private struct Wish {
    private enum Kind {
        case get
        case put
        case create
        case replace(tag: String)
        case delete
    }

    private let kind: Kind
    private let key: String
    private let value: Bytes

    init(_ key: String, value: String, lastTag: String?, _ draw: Int) {
        self.key = key
        self.value = Bytes(value.utf8)
        kind =
            switch draw {
            case ..<9: .get
            case ..<15: .put
            case ..<17: .create
            case ..<18: .delete
            default: lastTag.map { .replace(tag: $0) } ?? .put
            }
    }

    /// That an entity tag in that answer stands for.
    func value(shownBy response: ClientResponse) -> Bytes? {
        switch (response.status, kind) {
        case (200, .get): response.body
        case (200, .put), (200, .create), (200, .replace): value
        default: nil
        }
    }

    var request: ClientRequest {
        let path = "/v1/raw/kv/\(key)"
        func put(_ headers: [ClientHeader]) -> ClientRequest {
            ClientRequest("PUT", path, headers: headers, body: value)
        }
        return switch kind {
        case .get: ClientRequest("GET", path)
        case .delete: ClientRequest("DELETE", path)
        case .put: put([])
        case .create: put([ClientHeader("if-none-match", "*")])
        case .replace(let tag): put([ClientHeader("if-match", tag)])
        }
    }

    /// nil: nobody knows what the tag stood for.
    func command(_ fingerprint: (String) -> Fingerprint?) -> RawCommand? {
        let key = Key(utf8: key)
        switch kind {
        case .get: return .get(key)
        case .delete: return .delete(RawDelete(key: key))
        case .put: return .put(RawPut(key: key, value: value))
        case .create: return .put(RawPut(key: key, value: value, condition: .absent))
        case .replace(let tag):
            return fingerprint(tag).map {
                .put(RawPut(key: key, value: value, condition: .matchesAny([$0])))
            }
        }
    }

    func answer(
        _ response: ClientResponse, _ fingerprint: (String) -> Fingerprint?
    ) -> Answer {
        struct Problem: Decodable {
            var code: String
            var retry: String
            var actual: String?

            enum CodingKeys: String, CodingKey {
                case actual = "actual_etag"
                case code, retry
            }
        }
        switch (response.status, kind) {
        case (200, .get): return .read(.value(response.body, expiresAt: nil))
        case (404, .get): return .read(.absent)
        case (200, .delete): return .deleted(previous: nil)
        case (200, _): return .written(previous: nil)
        default: break
        }
        guard
            let problem = try? JSONDecoder().decode(Problem.self, from: Data(response.body))
        else { return .unknown("\(response.status) without a problem") }
        if problem.code == "precondition_failed" {
            guard let tag = problem.actual else { return .conditionFailed(actual: nil) }
            // What it saw is a value that no reader has told of: then only that nothing was done.
            return fingerprint(tag).map { .conditionFailed(actual: $0) } ?? .refused(problem.code)
        }
        return problem.retry == "same_request"
            ? .refused(problem.code) : .unknown(problem.code)
    }
}
