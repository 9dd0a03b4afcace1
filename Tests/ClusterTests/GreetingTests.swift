// What two stores can hold against each other, between programs: each is said by both of them, in
// the same words, and counted.
import Base
import Foundation
import Glibc
import HTTP
import Peers
import ProcessSupport
import Regions
import Testing

@Suite(.serialized) struct GreetingTests {
    private func withNodes(
        _ count: Int, _ body: (ThreeNodes) async throws -> Void
    ) async throws {
        let folder = URL(filePath: NSTemporaryDirectory() + "martlet-three-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try await body(try await ThreeNodes(in: folder, started: count))
    }

    private static let heard = #"martlet_peer_connection_events_total{event="refused"}"#

    private func refused(_ reason: String, at node: Int, _ nodes: ThreeNodes) async throws -> Int {
        try await nodes.metric(
            "martlet_peer_refused_total{reason=\"\(reason)\"}", at: node) ?? 0
    }

    private func said(_ words: String, by program: RunningProgram?) -> Bool {
        program?.messages.contains(words) == true
    }

    private func serve(
        _ nodes: ThreeNodes, _ arguments: String..., preloading library: String? = nil
    ) throws -> RunningProgram {
        var program = Program(arguments: ["serve", "--cache-size", "16MiB"] + arguments)
            .in(nodes.folder)
        if let library { program = program.with("LD_PRELOAD", library) }
        let running = try program.start()
        _ = try #require(running.line(with: "\"event\":\"ready\""), "\(running.messages)")
        return running
    }

    // At the address of store 2 there is now store 2 of another cluster.
    @Test func aForeignCluster() async throws {
        try await withNodes(2) { nodes in
            try nodes.signal(2, SIGKILL)
            let first = try serve(nodes, "--data-dir", "b1", "--listen", "127.0.0.1:0")
            defer { first.kill() }
            let ready = try #require(first.line(with: "\"event\":\"ready\""))
            let port = try #require(ready.firstMatch(of: /127.0.0.1:([0-9]+)/)?.1)
            let second = try serve(
                nodes, "--data-dir", "b2", "--listen", "127.0.0.1:\(nodes.port(2))",
                "--join", "http://127.0.0.1:\(port)")
            defer { second.kill() }
            let words = "is not this one: this store belongs to cluster"
            try await nodes.wait("both to say so") {
                said(words, by: second) && said(words, by: nodes.programs[1])
            }
            #expect(try await nodes.metric(Self.heard, at: 1) ?? 0 > 0)
            let metrics = try await nodes.client(2).send(ClientRequest("GET", "/metrics")).text
            let counted = /martlet_peer_refused_total\{reason="wrong_cluster"\} [1-9]/
            #expect(metrics.contains(counted))
        }
    }

    // A directory that was copied: both are store 2, and store 1 knows which was first.
    @Test func twoOfOneNumber() async throws {
        try await withNodes(2) { nodes in
            try nodes.signal(2, SIGTERM)
            try FileManager.default.copyItem(
                at: nodes.folder.appending(path: "n2"), to: nodes.folder.appending(path: "copy"))
            try nodes.start(2)
            let opened = "\"event\":\"peer_connected\""
            try await nodes.wait("store 2 to connect") { said(opened, by: nodes.programs[2]) }
            let copy = try serve(
                nodes, "--data-dir", "copy", "--listen", "127.0.0.1:\(nodes.port(3))")
            defer { copy.kill() }
            let words = "Two processes say that they are store 2; one of them has a copied"
            try await nodes.wait("both sides to say so") {
                let heard = said(words, by: copy) || said(words, by: nodes.programs[2])
                return heard && said(words, by: nodes.programs[1])
            }
            #expect(try await refused("store_conflict", at: 1, nodes) > 0)
        }
    }

    // What is no store says what one of a later version would.
    @Test func anotherVersion() async throws {
        try await withNodes(1) { nodes in
            let list = try await nodes.send(ClientRequest("GET", "/v1/stores"), at: 1)
            let cluster = try #require(
                list.text.firstMatch(of: /"cluster_id":"([0-9a-f]+)"/)?.1)
            var hello = PeerHello(
                cluster: String(cluster), store: StoreID(7), addressee: StoreID(1), incarnation: 9,
                address: "http://127.0.0.1:9", wall: WallTime(milliseconds: 0), lane: .urgent)
            hello.version = 2
            let client = HTTPClient(
                try Origin.parse(nodes.url(1)).origin, options: ClientOptions(version: .http2))
            let answer = try await client.send(
                ClientRequest("POST", "/v1/peers/stream", body: .record(hello.encoded)))
            #expect(answer.status == 409)
            #expect(answer.text.contains("\"code\":\"peer_version\""), "\(answer.text)")
            let words = "Peers of version 2 are not understood here; this store speaks version 1."
            #expect(answer.text.contains(words), "\(answer.text)")
            #expect(said(words, by: nodes.programs[1]))
            #expect(try await refused("peer_version", at: 1, nodes) == 1)
        }
    }

    // MARK: Clocks

    /// Makes the clocks that intervals are read from run at three times their rate.
    private static let fastClock = """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <time.h>

        int clock_gettime(clockid_t clock, struct timespec *time) {
            static int (*real)(clockid_t, struct timespec *);
            static long long start[16];
            if (!real) *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
            int result = real(clock, time);
            if (result != 0 || (clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME)) return result;
            long long now = time->tv_sec * 1000000000LL + time->tv_nsec;
            if (!start[clock]) start[clock] = now;
            now = start[clock] + (now - start[clock]) * 3;
            time->tv_sec = now / 1000000000LL;
            time->tv_nsec = now % 1000000000LL;
            return 0;
        }
        """

    /// By the compiler that comes with Swift.
    private func compile(_ source: String, _ library: String, in folder: URL) throws {
        let compiler = Process()
        compiler.executableURL = URL(filePath: "/usr/bin/env")
        compiler.arguments = ["clang", "-shared", "-fPIC", "-o", library, source, "-ldl"]
        compiler.currentDirectoryURL = folder
        try compiler.run()
        compiler.waitUntilExit()
        try #require(compiler.terminationStatus == 0, "clang is in the path, and takes it")
    }

    // Of two stores one has clocks that run three times as fast.
    @Test func clocksThatDiffer() async throws {
        try await withNodes(2) { nodes in
            try Data(Self.fastClock.utf8).write(to: nodes.folder.appending(path: "fast.c"))
            try compile("fast.c", "fast.so", in: nodes.folder)
            try nodes.signal(2, SIGTERM)
            let fast = try serve(
                nodes, "--data-dir", "n2", "--listen", "127.0.0.1:\(nodes.port(2))",
                preloading: nodes.folder.appending(path: "fast.so").path)
            defer { fast.kill() }
            let words = "The clocks differ too much"
            try await nodes.wait("both to say so") {
                said(words, by: fast) && said(words, by: nodes.programs[1])
            }
            // It stays so, and does not come back at once to be judged anew.
            try await nodes.wait("it to be refused again") {
                let counted = try await refused("clocks_differ", at: 1, nodes)
                return try await counted + (nodes.metric(Self.heard, at: 1) ?? 0) > 2
            }
        }
    }
}
