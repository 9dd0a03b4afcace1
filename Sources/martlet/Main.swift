/// The `martlet` program: the root of its commands, its way out, and what it says when told
/// nothing.
///
/// Standard output is for data, standard error for messages; with `--json` a failure is data too,
/// an object in the place of the answer. Every failure leaves with a status of `ExitStatus`.
internal import ArgumentParser
internal import Base
private import Glibc
internal import Settings
internal import Terminal

struct Martlet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "martlet",
        abstract: "A key-value service over HTTP and JSON.",
        discussion: """
              martlet serve
              martlet put greeting hello && martlet get greeting

            Exit status: 0 done, yes · 1 the answer is no
              64 wrong usage            65 wrong data
              69 unreachable            70 a fault of Martlet
              74 disk full or failing   75 try again later
              76 outcome unknown        77 not allowed
              78 wrong configuration
            """,
        version: Build.sentence,
        subcommands: [
            ServeCommand.self, PlaygroundCommand.self, GetCommand.self, PutCommand.self,
            DeleteCommand.self, ScanCommand.self,
            StoresCommand.self, RegionCommand.self, TransferLeaderCommand.self, DrainCommand.self,
            RecoverCommand.self,
            StatusCommand.self, HealthcheckCommand.self, DoctorCommand.self, ConfigCommand.self,
            BenchCommand.self, VersionCommand.self, CompletionCommand.self,
        ])

    /// What `martlet` alone prints: at most twelve lines.
    static let summary = """
        Martlet, a key-value service over HTTP and JSON.

          martlet serve                    run a node here, data in ./martlet-data
          martlet playground               three nodes on this machine, to try it
          martlet put KEY VALUE            store a value; get, delete, scan likewise
          martlet status | stores          what a node says of itself, who is in the cluster
          martlet doctor                   would a node start here? changes nothing
          martlet config show --origin     every setting and where it came from
          martlet bench URL                load with a stated mix, latency table
          martlet version | healthcheck | completion SHELL

        `martlet COMMAND --help` tells more.
        """

    func run() { print(Martlet.summary) }
}

/// Ends a command: what is to be said, if anything, and the status.
struct CommandFailure: Error {
    var diagnosis: Diagnosis?
    var status: ExitStatus
    var format = LogFormat.text

    init(_ status: ExitStatus) { self.status = status }

    init(_ diagnosis: Diagnosis?, _ status: ExitStatus, format: LogFormat = .text) {
        self.diagnosis = diagnosis
        self.status = status
        self.format = format
    }

    init(_ error: StartError, format: LogFormat) {
        self.init(error.diagnosis, error.exitStatus, format: format)
    }
}

