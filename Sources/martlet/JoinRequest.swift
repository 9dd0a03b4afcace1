/// Asks a cluster to take a new node, before it has a directory: the answer says who it is.
///
/// Any node may be asked; the one that leads decides, and the others say where that is. It says the
/// same nonce each time, so that a lost answer costs no number. A directory
/// that has an identity is a store already, and is never asked for again.
internal import API
internal import Base
internal import HTTP
internal import Logging
internal import Regions
internal import RocksStorage
internal import Settings
internal import Terminal

struct JoinRequest {
    struct Joined {
        var identity: StoreIdentity
        var peers: [StoreID: String]
    }

    private let settings: ServeSettings
    private let checks: StartChecks
    private let logger: Logger

    /// Between two rounds over all that may be asked, and how long they go on.
    private static let pause = Duration.seconds(1)
    private static let limit = Duration.seconds(60)

    init(_ settings: ServeSettings, _ checks: StartChecks, _ logger: Logger) {
        self.settings = settings
        self.checks = checks
        self.logger = logger
    }

    /// nil if there is nothing to ask for.
    func run() async throws(StartError) -> Joined? {
        guard !settings.join.isEmpty else { return nil }
        if case .store(let identity)? = try found() {
            try await refuseOther(than: identity)
            return nil
        }
        try refuseMixed()
        let options = try clientOptions()
        let body = try question()
        let began = ContinuousClock.now
        var failure = Failure(
            url: settings.join[0], reason: "nobody was asked", command: correction)
        var told: Failure?
        while began.duration(to: .now) < Self.limit {
            var open = settings.join
            var asked: Set<String> = []
            var mayHelpToWait = false
            while let url = open.popLast() {
                guard asked.insert(url).inserted else { continue }
                switch await ask(url, body, options) {
                case .joined(let joined): return joined
                case .leads(let leaders):
                    open += leaders
                    mayHelpToWait = true
                case .refused(let why): failure = why
                case .failed(let why):
                    failure = why
                    mayHelpToWait = true
                }
            }
            guard mayHelpToWait else { break }
            if told != failure {
                told = failure
                logger.info(
                    "no node has taken this one yet",
                    metadata: [
                        "event": "join_waits", "url": "\(failure.url)",
                        "reason": "\(failure.reason)",
                    ])
            }
            do {
                try await Task.sleep(for: Self.pause)
            } catch {
                throw .unforeseen("interrupted")
            }
        }
        throw .joinFailed(
            url: failure.url, reason: failure.reason, command: failure.command)
    }

    private struct Failure: Hashable {
        var url: String
        var reason: String
        var command: String
    }

    /// Where there is nobody who could say more.
    private var correction: String {
        checks.layers.command(
            changing: .join, to: ["\(settings.tls == nil ? "http" : "https")://10.0.0.1:7171"])
    }

    private func question() throws(StartError) -> Bytes {
        var body = JSONObject()
        body.add("address", try advertised())
        var generator = SystemRandomNumberGenerator()
        do throws(DataDirectoryError) {
            let path = settings.dataDirectory
            body.add("nonce", try DataDirectory.joiningNonce(path, using: &generator))
        } catch {
            throw checks.startError(error)
        }
        return Bytes(body.text.utf8)
    }

    /// A store that starts again needs nobody; but whoever answers has to be of its cluster.
    private func refuseOther(than identity: StoreIdentity) async throws(StartError) {
        let options = try clientOptions()
        for url in settings.join {
            guard let theirs = await cluster(at: url, options), theirs != identity.cluster
            else { continue }
            guard !identity.former.contains(theirs) else {
                logger.warning(
                    "a node named by --join is of the cluster that this one went on from",
                    metadata: [
                        "event": "join_left_behind", "url": "\(url)",
                        "try": "end it, and never start it again as it is",
                    ])
                continue
            }
            throw .wrongCluster(
                path: settings.dataDirectory, own: identity.cluster, url: url, theirs: theirs)
        }
    }

