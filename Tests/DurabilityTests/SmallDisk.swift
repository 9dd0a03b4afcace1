// A file system so small that a test fills it, made for one test and gone with it.
import Foundation
import Testing

/// A tmpfs of 64 MiB in a mount namespace of its own, which goes with the process that holds it:
/// nothing stays mounted, whatever becomes of the test. Needs root, or user namespaces.
struct SmallDisk {
    let holder: pid_t
    let folder: String
    let enter: [String]

    func start() throws -> LiveNode { try LiveNode(data: folder + "/data", prefix: enter) }

    func resize(mebibytes: Int) throws {
        try run(["mount", "-o", "remount,size=\(mebibytes)m", folder])
    }

    /// Takes up all but so much.
    func fill(leavingMebibytes rest: Int) throws {
        let script = #"cat /dev/zero > "$1"; truncate -s "-$2" "$1""#
        try run(["sh", "-c", script, "sh", filler, "\(rest)M"])
    }

    /// Takes up the last byte.
    func fill() throws { try run(["sh", "-c", #"cat /dev/zero > "$1"; true"#, "sh", filler]) }

    func empty() throws { try run(["rm", filler]) }

    private var filler: String { folder + "/filler" }

    /// Makes files until the file system takes no more.
    func fillFiles() throws {
        try run(["sh", "-c", #"n=0; while true > "$1/file-$n"; do n=$((n+1)); done"#, "sh", folder])
    }

    func removeFiles() throws { try run(["sh", "-c", #"rm "$1"/file-*"#, "sh", folder]) }

    /// Whether there is such a file, in the holder's view of it.
    func holds(_ path: String) throws -> Bool {
        try status(of: ["test", "-e", path]) == 0
    }

    func holdsReserve() throws -> Bool { try holds(folder + "/data/reserve/31") }

    private func run(_ command: [String]) throws {
        #expect(try status(of: command) == 0, "\(command) failed")
    }

    private func status(of command: [String]) throws -> Int32 {
        let pid = try spawn(enter + command, log: folder + ".log")
        var status: Int32 = -1
        try #require(waitpid(pid, &status, 0) == pid)
        return status
    }
}

/// - Parameter mount: options of the tmpfs.
func withSmallDisk(_ mount: String = "size=64m", _ body: (SmallDisk) throws -> Void) throws {
    try withFolder { parent in
        let folder = parent + "/disk"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        let isRoot = geteuid() == 0
        let kinds = isRoot ? ["--mount"] : ["--user", "--map-root-user", "--mount"]
        let script = #"mount -t tmpfs -o "$2" disk "$1" && echo ok && exec sleep 120"#
        let log = parent + "/holder.log"
        let holder = try spawn(
            ["unshare"] + kinds + ["sh", "-c", script, "sh", folder, mount], log: log)
        defer {
            kill(holder, SIGKILL)
            waitpid(holder, nil, 0)
        }
        func said() -> String {
            String(decoding: FileManager.default.contents(atPath: log) ?? Data(), as: UTF8.self)
        }
        let isMounted = poll(.seconds(20)) {
            // Both "ok" and a refusal end with a line.
            said().hasSuffix("\n")
        }
        try #require(
            isMounted && said() == "ok\n",
            """
            this test fills a small tmpfs and may not mount one here: \(said())\
            run it as root, or where user namespaces are allowed \
            (docker run --cap-add SYS_ADMIN)
            """)
        let user = isRoot ? [] : ["--user", "--preserve-credentials"]
        let enter = ["nsenter", "--target", "\(holder)", "--mount"] + user + ["--"]
        try body(SmallDisk(holder: holder, folder: folder, enter: enter))
    }
}
