// Three nodes of one cluster as programs of their own on loopback.
import Base
import Foundation
import Glibc
import HTTP
import ProcessSupport
import Synchronization
import Testing

func withThreeNodes(_ body: (ThreeNodes) async throws -> Void) async throws {
    let folder = URL(filePath: NSTemporaryDirectory() + "martlet-three-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let nodes = try await ThreeNodes(in: folder)
    try await body(nodes)
}

final class ThreeNodes {
    let folder: URL
    private(set) var programs: [Int: RunningProgram] = [:]
    private(set) var clients: [Int: HTTPClient] = [:]
    private var ports: [Int: Int] = [:]
    /// nil: in clear.
    private let authority: TestAuthority?
    /// nil: on loopback.
    private let network: NodeNetwork?
    private let placed: (Program, Int) -> Program

    static let all = 1...3

    /// Started one after the other, each of which asks the one before it; all vote.
    /// - Parameters:
    ///   - count: of those that are started.
    ///   - authority: who signs a certificate for each.
    ///   - network: where each has an address of its own.
    ///   - placed: how a program is run instead.
    init(
        in folder: URL, started count: Int = 3, certifiedBy authority: TestAuthority? = nil,
        on network: NodeNetwork? = nil,
        placed: @escaping (Program, Int) -> Program = { program, _ in program }
    ) async throws {
        self.placed = placed
        self.folder = folder
        self.authority = authority
        self.network = network
        for node in Self.all { try authority?.sign("n\(node)") }
        for node in Self.all { ports[node] = try Self.freePort() }
        for node in Self.all.prefix(count) {
            try start(node, joining: node == 1 ? nil : node - 1)
            try await votes(node, asking: node == 1 ? 1 : node - 1)
        }
    }

    func votes(_ node: Int, asking other: Int) async throws {
        try await wait("store \(node) to vote") {
            try await self.stores(other)
                .contains { $0.store == "\(node)" && $0.role != "learner" }
        }
    }

    deinit { for program in programs.values { program.kill() } }

    func url(_ node: Int) -> String {
        "\(authority == nil ? "http" : "https")://\(place(node))"
    }

    private func host(_ node: Int) -> String { network?.host(node) ?? "127.0.0.1" }

    private func place(_ node: Int) -> String { "\(host(node)):\(port(node))" }

    func port(_ node: Int) -> Int { ports[node] ?? 0 }

    /// A client over TLS, or in clear where nodes are.
    func client(_ node: Int) -> HTTPClient {
        let port = ports[node] ?? 0
        guard let authority else {
            return HTTPClient(Origin(scheme: .http, host: host(node), port: port))
        }
        return HTTPClient(
            Origin(scheme: .https, host: "127.0.0.1", port: port),
            options: ClientOptions(trust: .authorities(path: authority.path("trust.crt"))))
    }

    /// The same arguments at each start, as a service manager gives them.
    /// - Parameters:
    ///   - dying: where it is to die, perhaps before it is ready.
    ///   - flags: in the place of those of its certificate.
    func start(
        _ node: Int, joining other: Int? = nil, failpoints: String = "", dying point: String? = nil,
        flags: [String]? = nil
    ) throws {
        var arguments = [
            "serve", "--data-dir", "n\(node)", "--listen", place(node),
            "--cores", "2", "--cache-size", "16MiB",
        ]
        arguments += flags ?? authority?.flags("n\(node)", believing: "trust.crt") ?? []
        if network != nil { arguments += ["--insecure"] }
        if let other { arguments += ["--join", url(other)] }
        if !failpoints.isEmpty { arguments += ["--failpoints", failpoints] }
        if let point { arguments += ["--failpoints", "\(point)=panic"] }
        // Nobody reads how it came to its death.
        let wanted = Program(arguments: arguments).with("SWIFT_BACKTRACE", "enable=no").in(folder)
        let program = try (network?.placed(wanted, at: node) ?? placed(wanted, node)).start()
        programs[node] = program
        if point != nil { return }
        _ = try #require(program.line(with: "\"event\":\"ready\""), "\(program.messages)")
        clients[node] = client(node)
    }

    func signal(_ node: Int, _ signal: Int32) throws {
        let program = try #require(programs[node])
        program.send(signal)
        guard signal != SIGSTOP, signal != SIGCONT else { return }
        _ = try #require(program.wait(.seconds(20)), "it did not end")
        programs[node] = nil
    }

    /// Until it ends by itself.
    func awaitEnd(_ node: Int) throws -> Program.Outcome {
        let program = try #require(programs[node])
        programs[node] = nil
        return try #require(program.wait(.seconds(30)), "it did not end: \(program.messages)")
    }

    // MARK: Requests

    func put(_ key: String, _ value: String, at node: Int) async throws -> Int {
        try await send(
            ClientRequest("PUT", "/v1/raw/kv/\(key)", body: Bytes(value.utf8)), at: node
        ).status
    }

    func get(_ key: String, at node: Int) async throws -> String? {
        let response = try await send(ClientRequest("GET", "/v1/raw/kv/\(key)"), at: node)
        return response.status == 200 ? response.text : nil
    }

    func send(_ request: ClientRequest, at node: Int) async throws -> ClientResponse {
        try await #require(clients[node]).send(request)
    }

    struct Store: Decodable {
        var store: String
        var address: String
        var role: String

        enum CodingKeys: String, CodingKey {
            case store = "store_id"
            case address, role
        }
    }

    func stores(_ node: Int) async throws -> [Store] {
        struct List: Decodable { var stores: [Store] }
        let response = try await send(ClientRequest("GET", "/v1/stores"), at: node)
        guard response.status == 200 else { return [] }
        return try JSONDecoder().decode(List.self, from: Data(response.body)).stores
    }

    /// The store that leads, as one that runs sees it.
    func leader() async throws -> Int {
        var found: Int?
        try await wait("somebody to lead") {
            for node in self.programs.keys {
                let leader = try await self.stores(node).first { $0.role == "leader" }
                if let number = leader.flatMap({ Int($0.store) }), self.programs[number] != nil {
                    found = number
                    return true
                }
            }
            return false
        }
        return try #require(found)
    }

    /// Hands the lead to that store.
    func lead(_ target: Int) async throws {
        let transfer = ClientRequest(
            "POST", "/v1/regions/1/transfer-leader",
            headers: [ClientHeader("content-type", "application/json")],
            body: Bytes(#"{"store_id":"\#(target)"}"#.utf8))
        try await wait("store \(target) to lead") {
            let leader = try await self.leader()
            if leader == target { return true }
            // Another one may have been elected meanwhile, or the target be behind: asked again.
            _ = try await self.send(transfer, at: leader)
            return false
        }
    }

    func metric(_ line: String, at node: Int) async throws -> Int? {
        let response = try await send(ClientRequest("GET", "/metrics"), at: node)
        let found = response.text.split(separator: "\n").first { $0.hasPrefix(line + " ") }
        return found?.split(separator: " ").last.flatMap { Int($0) }
    }

    // MARK: Waiting

    /// Asks again until it holds; a minute of waiting is a failure. Tries are counted and not time:
    /// tests that compute may have all threads for longer than that minute, and a deadline would
    /// then have passed before the second look.
    func wait(_ what: String, _ holds: () async throws -> Bool) async throws {
        for _ in 0..<1_200 {
            if try await holds() { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        let messages = programs.sorted { $0.key < $1.key }.map {
            "\($0.key):\n\($0.value.messages)"
        }
        Issue.record("waited in vain for \(what)\n\(messages.joined(separator: "\n"))")
        throw GaveUp()
    }

    struct GaveUp: Error {}

    /// Each port is handed out once, and from below those that the kernel gives to whoever asks
    /// for any (ip(7), 32768 and up): a node that is down for a while finds its own free again.
    private static let next = Mutex(Int.random(in: 0..<12_000))

    private static func freePort() throws -> Int {
        for _ in 0..<12_000 {
            let port = next.withLock { next in
                next = (next + 1) % 12_000
                return 20_000 + next
            }
            if try isFree(port) { return port }
        }
        throw GaveUp()
    }

    private static func isFree(_ port: Int) throws -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        address.sin_port = UInt16(port).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
