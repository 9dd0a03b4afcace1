// A `martlet serve` process that may be killed at any moment, and what the kernel says about it.
//
// Started with posix_spawn and reaped with waitpid: Foundation's Process misses the end of a
// program while another one, started at the same moment, holds a copy of its descriptors.
import Foundation
import Testing

final class LiveNode: @unchecked Sendable {  // pid and port never change; one thread reaps.
    let pid: pid_t
    private(set) var port: UInt16 = 0
    private let log: String
    private var ended: Int32?

    /// `prefix` comes before the program's own words, as in `nsenter --mount …`.
    init(
        data: String, prefix: [String] = [], options: [String] = [], isAwaited: Bool = true
    ) throws {
        log =
            FileManager.default.temporaryDirectory
            .appending(path: "martlet-\(UInt64.random(in: 0 ... .max)).log").path
        pid = try spawn(
            prefix + [
                LiveNode.binary, "serve", "--data-dir", data, "--listen", "127.0.0.1:0",
                "--log-format", "json", "--log-level", "notice",
            ] + options, log: log)
        guard isAwaited else { return }
        do {
            port = try #require(readyPort(), "it did not start: \(messages)")
        } catch {
            kill()
            throw error
        }
    }

    static let binary: String = {
        if let path = ProcessInfo.processInfo.environment["MARTLET_BINARY"] { return path }
        let bundle = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return URL(filePath: bundle ?? "").deletingLastPathComponent()
            .appending(path: "martlet").path
    }()

    var messages: String {
        String(decoding: FileManager.default.contents(atPath: log) ?? Data(), as: UTF8.self)
    }

    /// Bytes that the kernel holds of the node's answers, for each connection that has any
    /// (`tx_queue` of /proc/net/tcp).
    func sendQueues() throws -> [Int] {
        // By a handle: a file of /proc says that it has no bytes until it is read.
        let file = try #require(FileHandle(forReadingAtPath: "/proc/net/tcp"))
        let table = String(decoding: try file.readToEnd() ?? Data(), as: UTF8.self)
        let mine = ":" + String(port, radix: 16, uppercase: true)
        return table.split(separator: "\n").dropFirst().compactMap { line in
            let columns = line.split(separator: " ")
            guard columns[1].hasSuffix(mine) else { return nil }
            let bytes = columns[4].split(separator: ":").first.flatMap { Int($0, radix: 16) }
            return bytes == 0 ? nil : bytes
        }
    }

    func send(_ signal: Int32) { if ended == nil { Foundation.kill(pid, signal) } }

    /// Ends it as a power switch would, as far as a process can be told to.
    func kill() {
        if ended == nil, let status = status(within: .zero), status & 0x7F != 0 {
            Issue.record("the node was ended by signal \(status & 0x7F): \(messages.suffix(2000))")
        }
        send(SIGKILL)
        _ = status(within: .seconds(20))
        try? FileManager.default.removeItem(atPath: log)
    }

    /// As waitpid gives it; nil if it still runs after `limit`.
    func status(within limit: Duration) -> Int32? {
        poll(limit) {
            var status: Int32 = 0
            if ended == nil, waitpid(pid, &status, WNOHANG) == pid { ended = status }
            return ended != nil
        }
        return ended
    }

    /// Resident bytes that no file backs: what a client could make grow.
    var residentBytes: Int {
        let status = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") } ?? ""
        return (Int(line.filter(\.isNumber)) ?? 0) << 10
    }

    func connect(receiveBuffer: Int32? = nil) throws -> Wire {
        try Wire(port: port, receiveBuffer: receiveBuffer)
    }

    /// An ordinary client's request, on a connection of its own, answered as ever.
    func answersAsEver(_ what: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let wire = try connect()
        let put = try wire.request("PUT", "/v1/raw/kv/ordinary", Array(what.utf8))
        #expect(put.isSuccess, "\(what): \(put.text)", sourceLocation: sourceLocation)
        let get = try wire.request("GET", "/v1/raw/kv/ordinary")
        #expect(get.text == what, sourceLocation: sourceLocation)
    }

    private func readyPort() -> UInt16? {
        var port: UInt16?
        poll(.seconds(30)) {
            for line in messages.split(separator: "\n") where line.contains("\"event\":\"ready\"") {
                let object = try? JSONSerialization.jsonObject(with: Data(line.utf8))
                let base = (object as? [String: Any])?["base"] as? String
                port = base?.split(separator: ":").last.flatMap { UInt16($0) }
            }
            return port != nil || status(within: .zero) != nil
        }
        return port
    }
}

private typealias CloseFrom =
    @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32

/// Output and errors go to `log`; no descriptor but these three reaches the program.
func spawn(_ words: [String], log: String) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    let mode = O_WRONLY | O_CREAT | O_APPEND
    posix_spawn_file_actions_addopen(&actions, 1, log, mode, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    // Left out of Swift's import of glibc.
    let name = "posix_spawn_file_actions_addclosefrom_np"
    let closeFrom = try #require(dlsym(nil, name), "glibc 2.34 is needed")
    _ = unsafeBitCast(closeFrom, to: CloseFrom.self)(&actions, 3)
    let arguments = words.map { strdup($0) } + [nil]
    let variables = [strdup("PATH=/usr/sbin:/usr/bin:/sbin:/bin"), nil]
    defer { for text in arguments + variables { free(text) } }
    var pid: pid_t = 0
    let code = posix_spawnp(&pid, words[0], &actions, nil, arguments, variables)
    try #require(code == 0, "\(words[0]): \(String(cString: strerror(code)))")
    return pid
}

/// As many descriptors for this process as it may have, up to 65,536; returns how many.
func raiseDescriptors() throws -> Int {
    let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    var limit = rlimit()
    try #require(getrlimit(kind, &limit) == 0, "getrlimit: \(String(cString: strerror(errno)))")
    limit.rlim_cur = min(limit.rlim_max, 1 << 16)
    try #require(setrlimit(kind, &limit) == 0, "setrlimit: \(String(cString: strerror(errno)))")
    return Int(clamping: limit.rlim_cur)
}

/// Looks again every few milliseconds until `condition` holds; false if it did not within `limit`.
@discardableResult
func poll(_ limit: Duration, _ condition: () throws -> Bool) rethrows -> Bool {
    let deadline = ContinuousClock.now + limit
    while try !condition() {
        guard ContinuousClock.now < deadline else { return try condition() }
        usleep(2000)
    }
    return true
}

func withFolder(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory
        .appending(path: "martlet-\(UInt64.random(in: 0 ... .max))")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder.path)
}

func withNode(_ body: (LiveNode) throws -> Void) throws {
    try withFolder { folder in
        let node = try LiveNode(data: folder + "/data")
        defer { node.kill() }
        try body(node)
    }
}

/// Runs `body` on `count` threads of its own and waits for all: blocking calls have no place on the
/// threads that other tests share.
func inThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) -> DispatchGroup {
    let group = DispatchGroup()
    for index in 0..<count {
        group.enter()
        Thread.detachNewThread {
            body(index)
            group.leave()
        }
    }
    return group
}
