// One of three nodes has no room left: the other two go on with the writes of all, nothing
// acknowledged is lost, and when there is room again the third one catches up.
import Base
import Foundation
import Glibc
import HTTP
import ProcessSupport
import Testing

/// A tmpfs in a mount namespace that goes with the process that holds it.
private final class NodeDisk {
    private let holder: RunningProgram
    private let folder: URL

    static let isPossible = geteuid() == 0

    init(at folder: URL, mebibytes: Int) throws {
        self.folder = folder
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let script = #"""
            mount -t tmpfs -o "size=$2m" disk "$1" && echo mounted >&2 && exec sleep 600
            """#
        var program = Program("--mount", "sh", "-c", script, "sh", folder.path, "\(mebibytes)")
        program.executable = URL(filePath: "/usr/bin/unshare")
        holder = try program.start()
        _ = try #require(holder.line(with: "mounted"), "\(holder.messages)")
    }

    deinit { holder.kill() }

    func placed(_ program: Program) -> Program {
        var inside = program
        inside.arguments =
            ["--target", "\(holder.pid)", "--mount", "--wdns=\(program.folder.path)", "--"]
            + [program.executable.path] + program.arguments
        inside.executable = URL(filePath: "/usr/bin/nsenter")
        return inside
    }

    /// As seen from outside of the namespace.
    private var ballast: URL {
        URL(filePath: "/proc/\(holder.pid)").appending(path: "root").appending(path: folder.path)
            .appending(path: "ballast")
    }

    /// So little that no node does anything with it. Never more than that for a moment: who takes
    /// the very last byte in the middle of the writing of a table ends the node (RocksDB asserts).
    static let rest: UInt64 = 1 << 20

    /// All but the rest.
    func fill() throws {
        try Data().write(to: ballast)
        let file = try FileHandle(forWritingTo: ballast)
        defer { try? file.close() }
        while case let free = try free(), free > Self.rest + 4096 {
            let size = min(free - Self.rest, 1 << 20)
            try file.write(contentsOf: Data(repeating: 0, count: Int(size)))
        }
    }

    private func free() throws -> UInt64 {
        var answer = statvfs()
        try #require(statvfs(ballast.path, &answer) == 0)
        return UInt64(answer.f_bavail) * UInt64(answer.f_frsize)
    }

    func empty() throws { try FileManager.default.removeItem(at: ballast) }
}

@Suite(.serialized, .enabled(if: NodeDisk.isPossible, "a test may mount as root only"))
struct FullDiskTests {
    private func withFullDisk(
        _ body: (ThreeNodes, NodeDisk) async throws -> Void
    ) async throws {
        let folder = URL(filePath: NSTemporaryDirectory() + "martlet-disk-\(UUID().uuidString)")
        let disk = try NodeDisk(at: folder.appending(path: "n3"), mebibytes: 192)
        defer { try? FileManager.default.removeItem(at: folder) }
        let nodes = try await ThreeNodes(in: folder) { program, node in
            node == 3 ? disk.placed(program) : program
        }
        #expect(try await nodes.put("before", "x", at: 3) == 200)
        try await body(nodes, disk)
    }

    private func applied(_ node: Int, _ nodes: ThreeNodes) async throws -> Int {
        struct Region: Decodable { var applied_index: Int }
        let response = try await nodes.send(ClientRequest("GET", "/v1/regions/1"), at: node)
        guard response.status == 200 else { return 0 }
        return try JSONDecoder().decode(Region.self, from: Data(response.body)).applied_index
    }

    private static let count = 400
    private let value = String(repeating: "v", count: 100_000)

    /// More than the full one has room for, even with what it keeps in reserve.
    private func writeMuch(_ nodes: ThreeNodes, at node: Int) async throws {
        for number in 0..<Self.count {
            try await nodes.wait("n\(number) to be written at \(node)") {
                let status = try await nodes.put("n\(number)", value, at: node)
                #expect([200, 503, 504, 507].contains(status), "\(status)")
                return status == 200
            }
        }
    }

    /// Room again: the third one has lived without, and nothing is missing.
    private func expectAllAfterRoom(_ nodes: ThreeNodes, _ disk: NodeDisk) async throws {
        let third = try #require(nodes.programs[3])
        if !third.isRunning {
            let end = try nodes.awaitEnd(3)
            Issue.record("\(end.status) \(end.signal ?? 0) \(end.messages.suffix(4000))")
            return
        }
        try disk.empty()
        try await nodes.wait("the third to catch up") {
            try await self.applied(3, nodes) >= (try await self.applied(1, nodes))
        }
        try await nodes.lead(3)
        #expect(try await nodes.get("before", at: 3) == "x")
        for number in stride(from: 0, to: Self.count, by: 17) {
            let isThere = try await nodes.get("n\(number)", at: 3) == value
            #expect(isThere, "n\(number)")
        }
        #expect(try await nodes.put("after", "x", at: 3) == 200)
    }

    @Test func aFollowerHasNoRoom() async throws {
        try await withFullDisk { nodes, disk in
            try await nodes.lead(1)
            try disk.fill()
            try await writeMuch(nodes, at: 2)
            try await expectAllAfterRoom(nodes, disk)
        }
    }

    @Test func theLeaderHasNoRoom() async throws {
        try await withFullDisk { nodes, disk in
            try await nodes.lead(3)
            try disk.fill()
            try await writeMuch(nodes, at: 2)
            let stores = try await nodes.stores(1)
            #expect(stores.contains { $0.role == "leader" && $0.store != "3" })
            try await expectAllAfterRoom(nodes, disk)
        }
    }
}
