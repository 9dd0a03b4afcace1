/// `martlet config show` and `martlet config validate`: what a node would run with, and where each
/// value comes from.
internal import ArgumentParser
internal import Base
internal import Settings
internal import Terminal

struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Show or validate the settings of a node.",
        subcommands: [ConfigShowCommand.self, ConfigValidateCommand.self])
}

struct ConfigShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Print every setting.",
        discussion: """
            A flag wins over the environment, that over the file, that over the default;
            all of them are always merged.

              martlet config show --origin --config martlet.toml
              MARTLET_CORES=2 martlet config show --json
            """)

    @OptionGroup var serve: ServeOptions
    @Flag(help: "Say where each value comes from.") var origin = false
    @OptionGroup var output: OutputOptions

    func run() throws {
        let layers = try settingsOrFailure(serve).layers
        layers.reportWarnings()
        if output.isDocument {
            var object = JSONObject()
            object.add("settings", SettingName.allCases.map { layers.object(of: $0) })
            object.add("warnings", layers.warnings.map(\.fact))
            return try output.emitDocument(Bytes("\(object.text)\n".utf8))
        }
        var table = origin ? Table("setting", "value", "origin") : Table("setting", "value")
        for name in SettingName.allCases {
            let stated = layers.stated[name]
            let value = stated?.texts.joined(separator: ", ") ?? "(\(name.unstated))"
            if origin {
                table.add(name.key, value, "\(stated?.origin ?? .default)")
            } else {
                table.add(name.key, value)
            }
        }
        print(table.text(aligned: output.isAligned), terminator: "")
    }
}

struct ConfigValidateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate",
        abstract: "Exit 0 if the settings are valid, 78 if not.",
        discussion: """
            Looks at the settings alone; `martlet doctor` also asks the machine.

              martlet config validate --config /etc/martlet/martlet.toml
            """)

    @OptionGroup var serve: ServeOptions
    @Flag(help: "One JSON object.") var json = false

    func run() throws {
        let layers = try settingsOrFailure(serve).layers
        layers.reportWarnings()
        let stated = layers.stated.values.filter { $0.origin != .default }.count
        if json {
            var object = JSONObject()
            object.add("valid", true)
            object.add("stated", stated)
            object.add("warnings", layers.warnings.map(\.fact))
            print(object.text)
        } else {
            print("valid: \(stated) of \(SettingName.allCases.count) settings stated")
        }
    }
}

/// The settings, or the failure that a command ends with, in `format` unless the log's format is
/// stated.
func settingsOrFailure(
    _ options: ServeOptions, format: LogFormat = .text
) throws(CommandFailure) -> (layers: LayeredSettings, settings: ServeSettings) {
    do throws(SettingsError) {
        let layers = try options.layers()
        return (layers, try ServeSettings(layers))
    } catch {
        // The file may be what is wrong; so only what can be read without it counts here.
        let asked = options.logFormat ?? environmentVariables()[SettingName.logFormat.variable]
        throw CommandFailure(
            .settings(error), format: asked.flatMap { LogFormat(rawValue: $0) } ?? format)
    }
}

extension LayeredSettings {
    fileprivate func reportWarnings() {
        for warning in warnings { report(warning, format: .text) }
    }

    fileprivate func object(of name: SettingName) -> JSONObject {
        var object = JSONObject()
        object.add("key", name.key)
        if let stated = stated[name] {
            if name.kind == .list {
                object.add("value", stated.texts)
            } else {
                object.add("value", stated.texts.last ?? "")
            }
        } else {
            object.add("unstated", name.unstated)
        }
        object.add("origin", "\(stated[name]?.origin ?? .default)")
        object.add("flag", name.flag)
        object.add("variable", name.variable)
        return object
    }
}
