/// Every setting of `martlet serve`, once: its key in the file, its flag, its environment variable,
/// its kind and its default. What is not in this table is not a setting, and is refused by name.
///
/// Few on purpose: what can be decided by the server itself is not offered here.

package enum SettingName: String, CaseIterable, Hashable, Sendable {
    case dataDir = "data_dir"
    case listen
    case cores
    case cacheSize = "cache_size"
    case tlsCert = "tls_cert"
    case tlsKey = "tls_key"
    case peerCA = "peer_ca"
    case insecure
    case allowHost = "allow_host"
    case join
    case advertise
    case logFormat = "log_format"
    case logLevel = "log_level"
    case failpoints
    case enableFailpoints = "enable_failpoints"

    /// What a value may look like; the file's TOML type follows from it.
    package enum Kind: Hashable, Sendable {
        case text
        /// Several texts: a repeated flag, an array in the file, commas in the environment.
        case list
        case integer
        case boolean
        /// A number of bytes, with a unit or without.
        case size
        case choice([String])
    }

    package var key: String { rawValue }

    package var flag: String { "--" + rawValue.replacing("_", with: "-") }

    package var variable: String { SettingName.variablePrefix + rawValue.uppercased() }

    package static let variablePrefix = "MARTLET_"

    /// Variables with our prefix that are not settings of a node: where the file is, and what the
    /// client commands read.
    package static let otherVariables = [
        "MARTLET_CONFIG", "MARTLET_URL", "MARTLET_TIMEOUT", "MARTLET_TLS_CA",
    ]

    package var kind: Kind {
        switch self {
        case .dataDir, .tlsCert, .tlsKey, .peerCA, .advertise, .failpoints: .text
        case .listen, .allowHost, .join: .list
        case .cores: .integer
        case .cacheSize: .size
        case .insecure, .enableFailpoints: .boolean
        case .logFormat: .choice(LogFormat.allCases.map(\.rawValue))
        case .logLevel: .choice(LogThreshold.allCases.map(\.rawValue))
        }
    }

    /// The value when nobody states one; nil if the node decides by itself, and then `unstated`
    /// says how.
    package var defaultText: String? {
        switch self {
        case .dataDir: "martlet-data"
        case .listen: "127.0.0.1:7171"
        case .insecure, .enableFailpoints: "false"
        case .logLevel: LogThreshold.info.rawValue
        case .cores, .cacheSize, .tlsCert, .tlsKey, .peerCA, .allowHost, .join, .advertise,
            .logFormat, .failpoints:
            nil
        }
    }

    /// For advice where a file is missing.
    var exampleFile: String {
        switch self {
        case .tlsKey: "node.key"
        case .peerCA: "ca.crt"
        default: "node.crt"
        }
    }

    /// What holds when there is no value, in words.
    package var unstated: String {
        switch self {
        case .cores: "the machine's cores"
        case .cacheSize: "a quarter of the memory"
        case .tlsCert, .tlsKey: "no TLS"
        case .peerCA: "with TLS, no other store is believed"
        case .allowHost: "none beside IP addresses and localhost"
        case .join: "a new directory begins a cluster of its own"
        case .advertise: "the first address of listen"
        case .logFormat: "text on a terminal, json otherwise"
        case .failpoints: "none is set"
        case .dataDir, .listen, .insecure, .logLevel, .enableFailpoints: ""
        }
    }
}

package enum LogFormat: String, CaseIterable, Hashable, Sendable {
    case text, json
}

package enum LogThreshold: String, CaseIterable, Hashable, Sendable {
    case trace, debug, info, notice, warning, error, critical
}
