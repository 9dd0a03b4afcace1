// Runs the built `martlet` program as a user would: arguments, environment, standard streams,
// signals.
//
// The program is the one beside the test bundle, or MARTLET_BINARY. Output goes to files, so that
// no pipe can fill up and block, and a run is bounded: what does not end is killed and the test
// fails.
import Foundation
import Testing

struct Program {
    var arguments: [String]
    /// Beside PATH; the tests' own environment is not passed on.
    var environment: [String: String] = [:]
    var input: Data?
    /// Another one only to put `martlet` into a special place, such as a terminal.
    var executable = Program.binary
    /// The working directory.
    var folder = URL(filePath: "/")

    init(_ arguments: String...) { self.arguments = arguments }

    init(arguments: [String]) { self.arguments = arguments }

    struct Outcome {
        var status: Int32
        var signal: Int32?
        var output: Data
        var messages: String
        var took: Duration

        var text: String { String(decoding: output, as: UTF8.self) }
    }

    static let binary: URL = {
        if let path = ProcessInfo.processInfo.environment["MARTLET_BINARY"] {
            return URL(filePath: path)
        }
        let bundle = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return URL(filePath: bundle ?? "").deletingLastPathComponent().appending(path: "martlet")
    }()

    /// Runs to its end, which must come within `limit`.
    func run(within limit: Duration = .seconds(20)) throws -> Outcome {
        let running = try start()
        defer { running.kill() }
        return try #require(running.wait(limit), "it did not end within \(limit)")
    }

    func start() throws -> RunningProgram { try RunningProgram(self) }

    func `in`(_ folder: URL) -> Program {
        var program = self
        program.folder = folder
        return program
    }

    func with(_ name: String, _ value: String) -> Program {
        var program = self
        program.environment[name] = value
        return program
    }

    func reading(_ text: Data) -> Program {
        var program = self
        program.input = text
        return program
    }
}

/// A program that may still run.
final class RunningProgram {
    private let process = Process()
    private let folder: URL
    private let began = ContinuousClock.now

    fileprivate init(_ program: Program) throws {
        folder = try makeFolder()
        for name in ["in", "out", "err"] {
            try (name == "in" ? program.input ?? Data() : Data())
                .write(to: folder.appending(path: name))
        }
        process.executableURL = program.executable
        process.arguments = program.arguments
        process.currentDirectoryURL = program.folder
        process.environment = program.environment.merging(["PATH": "/usr/bin:/bin"]) { own, _ in own
        }
        process.standardInput = try FileHandle(forReadingFrom: folder.appending(path: "in"))
        process.standardOutput = try FileHandle(forWritingTo: folder.appending(path: "out"))
        process.standardError = try FileHandle(forWritingTo: folder.appending(path: "err"))
        try process.run()
    }

    var pid: Int32 { process.processIdentifier }
    var isRunning: Bool { process.isRunning }

    var output: Data { (try? Data(contentsOf: folder.appending(path: "out"))) ?? Data() }

    var messages: String {
        String(
            decoding: (try? Data(contentsOf: folder.appending(path: "err"))) ?? Data(),
            as: UTF8.self)
    }

    func send(_ signal: Int32) { if process.isRunning { Foundation.kill(pid, signal) } }

    /// For the end of a test, whatever happened.
    func kill() {
        send(SIGKILL)
        // Bounded: whatever a program started keeps it from counting as ended.
        _ = poll(.seconds(20)) { !process.isRunning }
        try? FileManager.default.removeItem(at: folder)
    }

    /// Nil if it still runs after `limit`.
    func wait(_ limit: Duration) -> Program.Outcome? {
        guard poll(limit, { !process.isRunning }) else { return nil }
        let isSignal = process.terminationReason == .uncaughtSignal
        return Program.Outcome(
            status: isSignal ? -1 : process.terminationStatus,
            signal: isSignal ? process.terminationStatus : nil, output: output,
            messages: messages, took: began.duration(to: .now))
    }

    /// Until a line of standard error has `text`; nil if the program ends or time runs out first.
    func line(with text: String, within limit: Duration = .seconds(20)) -> String? {
        func found() -> String? {
            // The last piece is no line until its end is written.
            messages.components(separatedBy: "\n").dropLast().first { $0.contains(text) }
        }
        _ = poll(limit) { found() != nil || !process.isRunning }
        return found()
    }
}

/// Looks again every few milliseconds until `condition` holds; false if it did not within `limit`.
func poll(_ limit: Duration, _ condition: () -> Bool) -> Bool {
    let deadline = ContinuousClock.now + limit
    while !condition() {
        guard ContinuousClock.now < deadline else { return condition() }
        usleep(2000)
    }
    return true
}

/// An empty folder of the test's own.
func makeFolder() throws -> URL {
    let folder = FileManager.default.temporaryDirectory
        .appending(path: "martlet-\(UInt64.random(in: 0 ... .max))")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    return folder
}

/// Calls `body` with an empty folder and removes it afterwards.
func withFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
    let folder = try makeFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
}
