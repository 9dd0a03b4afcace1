// Runs the built `martlet` program as a user would: arguments, environment, standard streams,
// signals.
//
// The program is the one beside the test bundle, or MARTLET_BINARY. Output goes to files, so that
// no pipe can fill up and block, and a run is bounded: what does not end is killed and the test
// fails.
package import Foundation
private import Testing

package struct Program {
    package var arguments: [String]
    /// Beside PATH; the tests' own environment is not passed on.
    package var environment: [String: String] = [:]
    package var input: Data?
    /// Another one only to put `martlet` into a special place, such as a terminal.
    package var executable = Program.binary
    /// The working directory.
    package var folder = URL(filePath: "/")

    package init(_ arguments: String...) { self.arguments = arguments }

    package init(arguments: [String]) { self.arguments = arguments }

    package struct Outcome {
        package var status: Int32
        package var signal: Int32?
        package var output: Data
        package var messages: String
        package var took: Duration

        package var text: String { String(decoding: output, as: UTF8.self) }
    }

    package static let binary: URL = {
        if let path = ProcessInfo.processInfo.environment["MARTLET_BINARY"] {
            return URL(filePath: path)
        }
        let bundle = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return URL(filePath: bundle ?? "").deletingLastPathComponent().appending(path: "martlet")
    }()

    /// Runs to its end, which must come within `limit`.
    package func run(within limit: Duration = .seconds(20)) throws -> Outcome {
        let running = try start()
        defer { running.kill() }
        return try #require(running.wait(limit), "it did not end within \(limit)")
    }

    package func start() throws -> RunningProgram { try RunningProgram(self) }

    package func `in`(_ folder: URL) -> Program {
        var program = self
        program.folder = folder
        return program
    }

    package func with(_ name: String, _ value: String) -> Program {
        var program = self
        program.environment[name] = value
        return program
    }

    package func reading(_ text: Data) -> Program {
        var program = self
        program.input = text
        return program
    }
}

/// A program that may still run.
package final class RunningProgram {
    package let pid: pid_t
    private let folder: URL
    private let began = ContinuousClock.now
    /// As waitpid gives it, once the program has ended.
    private var ended: Int32?

    fileprivate init(_ program: Program) throws {
        folder = try makeFolder()
        for name in ["in", "out", "err"] {
            try (name == "in" ? program.input ?? Data() : Data())
                .write(to: folder.appending(path: name))
        }
        pid = try spawn(program, streams: folder)
    }

    package var isRunning: Bool {
        if ended != nil { return false }
        var status: Int32 = 0
        guard waitpid(pid, &status, WNOHANG) == pid else { return true }
        ended = status
        return false
    }

    package var output: Data {
        (try? Data(contentsOf: folder.appending(path: "out"))) ?? Data()
    }

    package var messages: String {
        String(
            decoding: (try? Data(contentsOf: folder.appending(path: "err"))) ?? Data(),
            as: UTF8.self)
    }

    package func send(_ signal: Int32) { if isRunning { Foundation.kill(pid, signal) } }

    /// For the end of a test, whatever happened.
    package func kill() {
        send(SIGKILL)
        poll(.seconds(20)) { !isRunning }
        try? FileManager.default.removeItem(at: folder)
    }

    /// Nil if it still runs after `limit`.
    package func wait(_ limit: Duration) -> Program.Outcome? {
        guard poll(limit, { !isRunning }), let ended else { return nil }
        let signal = ended & 0x7F
        return Program.Outcome(
            status: signal == 0 ? ended >> 8 & 0xFF : -1, signal: signal == 0 ? nil : signal,
            output: output, messages: messages, took: began.duration(to: .now))
    }

    /// Until a line of standard error has `text`; nil if the program ends or time runs out first.
    package func line(with text: String, within limit: Duration = .seconds(20)) -> String? {
        func found() -> String? {
            // The last piece is no line until its end is written.
            messages.components(separatedBy: "\n").dropLast().first { $0.contains(text) }
        }
        poll(limit) { found() != nil || !isRunning }
        return found()
    }
}

private typealias AddFolder =
    @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, UnsafePointer<CChar>) -> Int32
private typealias AddDescriptor =
    @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32

/// Functions that Swift's import of glibc leaves out.
private func glibc<Function>(_ name: String, as type: Function.Type) throws -> Function {
    let found = try #require(dlsym(nil, "posix_spawn_file_actions_\(name)"), "glibc 2.34 is needed")
    return unsafeBitCast(found, to: type)
}

/// Not by Foundation's Process: that one takes a program for ended when a socket of its own is
/// closed, and programs started at the same moment by other tests hold copies of it.
private func spawn(_ program: Program, streams: URL) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (descriptor, (name, mode)) in [
        ("in", O_RDONLY), ("out", O_WRONLY | O_APPEND), ("err", O_WRONLY | O_APPEND),
    ].enumerated() {
        let path = streams.appending(path: name).path
        posix_spawn_file_actions_addopen(&actions, Int32(descriptor), path, mode, 0)
    }
    _ = try glibc("addchdir_np", as: AddFolder.self)(&actions, program.folder.path)
    _ = try glibc("addclosefrom_np", as: AddDescriptor.self)(&actions, 3)

    // Whatever this process blocks or ignores, the program starts like one of a shell.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(
        &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

    let environment = program.environment.merging(["PATH": "/usr/bin:/bin"]) { own, _ in own }
    let words = [program.executable.path] + program.arguments
    let variables = environment.map { "\($0.key)=\($0.value)" }
    let arguments = words.map { strdup($0) } + [nil]
    let values = variables.map { strdup($0) } + [nil]
    defer { for text in arguments + values { free(text) } }
    var pid: pid_t = 0
    let code = posix_spawn(&pid, words[0], &actions, &attributes, arguments, values)
    try #require(code == 0, "\(words[0]): \(String(cString: strerror(code)))")
    return pid
}

/// Looks again every few milliseconds until `condition` holds; false if it did not within `limit`.
@discardableResult
package func poll(
    _ limit: Duration, _ condition: () throws -> Bool
) rethrows -> Bool {
    let deadline = ContinuousClock.now + limit
    while try !condition() {
        guard ContinuousClock.now < deadline else { return try condition() }
        usleep(2000)
    }
    return true
}

/// An empty folder of the test's own.
package func makeFolder() throws -> URL {
    let folder = FileManager.default.temporaryDirectory
        .appending(path: "martlet-\(UInt64.random(in: 0 ... .max))")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    return folder
}

/// Calls `body` with an empty folder and removes it afterwards.
package func withFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
    let folder = try makeFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
}
