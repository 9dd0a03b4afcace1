// A network of its own for three nodes: a namespace each, joined by a bridge, and routes to nowhere
// as partitions. What is cut drops without a word, as a broken cable does; the client reaches all.
//
// Only root may make one. Packet loss and delay are left to the simulator: the traffic control that
// they need is missing from many kernels.
import Foundation
import ProcessSupport
import Testing

final class NodeNetwork {
    private let name: String
    private let prefix: String
    private static let tool = URL(filePath: "/usr/sbin/ip")

    /// Whether this machine lets a test make one.
    static let isPossible: Bool = {
        guard geteuid() == 0, FileManager.default.isExecutableFile(atPath: tool.path) else {
            return false
        }
        do {
            _ = try NodeNetwork()
            return true
        } catch {
            return false
        }
    }()

    init() throws {
        let number = Int.random(in: 0..<100_000)
        name = "mt\(number)"
        prefix = "10.\(200 + number % 50).\(number / 50 % 250)"
        try ip("link", "add", name, "type", "bridge")
        try ip("addr", "add", "\(prefix).254/24", "dev", name)
        try ip("link", "set", name, "up")
        for node in ThreeNodes.all {
            let (inside, outside) = (space(node), "\(name)v\(node)")
            try ip("netns", "add", inside)
            try ip("link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", inside)
            try ip("link", "set", outside, "master", name, "up")
            try ip("-n", inside, "addr", "add", "\(host(node))/24", "dev", "eth0")
            try ip("-n", inside, "link", "set", "eth0", "up")
            try ip("-n", inside, "link", "set", "lo", "up")
        }
    }

    deinit {
        // What was not made cannot be removed, and that is well.
        for node in ThreeNodes.all { try? ip("netns", "del", space(node)) }
        try? ip("link", "del", name)
    }

    private struct Refused: Error { var messages: String }

    private func ip(_ arguments: String...) throws {
        var program = Program(arguments: arguments)
        program.executable = Self.tool
        let outcome = try program.run()
        guard outcome.status == 0 else {
            throw Refused(messages: "ip \(arguments.joined(separator: " ")): \(outcome.messages)")
        }
    }

    private func space(_ node: Int) -> String { "\(name)n\(node)" }

    func host(_ node: Int) -> String { "\(prefix).\(node)" }

    /// The same program, inside.
    func placed(_ program: Program, at node: Int) -> Program {
        var inside = program
        inside.arguments =
            ["netns", "exec", space(node), program.executable.path] + program.arguments
        inside.executable = Self.tool
        return inside
    }

    /// What `sender` sends no longer reaches `receiver`.
    func cut(from sender: Int, to receiver: Int) throws {
        try ip("-n", space(sender), "route", "replace", "blackhole", "\(host(receiver))/32")
    }

    /// Neither hears the other.
    func cut(_ one: Int, _ other: Int) throws {
        try cut(from: one, to: other)
        try cut(from: other, to: one)
    }

    func heal() throws {
        for node in ThreeNodes.all {
            try ip("-n", space(node), "route", "flush", "type", "blackhole")
        }
    }
}
