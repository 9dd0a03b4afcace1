/// This program once more, as a child, and what it prints.
///
/// By `posix_spawn`, so that the simulator's program needs no more than the C library.
internal import Glibc

enum ChildProcess {
    struct CannotStart: Error, CustomStringConvertible {
        var code: Int32
        var description: String { "no child process: \(String(cString: strerror(code)))" }
    }

    /// However it ends: a broken invariant is one of the ways.
    static func run(_ arguments: [String]) throws -> String {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw CannotStart(code: errno) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
        posix_spawn_file_actions_addclose(&actions, ends[0])
        // What a trap says of itself is of no use here, and takes longer than a world.
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
        let path = "/proc/self/exe"
        var argv: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) }
        argv.append(nil)
        let quiet = strdup("SWIFT_BACKTRACE=enable=no")
        var environment: [UnsafeMutablePointer<CChar>?] = [quiet, nil]
        defer { for text in argv + environment { free(text) } }
        var child: pid_t = 0
        let code = posix_spawn(&child, path, &actions, nil, &argv, &environment)
        close(ends[1])
        defer { close(ends[0]) }
        guard code == 0 else { throw CannotStart(code: code) }
        let output = readAll(ends[0])
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
        return output
    }

    private static func readAll(_ descriptor: Int32) -> String {
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 4_096)
        while true {
            let count = read(descriptor, &part, part.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes += part[..<count]
        }
    }
}

func flushStandardOutput() { fflush(nil) }
