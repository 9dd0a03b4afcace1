/// How the client commands reach a node: where it is, how long they wait, and how an answer that is
/// not a success becomes a message and an exit status.
///
/// A node that cannot be reached is told within a second, with the address that was tried.
internal import API
internal import ArgumentParser
internal import Base
internal import HTTP
internal import Settings
internal import Terminal

struct ConnectionOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The node. [MARTLET_URL, else http://127.0.0.1:7171]", valueName: "url"))
    var url: String?

    @OptionGroup var rules: ClientRules

    func connect() throws(CommandFailure) -> Connection {
        try Connection(url, rules)
    }
}

/// How long to wait and whom to trust: of every client command.
struct ClientRules: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Authorities to trust, PEM. [MARTLET_TLS_CA, else the system's]", valueName: "file"),
        completion: .file())
    var tlsCa: String?

    @Option(
        help: ArgumentHelp(
            "For the whole command, as in 500ms or 10s. "
                + "[MARTLET_TIMEOUT, else 10s once the input is read]",
            valueName: "time"))
    var timeout: String?

    func duration() throws(CommandFailure) -> Duration {
        guard let text = timeout ?? environmentVariables()["MARTLET_TIMEOUT"] else {
            return .seconds(10)
        }
        guard let span = TimeSpan(text), span.duration > .zero else {
            throw CommandFailure(
                Diagnosis(
                    .error, "invalid_timeout",
                    "the time-out is \"\(Table.printable(text))\", and must be a time, as in 10s",
                    advice: "--timeout 10s"),
                timeout == nil ? .configuration : .usage)
        }
        return span.duration
    }

    var trust: TLSContext.Trust { authorities.map { .authorities(path: $0) } ?? .system }

    private var authorities: String? { tlsCa ?? environmentVariables()["MARTLET_TLS_CA"] }

    /// Told as what it is, and not as a server that cannot be reached.
    func checkAuthorities() throws(CommandFailure) {
        if let authorities { try ClientRules.checkAuthorities(authorities, option: "--tls-ca") }
    }

    static func checkAuthorities(_ path: String, option: String) throws(CommandFailure) {
        do throws(TLSFileError) {
            _ = try TLSContext.client(trust: .authorities(path: path), protocols: [.http1])
        } catch {
            let advice =
                switch error {
                case .notAFile, .tooLarge: "\(option) FILE   # certificates in PEM form"
                default: error.advice
                }
            throw CommandFailure(
                Diagnosis(.error, "certificate_unreadable", error.description, advice: advice),
                .notAllowed)
        }
    }

    /// Said by the user, and not our guess of what is long enough.
    var hasTimeout: Bool { timeout != nil || environmentVariables()["MARTLET_TIMEOUT"] != nil }
}

struct Connection {
    private let client: HTTPClient
    let deadline: ContinuousClock.Instant

    /// For the first connection: longer, and a person thinks that nothing happens.
    private static let connectTimeoutMax = Duration.seconds(1)

    /// `usage`: how the command is told where the node is.
    init(
        _ url: String?, _ rules: ClientRules, usage: String = "--url"
    ) throws(CommandFailure) {
        let timeout = try rules.duration()
        try rules.checkAuthorities()
        let text = url ?? environmentVariables()["MARTLET_URL"] ?? "http://127.0.0.1:7171"
        do throws(ClientError) {
            let (origin, target) = try Origin.parse(text)
            guard target == Bytes("/".utf8) else {
                throw .invalidURL(url: text, reason: "it has a path; give the node alone")
            }
            var options = ClientOptions()
            options.connectTimeout = min(timeout, Connection.connectTimeoutMax)
            options.trust = rules.trust
            client = HTTPClient(origin, options: options)
        } catch {
            throw CommandFailure(
                Diagnosis(
                    .error, "invalid_url", "\(error)", advice: "\(usage) http://127.0.0.1:7171"),
                url == nil ? .configuration : .usage)
        }
        deadline = .now + timeout
    }

    var origin: Origin { client.origin }

