// Other people's programs that the tests judge with. `make test` installs them all; one that is
// missing fails the test with the line that gets it.
package import Foundation
package import Testing

package enum Tool {
    package static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// A program of the system, from a Debian package.
    package static func system(_ name: String, package: String, _ arguments: String...) throws
        -> Program
    {
        try #require(
            FileManager.default.isExecutableFile(atPath: "/usr/bin/\(name)"),
            "\(name) is missing: apt-get install \(package), or make test")
        var program = Program(arguments: arguments)
        program.executable = URL(filePath: "/usr/bin/\(name)")
        return program
    }

    package static func curl(_ arguments: String...) throws -> Program.Outcome {
        let failing = ["--silent", "--show-error", "--path-as-is", "--max-time", "20"]
        var program = try system("curl", package: "curl")
        program.arguments = failing + arguments
        return try program.run(within: .seconds(30))
    }

    /// A program of the virtual environment that `make test` fills from Tests/requirements.txt.
    package static func python(tool name: String, _ arguments: String...) throws -> Program {
        let path = root.appending(path: ".venv/bin/\(name)")
        try #require(
            FileManager.default.isExecutableFile(atPath: path.path),
            "\(path.path) is missing: make .venv/installed, or make test")
        var program = Program(arguments: arguments).in(root)
        program.executable = path
        return program
    }

    /// A script of Tests/Contract.
    package static func python(_ script: String, _ arguments: String...) throws -> Program {
        try python(arguments: [script] + arguments)
    }

    package static func python(arguments: [String]) throws -> Program {
        var program = try python(tool: "python")
        program.arguments =
            [root.appending(path: "Tests/Contract/\(arguments[0])").path] + arguments.dropFirst()
        return program.with("PYTHONDONTWRITEBYTECODE", "1")
    }

    /// What it says, if it succeeds.
    @discardableResult
    package static func succeed(
        _ program: Program, within limit: Duration,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> String {
        let outcome = try program.run(within: limit)
        #expect(
            outcome.status == 0,
            "\(outcome.text.suffix(6000))\(outcome.messages.suffix(6000))",
            sourceLocation: sourceLocation)
        return outcome.text
    }
}
