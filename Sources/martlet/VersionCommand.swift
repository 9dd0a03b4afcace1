/// `martlet version` and `martlet completion`.
internal import ArgumentParser
private import CBuild
internal import Settings
internal import Terminal

struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Print the version of this program.")

    @Flag(help: "One JSON object.") var json = false

    func run() {
        guard json else { return print(Build.sentence) }
        var object = JSONObject()
        object.add("version", Build.version)
        object.add("revision", Build.revision)
        object.add("swift", Build.swift)
        object.add("platform", Build.platform)
        object.add("optimized", Build.isOptimized)
        print(object.text)
    }
}

/// Facts of this build.
enum Build {
    /// Semantic versioning of the HTTP API, the formats on disk and the command line together.
    static let version = "0.1.0"

    /// The commit, or `unknown`.
    static var revision: String { String(cString: martlet_revision()) }

    static var sentence: String {
        "Martlet \(version) (Swift \(swift), \(platform))"
            + (revision == "unknown" ? "" : " commit \(revision)")
            + (isOptimized ? "" : " debug build")
    }

    static var swift: String {
        #if compiler(>=6.4)
            "6.4 or later"
        #elseif compiler(>=6.3)
            "6.3"
        #else
            "6.2"
        #endif
    }

    static var platform: String {
        #if arch(x86_64)
            "linux x86_64"
        #elseif arch(arm64)
            "linux arm64"
        #else
            "linux"
        #endif
    }

    static var isOptimized: Bool {
        var isOptimized = true
        // An assertion is evaluated in debug builds only.
        assert(
            {
                isOptimized = false; return true
            }())
        return isOptimized
    }
}

struct CompletionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completion",
        abstract: "Print a completion script for bash, zsh or fish.",
        discussion: """
              martlet completion bash > /etc/bash_completion.d/martlet
              martlet completion fish > ~/.config/fish/completions/martlet.fish
            """)

    @Argument(help: "bash, zsh or fish.", completion: .list(["bash", "zsh", "fish"]))
    var shell: String

    func run() throws {
        guard let known = CompletionShell(rawValue: shell) else {
            throw CommandFailure(
                Diagnosis(
                    .error, "unknown_shell", "there is no completion for \(Table.printable(shell))",
                    advice: "martlet completion bash"), .usage)
        }
        print(Martlet.completionScript(for: known))
    }
}