    /// What a lost answer leaves unknown.
    enum Change {
        case nothing, key, stores
    }

    /// The answer, whatever its status.
    func exchange(
        _ method: String, _ target: Bytes, headers: [ClientHeader] = [], body: Bytes? = nil,
        changes: Change = .nothing
    ) async throws(CommandFailure) -> ClientResponse {
        let remaining = ContinuousClock.now.duration(to: deadline)
        let request = ClientRequest(
            method, target, headers: headers, body: body,
            timeout: max(remaining, .milliseconds(1)))
        do throws(ClientError) {
            return try await client.send(request)
        } catch {
            let isClear = await speaksClear(error)
            throw failure(
                isClear ? .peerSpeaksCleartext(address: authority) : error, changes: changes)
        }
    }

    /// The answer of a success; anything else ends the command. `key`: what it is about, as a word
    /// of a shell.
    func call(
        _ method: String, _ target: Bytes, headers: [ClientHeader] = [], body: Bytes? = nil,
        changes: Change = .nothing, key: String = "KEY", json: Bool = false
    ) async throws(CommandFailure) -> ClientResponse {
        let response = try await exchange(
            method, target, headers: headers, body: body, changes: changes)
        guard (200..<300).contains(response.status) else {
            throw ServerProblem(response).failure(
                of: origin, key: key, changes: changes, json: json)
        }
        return response
    }

    /// A node without a certificate closes on the first byte of TLS, as many servers do: only a
    /// question in clear finds out. Asked over loopback alone: elsewhere whoever breaks the
    /// handshake could make this advise to speak in clear.
    private func speaksClear(_ error: ClientError) async -> Bool {
        let isHere = ["localhost", "::1"].contains(origin.host) || origin.host.hasPrefix("127.")
        guard case .tlsFailed = error, origin.scheme == .https, isHere else { return false }
        do throws(ClientError) {
            var options = ClientOptions()
            options.connectTimeout = Connection.connectTimeoutMax
            let clear = HTTPClient(try Origin.parse("http://\(authority)").0, options: options)
            let question = ClientRequest(
                "GET", Bytes("/livez".utf8), timeout: Connection.connectTimeoutMax)
            return try await clear.send(question).status < 600
        } catch {
            // Then it is what it was before.
            return false
        }
    }

    private func failure(_ error: ClientError, changes: Change) -> CommandFailure {
        func ended(_ code: String, _ status: ExitStatus, _ advice: String?) -> CommandFailure {
            // Most of them name the address by themselves.
            let fact = "\(error)".contains(authority) ? "\(error)" : "\(client.origin): \(error)"
            return CommandFailure(Diagnosis(.error, code, fact, advice: advice), status)
        }
        switch error {
        case .peerSpeaksTLS: return ended("unreachable", .unreachable, "--url https://\(authority)")
        case .peerSpeaksCleartext:
            return ended("unreachable", .unreachable, "--url http://\(authority)")
        case .certificateRejected:
            return ended(
                "certificate_rejected", .notAllowed,
                "--tls-ca FILE   # the authority that signed it, or itself if nobody did")
        case _ where error.isConnectFailure:
            return ended(
                "unreachable", .unreachable,
                isLocal ? "martlet serve" : "curl -v \(client.origin)/livez")
        case .notProcessed:
            return ended("try_again", .tryAgain, "the same again: the node has not begun it")
        case _ where changes == .key:
            return ended("outcome_unknown", .outcomeUnknown, "read the key before writing again")
        case _ where changes == .stores:
            return ended("outcome_unknown", .outcomeUnknown, Self.storesTell)
        case .responseTimedOut: return ended("timeout", .tryAgain, "--timeout 60s")
        default: return ended("unreachable", .unreachable, "curl -v \(client.origin)/livez")
        }
    }

    fileprivate static let storesTell = "martlet stores   # before asking again"

    private var authority: String { client.origin.authority }

    private var isLocal: Bool { ["127.0.0.1", "localhost", "::1"].contains(client.origin.host) }
}

