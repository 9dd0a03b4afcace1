/// The flags of `martlet serve` and `martlet doctor`, and how they become settings together with
/// the environment and the file.
///
/// Every value is taken as text here, so that a wrong one gets the same sentence whichever way it
/// came.
internal import ArgumentParser
private import Glibc
internal import Settings

struct ServeOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("Where the data is.", valueName: "dir"), completion: .directory)
    var dataDir: String?

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "An address to listen on; may be repeated. [127.0.0.1:7171]", valueName: "address"))
    var listen: [String] = []

    @Option(help: ArgumentHelp("Event loops. [the machine's cores]", valueName: "n"))
    var cores: String?

    @Option(help: ArgumentHelp("Memory for blocks of the store, as in 512MiB.", valueName: "size"))
    var cacheSize: String?

    @Option(
        help: ArgumentHelp("Certificate chain, PEM.", valueName: "file"), completion: .file())
    var tlsCert: String?

    @Option(help: ArgumentHelp("Its private key, PEM.", valueName: "file"), completion: .file())
    var tlsKey: String?

    @Option(
        name: .customLong("peer-ca"),
        help: ArgumentHelp(
            "Authorities of the stores' certificates, PEM: stores talk over TLS.",
            valueName: "file"), completion: .file())
    var peerCA: String?

    @Flag(help: "Listen beyond this machine without TLS.")
    var insecure = false

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "A host name under which browsers may reach the node; may be repeated.",
            valueName: "host"))
    var allowHost: [String] = []

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "A node of the cluster that a new node is to join; may be repeated.",
            valueName: "url"))
    var join: [String] = []

    @Option(
        help: ArgumentHelp(
            "Where other nodes reach this one. [the first address]", valueName: "url"))
    var advertise: String?

    @Option(
        help: ArgumentHelp(
            "text or json. [text on a terminal, else json]", valueName: "format"),
        completion: .list(LogFormat.allCases.map(\.rawValue)))
    var logFormat: String?

    @Option(
        help: ArgumentHelp("From trace to critical. [info]", valueName: "level"),
        completion: .list(LogThreshold.allCases.map(\.rawValue)))
    var logLevel: String?

    @Option(
        help: ArgumentHelp(
            "Faults from the start, as in log.sync=1*sleep(100).", valueName: "name=actions"))
    var failpoints: String?

    @Flag(help: "Serve /v1/debug/failpoints, by which anybody may break the node.")
    var enableFailpoints = false

    @OptionGroup var file: FileOption

    private var flags: [SettingName: [String]] {
        var flags: [SettingName: [String]] = [:]
        for name in SettingName.allCases {
            switch name {
            case .dataDir: flags[name] = dataDir.map { [$0] }
            case .listen: flags[name] = listen.isEmpty ? nil : listen
            case .cores: flags[name] = cores.map { [$0] }
            case .cacheSize: flags[name] = cacheSize.map { [$0] }
            case .tlsCert: flags[name] = tlsCert.map { [$0] }
            case .tlsKey: flags[name] = tlsKey.map { [$0] }
            case .peerCA: flags[name] = peerCA.map { [$0] }
            case .insecure: flags[name] = insecure ? ["true"] : nil
            case .allowHost: flags[name] = allowHost.isEmpty ? nil : allowHost
            case .join: flags[name] = join.isEmpty ? nil : join
            case .advertise: flags[name] = advertise.map { [$0] }
            case .logFormat: flags[name] = logFormat.map { [$0] }
            case .logLevel: flags[name] = logLevel.map { [$0] }
            case .failpoints: flags[name] = failpoints.map { [$0] }
            case .enableFailpoints: flags[name] = enableFailpoints ? ["true"] : nil
            }
        }
        return flags
    }

    func layers() throws(SettingsError) -> LayeredSettings {
        try file.layers(under: flags)
    }
}

struct FileOption: ParsableArguments {
    @Option(
        help: ArgumentHelp("Settings as `key = value` lines, TOML.", valueName: "file"),
        completion: .file(extensions: ["toml"]))
    var config: String?

    func validate() throws {
        if config == "" { throw ValidationError("--config names no file.") }
    }

    func layers(under flags: [SettingName: [String]]) throws(SettingsError) -> LayeredSettings {
        let environment = environmentVariables()
        var file: SettingsFile?
        if let path = config ?? environment["MARTLET_CONFIG"] {
            file = try SettingsFile(path: path, text: try settingsText(path))
        }
        return try LayeredSettings(flags: flags, environment: environment, file: file)
    }
}

func environmentVariables() -> [String: String] {
    var variables: [String: String] = [:]
    var entry = environ
    while let text = entry.pointee {
        let (name, value) = String(cString: text).splitOnce("=")
        variables[name] = value ?? ""
        entry += 1
    }
    return variables
}

extension String {
    func splitOnce(_ separator: Character) -> (String, String?) {
        guard let index = firstIndex(of: separator) else { return (self, nil) }
        return (String(self[..<index]), String(self[self.index(after: index)...]))
    }
}

private func settingsText(_ path: String) throws(SettingsError) -> String {
    switch readFile(path, limit: 1 << 20) {
    case .success(let bytes):
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw .unreadable(path: path, reason: "it is not UTF-8 text")
        }
        return text
    case .failure(let error):
        throw .unreadable(path: path, reason: error.reason)
    }
}
