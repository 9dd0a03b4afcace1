/// `martlet status` and `martlet healthcheck`: what a node says of itself, for a person and for a
/// container.
internal import ArgumentParser
internal import Base
internal import Glibc
internal import HTTP
internal import Settings
internal import Terminal

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Print what a node says of itself.",
        discussion: """
              martlet status
              martlet status https://db1:7171 --output yaml
            """)

    @Argument(help: "The node. [MARTLET_URL, else http://127.0.0.1:7171]") var url: String?
    @OptionGroup var output: OutputOptions
    @OptionGroup var rules: ClientRules

    func run() async throws {
        let server = try Connection(url, rules, usage: "martlet status")
        let response = try await server.call("GET", Bytes("/v1/status".utf8), json: output.isJSON)
        if output.isDocument { return try output.emitDocument(response.body) }
        var table = Table("name", "value")
        add(try AnswerObject(response.body, of: server.origin).members, under: "", to: &table)
        emit(Bytes(table.text(aligned: output.isAligned).utf8))
    }

    /// Members of members by their path, with dots between the names.
    private func add(_ members: [AnswerMember], under path: String, to table: inout Table) {
        for member in members { add(member.value, path + member.name, to: &table) }
    }

    private func add(_ value: AnswerValue, _ name: String, to table: inout Table) {
        switch value {
        case .text(let bytes): table.add(name, String(decoding: bytes, as: UTF8.self))
        case .number(let number):
            let size =
                name.hasSuffix("_bytes") ? " (\(ByteSize(bytes: Int(clamping: number))))" : ""
            table.add(name, "\(number)\(size)")
        case .boolean(let flag): table.add(name, flag ? "yes" : "no")
        case .object(let members): add(members, under: name + ".", to: &table)
        case .list(let items):
            for (index, item) in items.enumerated() { add(item, "\(name).\(index)", to: &table) }
        case .other: break
        }
    }
}

struct HealthcheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "healthcheck",
        abstract: "Exit 0 if a node is ready, 1 if not; for containers.",
        discussion: """
              HEALTHCHECK CMD ["martlet", "healthcheck"]
            """)

    @Argument(help: "The node. [MARTLET_URL, else http://127.0.0.1:7171]") var url: String?
    @Flag(help: "{\"ready\":true}, or the problem that the server answers.") var json = false
    @OptionGroup var rules: ClientRules

    func run() async throws {
        let server = try Connection(url, rules, usage: "martlet healthcheck")
        let response: ClientResponse
        do throws(CommandFailure) {
            response = try await server.exchange("GET", Bytes("/readyz".utf8))
        } catch {
            // A container's health check knows yes and no, and 2 is reserved.
            throw CommandFailure(error.diagnosis, .no)
        }
        guard response.status != 200 else {
            guard json else { return print("ready") }
            // The server's own yes is text.
            var object = JSONObject()
            object.add("ready", true)
            return print(object.text)
        }
        throw CommandFailure(
            ServerProblem(response).failure(of: server.origin, json: json).diagnosis, .no)
    }
}