/// What a server said instead of yes: a problem document, or something that Martlet does not say.
struct ServerProblem {
    let code: String?
    let detail: String?
    private let response: ClientResponse

    init(_ response: ClientResponse) {
        self.response = response
        var code: String?
        var detail: String?
        if response["content-type"] == ContentType.problem.rawValue {
            do throws(Problem) {
                try JSONValue.read(response.body) { (value) throws(Problem) in
                    try value.forEachMember { (name, value) throws(Problem) in
                        guard let text = value.text else { return }
                        let string = String(decoding: text, as: UTF8.self)
                        if name.elementsEqual("code".utf8) { code = string }
                        if name.elementsEqual("detail".utf8) { detail = string }
                    }
                }
            } catch {
                // Then it is not Martlet's, and is told as such.
                code = nil
            }
        }
        self.code = code
        self.detail = detail
    }

    /// With `json` the body goes to standard output with `try` and `exit` added, as all failures
    /// have them, and there is no other message.
    func failure(
        of origin: Origin, key: String = "KEY", changes: Connection.Change = .nothing,
        json: Bool
    ) -> CommandFailure {
        let advice = self.advice(origin, key, changes)
        guard let code else {
            let server = response["server"].map { "Server: \(Table.printable($0)), " } ?? ""
            return CommandFailure(
                Diagnosis(
                    .error, "not_martlet",
                    "\(origin) answered, but it is not Martlet "
                        + "(\(server)status \(response.status))",
                    advice: "curl -v \(origin)/"), .unreachable)
        }
        if json {
            emit(completed(advice))
            return CommandFailure(exitStatus)
        }
        return CommandFailure(
            Diagnosis(
                .error, Table.printable(code), Table.printable(detail ?? "no detail given"),
                advice: advice), exitStatus)
    }

    /// The problem, which is an object with members, and two more of them at its end.
    private func completed(_ advice: String) -> Bytes {
        guard let end = response.body.lastIndex(of: 0x7D) else { return response.body }
        var more = JSONObject()
        more.add("try", advice)
        more.add("exit", Int(exitStatus.rawValue))
        return response.body[..<end] + [0x2C] + Bytes(more.text.utf8).dropFirst()
            + response.body[(end + 1)...]
    }

    private func advice(
        _ origin: Origin, _ key: String, _ changes: Connection.Change
    ) -> String {
        switch ProblemCode(rawValue: code ?? "") {
        case .keyNotFound: "martlet scan   # lists the keys there are"
        case .preconditionFailed: "martlet get \(key) --json   # shows the tag that it has now"
        case .outcomeUnknown where changes == .stores: Connection.storesTell
        case .storeLeads: "martlet transfer-leader N   # one of martlet stores, then the same again"
        case .outcomeUnknown: "martlet get \(key)   # before writing again"
        case .overloaded, .noLeader, .notReady, .requestTimeout, .deadlineExceeded,
            .changeInProgress:
            "the same again in a moment; martlet status \(origin)"
        case .diskFull: "martlet delete KEY   # deletes and reads go on; or give the node space"
        case .hostForbidden, .originForbidden:
            "martlet serve --allow-host \(origin.host)   # and its other flags, at the node"
        case .valueTooLarge, .keyTooLarge, .requestTooLarge, .targetTooLong, .headersTooLarge:
            "curl \(origin)/v1/limits"
        case .internal: "look for the request in the node's log; martlet status \(origin)"
        // Also a code that only a newer node knows.
        default: "curl \(shellQuoted("\(origin)/problems/\(code ?? "")"))"
        }
    }

    var exitStatus: ExitStatus {
        switch code {
        case "key_not_found", "precondition_failed": .no
        case "disk_full": .disk
        case "outcome_unknown": .outcomeUnknown
        case "change_in_progress": .tryAgain
        default:
            switch response.status {
            case 401, 403, 421: .notAllowed
            case 408, 429, 503, 504: .tryAgain
            case 400..<500: .dataWrong
            default: .fault
            }
        }
    }
}