    /// nil if nobody says.
    private func cluster(at url: String, _ options: ClientOptions) async -> String? {
        do throws(ClientError) {
            var options = options
            options.connectTimeout = .seconds(1)
            options.responseTimeout = .seconds(1)
            let client = HTTPClient(try origin(url), options: options)
            let list = try await client.send(ClientRequest("GET", "/v1/stores"))
            return StoreList(list.body)?.cluster
        } catch {
            logger.debug(
                "a node named by --join does not answer",
                metadata: ["event": "join_unanswered", "url": "\(url)", "reason": "\(error)"])
            return nil
        }
    }

    /// nil where no folder is yet.
    private func found() throws(StartError) -> DataDirectory.Finding? {
        guard resolvedPath(settings.dataDirectory) != nil else { return nil }
        do throws(DataDirectoryError) {
            return try DataDirectory.inspect(settings.dataDirectory)
        } catch {
            throw checks.startError(error)
        }
    }

    private func advertised() throws(StartError) -> String {
        if let advertise = settings.advertise { return advertise }
        let address = settings.listen[0]
        guard address.port != 0, !address.isWildcard else {
            throw .joinFailed(
                url: settings.join[0],
                reason: "the cluster has to know where this node is, and \(address) is no place",
                command: checks.layers.command(
                    changing: .advertise, to: ["http://10.0.0.2:7171"]))
        }
        return "\(settings.tls == nil ? "http" : "https")://\(address)"
    }

    private enum Answer {
        case joined(Joined)
        /// Others that may lead.
        case leads([String])
        case failed(Failure)
        /// And no later try will go better.
        case refused(Failure)
    }

    private func ask(
        _ url: String, _ body: Bytes, _ options: ClientOptions
    ) async -> Answer {
        do {
            let client = HTTPClient(try origin(url), options: options)
            let list = try await client.send(ClientRequest("GET", "/v1/stores"))
            guard list.status == 200, let stores = StoreList(list.body) else {
                return refusal(list, of: url)
            }
            guard let leader = stores.leader else {
                return .failed(
                    Failure(
                        url: url, reason: "no store leads there",
                        command: "martlet stores --url \(shellQuoted(url))"))
            }
            guard leader.store == stores.own else { return .leads([leader.address]) }
            let answer = try await client.send(
                ClientRequest(
                    "POST", "/v1/stores",
                    headers: [ClientHeader("content-type", "application/json")],
                    body: body))
            guard answer.status == 200, let taken = StoreList(answer.body) else {
                return refusal(answer, of: url, learners: stores.learners)
            }
            let identity = StoreIdentity(
                cluster: taken.cluster, clusterName: taken.clusterName,
                store: UInt64(taken.own.number), created: .current)
            return .joined(Joined(identity: identity, peers: taken.addresses))
        } catch {
            return failure(error, url)
        }
    }

    private func refusal(
        _ response: ClientResponse, of url: String, learners: [StoreID] = []
    ) -> Answer {
        let problem = ServerProblem(response)
        guard let code = problem.code else {
            let reason = "it answered, but not as a node of Martlet (\(response.status))"
            let failure = Failure(url: url, reason: reason, command: correction)
            // What stands before a node may answer so while that one starts.
            return response.status >= 500 ? .failed(failure) : .refused(failure)
        }
        let place = "--url \(shellQuoted(url))"
        var failure = Failure(
            url: url, reason: problem.detail ?? code, command: "martlet stores \(place)")
        switch ProblemCode(rawValue: code) {
        case .storesJoining:
            if let first = learners.first {
                failure.command = "martlet stores --remove \(first) \(place)"
            }
            return .refused(failure)
        case .invalidArgument:
            failure.command = checks.layers.command(
                changing: .advertise, to: ["http://10.0.0.2:7171"])
            return .refused(failure)
        case .outcomeUnknown: return .failed(failure)
        case let code?: return code.retry == "no" ? .refused(failure) : .failed(failure)
        case nil: return response.status >= 500 ? .failed(failure) : .refused(failure)
        }
    }

    // MARK: TLS

