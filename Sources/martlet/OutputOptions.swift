/// In which form a command prints what it found: of every command that prints a table.
///
/// `--json` is short for `--output json`, since that is the one that scripts ask for; every command
/// that prints an answer has it, these have the others too.
internal import ArgumentParser
internal import Base
internal import Glibc
internal import Settings
internal import Terminal

enum OutputForm: String, CaseIterable, ExpressibleByArgument {
    case json, yaml, table, tsv
}

struct OutputOptions: ParsableArguments {
    @Flag(help: "The node's answer unchanged, or one JSON object.") var json = false

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "json, yaml, table or tsv. [table on a terminal, else tsv]", valueName: "form"))
    var output: OutputForm?

    func validate() throws {
        if json, let output, output != .json {
            throw ValidationError("--json and --output \(output.rawValue) exclude each other.")
        }
    }

    /// A document is asked for, and not columns.
    var isDocument: Bool { form == .json || form == .yaml }

    /// The node's own problems are passed on then.
    var isJSON: Bool { form == .json }

    var isAligned: Bool { form == .table }

    private var form: OutputForm {
        if json { return .json }
        return output ?? (StandardStream.isInteractive(STDOUT_FILENO) ? .table : .tsv)
    }

    /// Whether a failure is to be a document too. Looked for in the words themselves, since what
    /// the parser refuses has no command that could be asked.
    static func wantsJSON(_ arguments: [String]) -> Bool {
        let words = arguments.prefix { $0 != "--" }
        return words.contains { ["--json", "--output=json"].contains($0) }
            || zip(words, words.dropFirst()).contains {
                ["--output", "-o"].contains($0) && $1 == "json"
            }
    }

    /// A JSON document, as it is or as YAML. Several of one run are told apart.
    func emitDocument(_ json: Bytes, isFirst: Bool = true) throws(CommandFailure) {
        guard form == .yaml else { return emit(json) }
        guard let text = YAMLText.text(ofJSON: json) else {
            throw CommandFailure(
                Diagnosis(
                    .error, "answer_unreadable", "the answer is no JSON document",
                    advice: "the same with --output json"), .fault)
        }
        emit(Bytes(((isFirst ? "" : "---\n") + text).utf8))
    }
}