@main
enum Program {
    static func main() async {
        let arguments = Array(CommandLine.arguments.dropFirst())
        do {
            try refuseUndecodable()
            try refuseUnknownCommand(arguments)
            var command = try Martlet.parseAsRoot(arguments)
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let failure as CommandFailure {
            if let diagnosis = failure.diagnosis {
                if OutputOptions.wantsJSON(arguments) {
                    print(diagnosis.object(status: failure.status).text)
                } else {
                    report(diagnosis, format: failure.format, status: failure.status)
                }
            }
            exit(failure.status.rawValue)
        } catch {
            // A wish for help or the version is an error to the parser, and none to the user.
            guard Martlet.exitCode(for: error) == .success else {
                refuse(arguments, error)
            }
            Martlet.exit(withError: error)
        }
    }

    /// What the parser refuses, in the one form that all refusals have.
    private static func refuse(_ arguments: [String], _ error: any Error) -> Never {
        let lines = Martlet.message(for: error).split(separator: "\n")
        // A list of values stands below the sentence that announces it.
        let values = lines.dropFirst().map { $0.drop { " -".contains($0) } }
        let fact = lines.first.map { line in
            line.hasSuffix(":") ? "\(line) " + values.joined(separator: ", ") : String(line)
        }
        let names = Martlet.configuration.subcommands.map { $0._commandName }
        let command = arguments.first.flatMap { names.contains($0) ? "\($0) " : nil } ?? ""
        let isLogged =
            arguments.first == ServeCommand._commandName
            && !StandardStream.isInteractive(STDERR_FILENO)
        let diagnosis = Diagnosis(
            .error, "usage",
            fact.flatMap { negativeNumber(arguments, $0) } ?? fact
                ?? "these arguments make no sense",
            advice: dashAdvice(arguments, fact ?? "") ?? "martlet \(command)--help")
        if OutputOptions.wantsJSON(arguments), !isLogged {
            print(diagnosis.object(status: .usage).text)
        } else {
            report(diagnosis, format: isLogged ? .json : .text, status: .usage)
        }
        exit(ExitStatus.usage.rawValue)
    }

    /// Keys and values may begin with a dash, and then look like options.
    private static func dashAdvice(_ arguments: [String], _ fact: String) -> String? {
        let usage =
            switch arguments.first {
            case "put": "put [OPTIONS] -- KEY VALUE"
            case "get", "delete": "\(arguments[0]) [OPTIONS] -- KEY"
            case "scan": "scan [OPTIONS] -- PREFIX"
            default: ""
            }
        guard !usage.isEmpty else { return nil }
        if arguments.contains("--"), fact.lowercased().contains("unexpected argument") {
            return "martlet \(usage)   # after -- nothing is an option"
        }
        guard fact.hasPrefix("Unknown option"), !fact.contains("Did you mean") else { return nil }
        return "martlet \(usage)   # if it is a key or a value; else martlet \(arguments[0]) --help"
    }

    /// Arguments arrive here as text, and what is not UTF-8 would silently become another key.
    private static func refuseUndecodable() throws(CommandFailure) {
        for index in 1..<max(1, Int(CommandLine.argc)) {
            guard let word = CommandLine.unsafeArgv[index] else { continue }
            guard String(validatingCString: word) == nil else { continue }
            throw CommandFailure(
                Diagnosis(
                    .error, "argument_not_text", "argument \(index) is not UTF-8 text",
                    advice: "martlet get --base64 \"$(printf '\\377' | base64)\""), .usage)
        }
    }

    /// The parser would say "unexpected argument"; a near name helps more.
    private static func refuseUnknownCommand(_ arguments: [String]) throws(CommandFailure) {
        guard
            let word = arguments.first(where: { $0 != "help" }), !word.hasPrefix("-")
        else { return }
        try refuseUnknown(word, of: Martlet.self, path: "martlet")
        guard word == ConfigCommand._commandName,
            let next = arguments.drop(while: { $0 != word }).dropFirst().first,
            !next.hasPrefix("-")
        else { return }
        try refuseUnknown(next, of: ConfigCommand.self, path: "martlet config")
    }

    private static func refuseUnknown(
        _ word: String, of parent: any ParsableCommand.Type, path: String
    ) throws(CommandFailure) {
        let names = parent.configuration.subcommands.map { $0._commandName }
        guard !names.contains(word) else { return }
        let nearest = NearestName.find(word, among: names)
        throw CommandFailure(
            Diagnosis(
                .error, "unknown_command",
                "unknown command \(Table.printable(word))"
                    + (nearest.map { ". Did you mean \($0)?" } ?? ""),
                advice: "\(path) \(nearest ?? "--help")"), .usage)
    }

    /// The parser takes `-1` after an option for another option, and says that a value is missing.
    private static func negativeNumber(_ arguments: [String], _ fact: String) -> String? {
        guard let option = fact.firstMatch(of: /^Missing value for '(--[a-z-]+)/)?.1 else {
            return nil
        }
        return zip(arguments, arguments.dropFirst()).first {
            $0 == option && $1.contains(/^-[0-9]/)
        }.map { "\($0) is \"\(Table.printable($1))\", and is never negative" }
    }
}

extension Diagnosis {
    /// In the place of an answer: `code` and `detail` as in a server's problem (rest-api.md §2.9),
    /// and what a person would have read.
    fileprivate func object(status: ExitStatus) -> JSONObject {
        var object = JSONObject()
        object.add("code", code)
        object.add("detail", fact)
        if let advice { object.add("try", advice) }
        object.add("exit", Int(status.rawValue))
        return object
    }
}

/// One message to standard error, for a person or as a line of JSON.
func report(_ diagnosis: Diagnosis, format: LogFormat, status: ExitStatus? = nil) {
    guard format == .json else { return writeLine(diagnosis.text, to: STDERR_FILENO) }
    var line = JSONObject()
    line.add("ts", String(decoding: WallTime.current.rfc3339, as: UTF8.self))
    line.add("level", diagnosis.severity.rawValue)
    line.add("event", diagnosis.severity == .error ? "start_failed" : "start_warning")
    line.add("msg", diagnosis.fact)
    line.add("code", diagnosis.code)
    if let advice = diagnosis.advice { line.add("try", advice) }
    if let status { line.add("exit", Int(status.rawValue)) }
    writeLine(line.text, to: STDERR_FILENO)
}