    /// What can be seen to fail before anybody is asked.
    private func refuseMixed() throws(StartError) {
        let wrong = settings.join.first {
            $0.hasPrefix("https://") != (settings.tls != nil)
        }
        if let tls = settings.tls, tls.peerAuthorities == nil {
            throw .joinFailed(
                url: settings.join[0],
                reason: "stores with TLS know each other by certificates, and no --peer-ca says "
                    + "who signs those",
                command: checks.layers.command(changing: .peerCA, to: ["ca.crt"]))
        }
        guard let wrong else { return }
        let place = wrong.drop { $0 != ":" }
        if settings.tls != nil {
            throw .joinFailed(
                url: wrong, reason: "this node has TLS, and stores talk over TLS or not at all",
                command: checks.layers.command(changing: .join, to: ["https\(place)"]))
        }
        throw .joinFailed(
            url: wrong, reason: "it has TLS, and this node has no certificate to show there",
            command: checks.layers.command(changing: .peerCA, to: ["ca.crt"])
                + " --tls-cert node.crt --tls-key node.key")
    }

    /// Over TLS it shows what it will show as a store, and believes whom it will believe.
    private func clientOptions() throws(StartError) -> ClientOptions {
        var options = ClientOptions()
        options.peerContext = try settings.tls.map { tls throws(StartError) in
            try checks.acceptor(tls)
        }?.peerContext
        return options
    }

    /// The way that this node talks, whatever scheme another says that it has.
    private func origin(_ url: String) throws(ClientError) -> Origin {
        var origin = try Origin.parse(url).origin
        origin.scheme = settings.tls == nil ? .http : .https
        return origin
    }

    private func failure(_ error: ClientError, _ url: String) -> Answer {
        func because(_ reason: String) -> Failure {
            Failure(url: url, reason: reason, command: correction)
        }
        let refusal: String? =
            switch error {
            case .peerSpeaksCleartext:
                "it speaks plain HTTP and this node TLS; start it with --tls-cert, --tls-key and "
                    + "--peer-ca too"
            case .peerSpeaksTLS:
                "it speaks TLS and this node plain HTTP; start this one with --tls-cert, "
                    + "--tls-key and --peer-ca"
            case .certificateRejected(_, let reason):
                "its certificate is not accepted (\(reason)): it has to be for that address, and "
                    + "signed by an authority of --peer-ca here"
            default: nil
            }
        return refusal.map { .refused(because($0)) } ?? .failed(because(error.description))
    }
}

/// What `/v1/stores` answers.
private struct StoreList {
    struct Store {
        var store = StoreID(0)
        var address = ""
        var role = ""
    }

    var cluster = ""
    var clusterName = ""
    var own = StoreID(0)
    var stores: [Store] = []

    var leader: Store? { stores.first { $0.role == "leader" && !$0.address.isEmpty } }

    var learners: [StoreID] { stores.filter { $0.role == "learner" }.map(\.store) }

    var addresses: [StoreID: String] {
        stores.reduce(into: [:]) { $0[$1.store] = $1.address.isEmpty ? nil : $1.address }
    }

    init?(_ body: Bytes) {
        do throws(Problem) {
            try JSONValue.read(body) { root throws(Problem) in
                try root.forEachMember { name, value throws(Problem) in
                    switch String(decoding: name, as: UTF8.self) {
                    case "cluster_id": cluster = Self.text(value)
                    case "cluster_name": clusterName = Self.text(value)
                    case "store_id": own = Self.store(value)
                    case "stores":
                        try value.forEachElement { element throws(Problem) in
                            var store = Store()
                            try element.forEachMember { name, value throws(Problem) in
                                switch String(decoding: name, as: UTF8.self) {
                                case "store_id": store.store = Self.store(value)
                                case "address": store.address = Self.text(value)
                                case "role": store.role = Self.text(value)
                                default: break
                                }
                            }
                            stores.append(store)
                        }
                    default: break
                    }
                }
            }
        } catch {
            return nil
        }
        guard !cluster.isEmpty, own.number > 0 else { return nil }
    }

    private static func text(_ value: JSONValue) -> String {
        value.text.map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    private static func store(_ value: JSONValue) -> StoreID {
        StoreID(UInt32(text(value)) ?? 0)
    }
}
