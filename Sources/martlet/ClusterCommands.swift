/// `martlet stores`, `region`, `transfer-leader` and `drain`: how a cluster stands, and the changes
/// that a person makes to it.
///
/// Any node may be asked; what only the leader or one certain store can do is asked of that one,
/// where `/v1/stores` says that it is.
internal import ArgumentParser
internal import Base
internal import HTTP
internal import Settings
internal import Terminal

struct StoresCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stores",
        abstract: "List the stores of a cluster, or remove one for good.",
        discussion: """
              martlet stores
              martlet stores --remove 3

            A store that was removed cannot come back under its number: move its directory away
            and let it join anew.
            """)

    @Option(help: ArgumentHelp("Remove this one, dead or alive.", valueName: "id"))
    var remove: StoreNumber?

    @OptionGroup var output: OutputOptions
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        var body = try await ClusterView.list(try connection.connect(), output)
        if let remove {
            let view = try ClusterView(body)
            let leader = try view.leader(connection)
            let target = Bytes("/v1/stores/\(remove)".utf8)
            let response = try await leader.call(
                "DELETE", target, changes: .stores, json: output.isJSON)
            body = ClusterView.Answer(bytes: response.body, origin: leader.origin)
        }
        if output.isDocument { return try output.emitDocument(body.bytes) }
        var table = Table("store", "address", "role")
        for store in try ClusterView(body).stores {
            table.add(store.id, store.address.isEmpty ? "-" : store.address, store.role)
        }
        emit(Bytes(table.text(aligned: output.isAligned).utf8))
    }
}

struct RegionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "region",
        abstract: "Print how a region stands: who leads, and how far it has come.",
        discussion: """
              martlet region
            """)

    @Argument(help: "Its number.") var region = StoreNumber.first
    @OptionGroup var output: OutputOptions
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let server = try connection.connect()
        let target = Bytes("/v1/regions/\(region)".utf8)
        let body = try await server.call("GET", target, json: output.isJSON).body
        try RegionCommand.show(body, of: server.origin, output)
    }

    static func show(_ body: Bytes, of origin: Origin, _ output: OutputOptions) throws {
        if output.isDocument { return try output.emitDocument(body) }
        let answer = try AnswerObject(body, of: origin)
        var table = Table("name", "value")
        table.add("region", answer.text("region_id") ?? "-")
        table.add("leader", answer.text("leader_store_id") ?? "-")
        for name in ["term", "commit_index", "applied_index"] {
            table.add(name, answer.number(name).map(String.init) ?? "-")
        }
        for replica in answer.objects("replicas") {
            table.add("store \(replica.text("store_id") ?? "-")", replica.text("role") ?? "-")
        }
        emit(Bytes(table.text(aligned: output.isAligned).utf8))
    }
}

struct TransferLeaderCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "transfer-leader",
        abstract: "Let another store lead a region.",
        discussion: """
              martlet transfer-leader 2
            """)

    @Argument(help: "The store that is to lead.") var store: StoreNumber
    @Option(help: ArgumentHelp("The region's number. [1]", valueName: "id"))
    var region = StoreNumber.first
    @OptionGroup var output: OutputOptions
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let view = try ClusterView(try await ClusterView.list(try connection.connect(), output))
        let leader = try view.leader(connection)
        let response = try await leader.call(
            "POST", Bytes("/v1/regions/\(region)/transfer-leader".utf8),
            headers: [ClientHeader("content-type", "application/json")],
            body: Bytes(#"{"store_id":"\#(store)"}"#.utf8), changes: .stores, json: output.isJSON)
        try RegionCommand.show(response.body, of: leader.origin, output)
    }
}

struct DrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain",
        abstract: "Let a store lead no more, until it is started anew.",
        discussion: """
              martlet drain 2

            It goes on answering. A node that is told to end does this by itself.
            """)

    @Argument(help: "The store.") var store: StoreNumber
    @OptionGroup var output: OutputOptions
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let view = try ClusterView(try await ClusterView.list(try connection.connect(), output))
        let server = try view.connect(to: store.description, connection)
        let response = try await server.call(
            "POST", Bytes("/v1/stores/\(store)/drain".utf8), changes: .stores, json: output.isJSON)
        if output.isDocument { return try output.emitDocument(response.body) }
        print("store \(store) leads no more while another can")
    }
}

/// As a node writes it in a path: above zero.
struct StoreNumber: ExpressibleByArgument, CustomStringConvertible {
    private let number: UInt32

    static let first = StoreNumber(number: 1)

    private init(number: UInt32) { self.number = number }

    init?(argument: String) {
        guard let number = UInt32(argument), number > 0 else { return nil }
        self.number = number
    }

    var description: String { "\(number)" }
}

/// The stores of a cluster as one of them tells.
struct ClusterView {
    struct Store {
        var id: String
        var address: String
        var role: String
    }

    struct Answer {
        var bytes: Bytes
        var origin: Origin
    }

    let stores: [Store]
    private let origin: Origin

    static func list(
        _ server: Connection, _ output: OutputOptions
    ) async throws(CommandFailure) -> Answer {
        let response = try await server.call(
            "GET", Bytes("/v1/stores".utf8), json: output.isJSON)
        return Answer(bytes: response.body, origin: server.origin)
    }

    init(_ answer: Answer) throws(CommandFailure) {
        origin = answer.origin
        stores = try AnswerObject(answer.bytes, of: answer.origin).objects("stores").map {
            Store(
                id: $0.text("store_id") ?? "", address: $0.text("address") ?? "",
                role: $0.text("role") ?? "")
        }
    }

    func leader(_ options: ConnectionOptions) throws(CommandFailure) -> Connection {
        guard let leader = stores.first(where: { $0.role == "leader" }) else {
            throw CommandFailure(
                Diagnosis(
                    .error, "no_leader", "\(origin) knows of no store that leads just now",
                    advice: "martlet stores   # again in a second"), .tryAgain)
        }
        return try connect(to: leader.id, options)
    }

    func connect(
        to id: String, _ options: ConnectionOptions
    ) throws(CommandFailure) -> Connection {
        guard let store = stores.first(where: { $0.id == id }) else {
            throw CommandFailure(
                Diagnosis(
                    .error, "store_not_found", "the cluster has no store \(id)",
                    advice: "martlet stores"), .usage)
        }
        guard !store.address.isEmpty else {
            throw CommandFailure(
                Diagnosis(
                    .error, "unreachable", "nobody knows where store \(id) is",
                    advice: "the same with --url of that store"), .unreachable)
        }
        return try Connection(store.address, options.rules)
    }
}
