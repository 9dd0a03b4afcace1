// What a service manager hears of a node, and whether the unit that is shipped is one.
import Foundation
import ProcessSupport
import Testing

@Suite struct ServiceTests {
    @Test func theManagerHearsOfTheNode() throws {
        try withFolder { folder in
            let manager = try ManagerSocket(at: folder.appending(path: "notify").path)
            let node = try Program("serve", "--data-dir", "data", "--listen", "127.0.0.1:0")
                .with("NOTIFY_SOCKET", manager.path).with("WATCHDOG_USEC", "200000")
                .in(folder).start()
            defer { node.kill() }
            let ready = try #require(manager.next(), "\(node.messages)")
            #expect(ready.hasPrefix("READY=1\nSTATUS=ready on http://127.0.0.1:"), "\(ready)")
            #expect(manager.next() == "WATCHDOG=1")
            #expect(manager.next() == "WATCHDOG=1")
            node.send(SIGTERM)
            var last = manager.next()
            while last == "WATCHDOG=1" { last = manager.next() }
            #expect(last == "STOPPING=1\nSTATUS=draining")
            #expect(node.wait(.seconds(20))?.status == 0, "\(node.messages)")
        }
    }

    @Test func aManagerThatIsNotThereIsAWarning() throws {
        try withFolder { folder in
            let node = try Program(
                "serve", "--data-dir", "data", "--listen", "127.0.0.1:0", "--log-format", "text"
            ).with("NOTIFY_SOCKET", folder.appending(path: "nobody").path).in(folder).start()
            defer { node.kill() }
            #expect(
                node.line(with: "warning[service_manager_untold]: NOTIFY_SOCKET: ") != nil,
                "\(node.messages)")
            node.send(SIGTERM)
            #expect(node.wait(.seconds(20))?.status == 0)
        }
    }

    @Test func aManagerThatDoesNotReadIsNotWaitedFor() throws {
        try withFolder { folder in
            let manager = try ManagerSocket(at: folder.appending(path: "notify").path)
            try manager.fill()
            let node = try Program("serve", "--data-dir", "data", "--listen", "127.0.0.1:0")
                .with("NOTIFY_SOCKET", manager.path).with("WATCHDOG_USEC", "20000")
                .in(folder).start()
            defer { node.kill() }
            let warning = node.line(with: "\"code\":\"service_manager_untold\"")
            #expect(
                warning?.contains("NOTIFY_SOCKET: it is full and nobody reads it") == true,
                "\(node.messages)")
            // Once it reads again, it hears the pulse: what it missed did not end it.
            #expect(manager.next { $0 != ManagerSocket.filling } == "WATCHDOG=1")
            try manager.fill()
            node.send(SIGTERM)
            let outcome = try #require(node.wait(.seconds(20)), "\(node.messages)")
            #expect(outcome.status == 0)
            let warnings = outcome.messages.components(separatedBy: "service_manager_untold")
            #expect(warnings.count == 2, "said once: \(outcome.messages)")
        }
    }

    // The settings that come with the unit are all comments, but each is one that exists.
    @Test func theShippedSettingsAreValid() throws {
        let file = Tool.root.appending(path: "docker/systemd/martlet.toml")
        let text = try String(contentsOf: file, encoding: .utf8)
        let plain = try Program("config", "validate", "--config", file.path).run()
        #expect(plain.status == 0, "\(plain.messages)")
        try withFolder { folder in
            let all = folder.appending(path: "all.toml")
            try Data(text.replacing(/(?m)^# (?=\w+ = )/, with: "").utf8).write(to: all)
            let outcome = try Program("config", "validate", "--config", all.path).run()
            #expect(outcome.status == 0, "\(outcome.messages)")
            #expect(outcome.text.contains(/valid: (\d+) of \1 settings/), "\(outcome.text)")
        }
    }

    private static let analyze = "/usr/bin/systemd-analyze"

    // `make test` does not install systemd for this alone.
    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: analyze)))
    func systemdTakesTheUnit() throws {
        try withFolder { folder in
            // With a program that is there: where it is installed is not what is asked.
            let unit = try String(
                contentsOf: Tool.root.appending(path: "docker/systemd/martlet.service"),
                encoding: .utf8)
            let copy = unit.replacing("/usr/bin/martlet", with: Program.binary.path)
                .replacing("Documentation=man:martlet(1)\n", with: "")
            try Data(copy.utf8).write(to: folder.appending(path: "martlet.service"))
            var program = Program("verify", "--man=no", "martlet.service").in(folder)
            program.executable = URL(filePath: Self.analyze)
            let outcome = try program.run()
            #expect(outcome.status == 0, "\(outcome.messages)")
            #expect(!outcome.messages.contains("martlet.service:"), "\(outcome.messages)")
        }
    }
}

/// The receiving end of sd_notify(3).
private final class ManagerSocket {
    let path: String
    private let descriptor: Int32

    init(at path: String) throws {
        self.path = path
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        // Long enough that only a node which says nothing runs into it.
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let descriptor = descriptor
        let result = Self.withAddress(of: path) { bind(descriptor, $0, $1) }
        guard result == 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
    }

    deinit { close(descriptor) }

    static let filling = "filling"

    private static func withAddress<Result>(
        of path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    /// Until it takes no more: what is sent from then on waits or fails.
    func fill() throws {
        let sender = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(sender) }
        let text = Self.filling
        var sent = 0
        while sent >= 0 {
            sent = Self.withAddress(of: path) {
                sendto(sender, text, text.utf8.count, Int32(MSG_DONTWAIT), $0, $1)
            }
        }
        guard errno == EAGAIN else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
    }

    /// The next datagram that is wanted; nil if none comes.
    func next(_ isWanted: (String) -> Bool) -> String? {
        while let text = next() {
            if isWanted(text) { return text }
        }
        return nil
    }

    /// The next datagram; nil if none comes.
    func next() -> String? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count >= 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }
}
