/// What can be wrong with the settings themselves, before any of them is tried on the machine.

package enum SettingsError: Error, Hashable, Sendable {
    case unreadable(path: String, reason: String)
    case syntax(path: String, line: Int, String)
    case unknownKey(String, path: String, line: Int, nearest: String?)
    /// `expected` completes "… must be".
    case invalid(
        SettingName, value: String, origin: SettingOrigin, expected: String, example: String)
    /// `tls_cert` without `tls_key`, or the other way round, or `peer_ca` without them.
    case incompleteTLS(
        given: SettingName, path: String, missing: SettingName, origin: SettingOrigin)

    package var code: String {
        switch self {
        case .unreadable: "configuration_unreadable"
        case .syntax: "configuration_syntax"
        case .unknownKey: "configuration_unknown_key"
        case .invalid: "configuration_invalid"
        case .incompleteTLS: "configuration_incomplete"
        }
    }

    /// A value given as a flag is the command line's fault; everything else is the configuration's.
    package var exitStatus: ExitStatus {
        switch self {
        case .invalid(_, _, .flag, _, _), .incompleteTLS(_, _, _, .flag): .usage
        default: .configuration
        }
    }

    package var fact: String {
        switch self {
        case .unreadable(let path, let reason): "\(path): \(reason)"
        case .syntax(let path, let line, let what): "\(path), line \(line): \(what)"
        case .unknownKey(let key, let path, let line, let nearest):
            "\(path), line \(line): unknown key \(key)"
                + (nearest.map { ". Did you mean \($0)?" } ?? "")
        case .invalid(let name, let value, let origin, let expected, _):
            "\(origin.naming(name)) is \"\(value)\", and must be \(expected)"
        case .incompleteTLS(let given, _, let missing, let origin):
            "\(origin.naming(given)) is set without \(origin.spelling(missing)): "
                + (given == .peerCA ? "stores show a certificate to each other" : "TLS needs both")
        }
    }

    /// One line that can be pasted.
    package var advice: String {
        switch self {
        case .unreadable(let path, _): "ls -l \(shellQuoted(path))"
        case .syntax(let path, let line, _): "sed -n \(line)p \(shellQuoted(path))"
        case .unknownKey(let key, let path, let line, let nearest?):
            "sed -i '\(line)s/\(key)/\(nearest)/' \(shellQuoted(path))"
        case .unknownKey: "martlet config show --origin   # lists every key"
        case .invalid(let name, _, let origin, _, let example):
            origin.statement(name, example)
        case .incompleteTLS(let given, let path, let missing, .flag):
            "martlet serve \(given.flag) \(shellQuoted(path)) "
                + "\(missing.flag) \(missing.exampleFile)"
                + (given == .peerCA ? " --tls-key node.key" : "")
        case .incompleteTLS(_, _, let missing, let origin):
            origin.statement(missing, missing.exampleFile)
        }
    }
}

/// Where a value came from.
package enum SettingOrigin: Hashable, Sendable, CustomStringConvertible {
    case flag
    case environment
    case file(path: String, line: Int)
    case `default`

    package var description: String {
        switch self {
        case .flag: "flag"
        case .environment: "environment"
        case .file(let path, let line): "\(path):\(line)"
        case .default: "default"
        }
    }

    /// How the setting is written there.
    package func spelling(_ name: SettingName) -> String {
        switch self {
        case .flag: name.flag
        case .environment: name.variable
        case .file, .default: name.key
        }
    }

    /// The same, and the place where it stands.
    package func naming(_ name: SettingName) -> String {
        switch self {
        case .flag, .environment, .default: spelling(name)
        case .file(let path, let line): "\(path), line \(line): \(spelling(name))"
        }
    }

    /// How `value` is stated there.
    package func statement(_ name: SettingName, _ value: String) -> String {
        switch self {
        case .flag, .default: "martlet serve \(name.flag) \(shellQuoted(value))"
        case .environment: "export \(name.variable)=\(shellQuoted(value))"
        case .file:
            switch name.kind {
            case .integer, .boolean: "\(name.key) = \(value)"
            case .list: "\(name.key) = [\"\(value)\"]"
            case .text, .size, .choice: "\(name.key) = \"\(value)\""
            }
        }
    }
}

/// A text as one word for a POSIX shell; in quotation marks only if it needs them.
package func shellQuoted(_ text: String) -> String {
    let plain = text.utf8.allSatisfy {
        ($0 >= 0x30 && $0 <= 0x39) || ($0 >= 0x41 && $0 <= 0x5A) || ($0 >= 0x61 && $0 <= 0x7A)
            || "_-./:=,@%+[]".utf8.contains($0)
    }
    if plain, !text.isEmpty { return text }
    return "'" + text.replacing("'", with: "'\\''") + "'"
}
