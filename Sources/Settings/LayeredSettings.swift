/// What flags, environment, file and defaults state, merged setting by setting: flag over
/// environment over file over default, and where each value came from.
///
/// Always merged: a file never makes a flag or a variable void, and the other way round.
private import Base

package struct LayeredSettings: Hashable, Sendable {
    package struct Stated: Hashable, Sendable {
        /// One text, or for a list as many as it has.
        package var texts: [String]
        package var origin: SettingOrigin
    }

    /// Every setting that has a value.
    package private(set) var stated: [SettingName: Stated] = [:]
    /// The flags as given, to print a command line that repeats them.
    package let flags: [SettingName: [String]]
    /// Variables with our prefix that mean nothing.
    package private(set) var warnings: [Diagnosis] = []

    package init(
        flags: [SettingName: [String]], environment: [String: String], file: SettingsFile?
    ) throws(SettingsError) {
        self.flags = flags
        for name in SettingName.allCases {
            if let text = name.defaultText {
                stated[name] = Stated(texts: [text], origin: .default)
            }
        }
        if let file { try state(file) }
        for name in SettingName.allCases {
            guard let text = environment[name.variable] else { continue }
            stated[name] = Stated(
                texts: LayeredSettings.items(text, name), origin: .environment)
        }
        for (name, texts) in flags {
            stated[name] = Stated(texts: texts, origin: .flag)
        }
        warnings = LayeredSettings.unknownVariables(environment)
    }

    private mutating func state(_ file: SettingsFile) throws(SettingsError) {
        for entry in file.entries {
            guard let name = SettingName(rawValue: entry.key) else {
                throw .unknownKey(
                    entry.key, path: file.path, line: entry.line,
                    nearest: NearestName.find(
                        entry.key.replacing("-", with: "_"),
                        among: SettingName.allCases.map(\.key)))
            }
            let origin = SettingOrigin.file(path: file.path, line: entry.line)
            stated[name] = Stated(texts: try entry.value.texts(for: name, origin), origin: origin)
        }
    }

    /// A list in the environment has commas between its items; an empty variable is an empty list.
    private static func items(_ text: String, _ name: SettingName) -> [String] {
        guard name.kind == .list else { return [text] }
        return text.split(separator: ",").map {
            String($0.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }
    }

    /// Kubernetes sets `MARTLET_PORT=tcp://…`, `MARTLET_SERVICE_HOST` and the like in every pod
    /// beside a Service named martlet; they are its business and earn no warning.
    private static func unknownVariables(_ environment: [String: String]) -> [Diagnosis] {
        let known = SettingName.allCases.map(\.variable) + SettingName.otherVariables
        return environment.keys.sorted().compactMap { variable in
            guard variable.hasPrefix(SettingName.variablePrefix), !known.contains(variable)
            else { return nil }
            let isServiceLink =
                variable.hasPrefix("MARTLET_SERVICE_") || variable.hasPrefix("MARTLET_PORT_")
                || environment[variable]?.contains("://") == true
            if isServiceLink { return nil }
            let nearest =
                variable == "MARTLET_PORT"
                ? SettingName.listen.variable : nearestVariable(to: variable, among: known)
            // Its value is not repeated: nobody knows what it is.
            return Diagnosis(
                .warning, "unknown_variable",
                "unknown variable \(variable) is ignored"
                    + (nearest.map { ". Did you mean \($0)?" } ?? ""),
                advice: nearest.map { "export \($0)=\"$\(variable)\"; unset \(variable)" }
                    ?? "unset \(variable)   # martlet serve --help lists those there are")
        }
    }

    /// Compared without the prefix that all of them share, which would make everything look near.
    private static func nearestVariable(to variable: String, among known: [String]) -> String? {
        let count = SettingName.variablePrefix.count
        return NearestName.find(
            String(variable.dropFirst(count)), among: known.map { String($0.dropFirst(count)) }
        ).map { SettingName.variablePrefix + $0 }
    }

    /// `martlet serve` with the flags that were given, one of them changed.
    package func command(changing name: SettingName, to texts: [String]) -> String {
        var flags = flags
        flags[name] = texts
        var words = ["martlet serve"]
        for name in SettingName.allCases {
            for text in flags[name] ?? [] {
                words.append(
                    name.kind == .boolean ? name.flag : "\(name.flag) \(shellQuoted(text))")
            }
        }
        return words.joined(separator: " ")
    }
}

extension SettingsFile.Value {
    /// The same value as a flag would state it, if its TOML type suits the setting.
    fileprivate func texts(
        for name: SettingName, _ origin: SettingOrigin
    ) throws(SettingsError) -> [String] {
        switch (name.kind, self) {
        case (.list, .list(let items)): return items
        case (.list, .text(let text)), (.text, .text(let text)), (.choice, .text(let text)),
            (.size, .text(let text)):
            return [text]
        case (.integer, .integer(let number)), (.size, .integer(let number)):
            return ["\(number)"]
        case (.boolean, .boolean(let flag)): return ["\(flag)"]
        case (let kind, _):
            throw .invalid(
                name, value: spelled, origin: origin, expected: kind.type, example: kind.example)
        }
    }

    private var spelled: String {
        switch self {
        case .text(let text): text
        case .integer(let number): "\(number)"
        case .boolean(let flag): "\(flag)"
        case .list(let items): items.joined(separator: ", ")
        }
    }
}

extension SettingName.Kind {
    fileprivate var type: String {
        switch self {
        case .text, .choice: "a text in quotation marks"
        case .list: "a list of texts, [\"…\", \"…\"]"
        case .integer: "a whole number without quotation marks"
        case .boolean: "true or false, without quotation marks"
        case .size: "a size in quotation marks or a number of bytes"
        }
    }

    fileprivate var example: String {
        switch self {
        case .text: "…"
        case .list: "127.0.0.1:7171"
        case .integer: "2"
        case .boolean: "true"
        case .size: "512MiB"
        case .choice(let choices): choices[0]
        }
    }
}
