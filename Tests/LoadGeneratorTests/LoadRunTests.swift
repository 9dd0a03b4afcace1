// Whole runs against a server of a few lines that counts what it was asked: mixes, loading, errors,
// lost connections, and an open loop that never sends before the time.
import Base
import HTTP
import Histogram
import LoadGenerator
import NIOCore
import NIOPosix
import Synchronization
import Testing

/// Answers each request without a body it can tell apart by its first line; knows no pipelining.
private final class CountingServer: Sendable {
    private let channel: any Channel
    private let lines: Tally
    let origin: Origin

    private final class Tally: Sendable { let all = Mutex<[String]>([]) }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let lines: Tally
        private let answer: @Sendable (Int, String) -> String?
        private var text = ""

        init(_ lines: Tally, _ answer: @escaping @Sendable (Int, String) -> String?) {
            self.lines = lines
            self.answer = answer
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            text += String(buffer: unwrapInboundIn(data))
            guard let end = text.firstRange(of: "\r\n\r\n") else { return }
            let head = text[..<end.lowerBound]
            let length = head.firstMatch(of: /content-length: (\d+)/).flatMap { Int($0.1) } ?? 0
            guard text[end.upperBound...].utf8.count >= length else { return }
            let line = String(head.prefix { $0 != "\r\n" })
            text = ""
            let number = lines.all.withLock { all in
                all.append(line)
                return all.count
            }
            if let answer = answer(number, line) {
                context.writeAndFlush(NIOAny(ByteBuffer(string: answer)), promise: nil)
            } else {
                context.close(promise: nil)
            }
        }
    }

    static let ok = "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx"

    init(_ answer: @escaping @Sendable (Int, String) -> String? = { _, _ in ok }) async throws {
        let lines = Tally()
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(lines, answer))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        self.lines = lines
        origin = Origin(
            scheme: .http, host: "127.0.0.1", port: channel.localAddress?.port ?? 0)
    }

    var asked: [String] { lines.all.withLock { $0 } }

    func stop() async throws { try await channel.close() }
}

struct LoadRunTests {
    private func plan(_ server: CountingServer, _ workload: Workload = .get) -> LoadPlan {
        var plan = LoadPlan(origin: server.origin)
        plan.workload = workload
        plan.connections = 4
        plan.warmup = .milliseconds(20)
        plan.duration = .milliseconds(200)
        plan.keys = 100
        return plan
    }

    @Test func aClosedLoopCountsWhatWasAnswered() async throws {
        let server = try await CountingServer()
        let report = try await LoadRun.run(plan(server)) { _ in }
        #expect(report.record.completed > 0)
        #expect(report.record.completed <= server.asked.count)
        #expect(report.record.failed == 0)
        #expect(report.record.latency(.read).totalCount == report.record.completed)
        #expect(report.measured >= .milliseconds(200))
        try await server.stop()
    }

    @Test func keysAreLoadedOnceEachBeforeAnythingElse() async throws {
        // Every seventh batch is refused and must come again.
        let server = try await CountingServer { number, line in
            line.hasPrefix("PUT") && number % 7 == 0
                ? "HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n" : CountingServer.ok
        }
        var plan = plan(server)
        plan.target = .webdis
        plan.loadsKeys = true
        _ = try await LoadRun.run(plan) { _ in }
        let asked = server.asked
        let puts = asked.prefix { $0.hasPrefix("PUT") }
        #expect(Set(puts).count == 100)
        #expect(puts.count == 100 + puts.count / 7)
        #expect(asked.dropFirst(puts.count).allSatisfy { $0.hasPrefix("GET") })
        try await server.stop()
    }

    @Test func aServerThatRefusesTheKeysEndsTheRun() async throws {
        let server = try await CountingServer { _, _ in
            "HTTP/1.1 507 Full\r\ncontent-length: 0\r\n\r\n"
        }
        var plan = plan(server)
        plan.loadsKeys = true
        await #expect(throws: LoadError.loadFailed(reason: "status 507")) {
            _ = try await LoadRun.run(plan) { _ in }
        }
        try await server.stop()
    }

    @Test func refusalsAreCountedByStatusAndNotAsSuccess() async throws {
        let server = try await CountingServer { number, _ in
            number % 2 == 0 ? CountingServer.ok : "HTTP/1.1 429 Slow\r\ncontent-length: 0\r\n\r\n"
        }
        let record = try await LoadRun.run(plan(server, .put)) { _ in }.record
        #expect(record.statuses.keys.sorted() == [429])
        #expect(record.completed > 0)
        #expect(record.failed == record.statuses[429])
        try await server.stop()
    }

    @Test func lostConnectionsAreCountedAndMadeAgain() async throws {
        let server = try await CountingServer { number, _ in
            number % 10 == 0 ? nil : CountingServer.ok
        }
        var plan = plan(server)
        plan.duration = .milliseconds(500)
        let record = try await LoadRun.run(plan) { _ in }.record
        #expect((record.failures["closed"] ?? 0) > 0)
        #expect(record.completed > 40)
        try await server.stop()
    }

    @Test func aReadModifyWriteIsTwoRequestsAndOneOperation() async throws {
        let server = try await CountingServer()
        var plan = plan(server, .ycsbF)
        plan.warmup = .zero
        plan.connections = 1
        // Time for one operation on the slowest machine; the counts below hold for any number.
        plan.duration = .seconds(2)
        let record = try await LoadRun.run(plan) { _ in }.record
        let operations = Int(record.latency(.readModifyWrite).totalCount)
        let reads = Int(record.latency(.read).totalCount)
        let asked = server.asked
        #expect(operations > 0)
        // At most one operation is cut off by the end.
        let least = reads + 2 * operations
        #expect(asked.count >= least && asked.count <= least + 2)
        let puts = asked.filter { $0.hasPrefix("PUT") }
        #expect(puts.count == operations || puts.count == operations + 1)
        try await server.stop()
    }

    @Test func insertedKeysAreNewAndReadOnlyOnceTheyAreThere() async throws {
        let inserted = Mutex<Set<String>>([])
        let strays = Mutex<[String]>([])
        let server = try await CountingServer { _, line in
            let key = line.split(separator: " ")[1].suffix(10)
            if line.hasPrefix("PUT") {
                let isNew = inserted.withLock { $0.insert(String(key)).inserted }
                if !isNew { strays.withLock { $0.append(line) } }
            } else if key >= "0000000100", !inserted.withLock({ $0.contains(String(key)) }) {
                strays.withLock { $0.append(line) }
            }
            return CountingServer.ok
        }
        _ = try await LoadRun.run(plan(server, .ycsbD)) { _ in }
        #expect(!inserted.withLock { $0.isEmpty })
        #expect(strays.withLock { $0 } == [])
        try await server.stop()
    }

    @Test func anOpenLoopSendsNoMoreThanIsDue() async throws {
        let server = try await CountingServer()
        var plan = plan(server)
        plan.rate = 100
        let report = try await LoadRun.run(plan) { _ in }
        // 20 ms of warm-up, then the measurement; three for a timer that came late.
        let measured = report.measured.components
        let seconds = Double(measured.seconds) + Double(measured.attoseconds) / 1e18
        let due = Int((seconds + 0.02) * 100) + 1
        #expect(server.asked.count <= due + 3)
        #expect(report.record.completed > 0)
        try await server.stop()
    }

    @Test func nobodyThereIsTold() async throws {
        let server = try await CountingServer()
        try await server.stop()
        let address = server.origin.authority
        await #expect(
            throws: LoadError.unreachable(.connectionRefused(address: address))
        ) {
            _ = try await LoadRun.run(plan(server)) { _ in }
        }
    }

    @Test func whatATargetCannotDoIsRefusedBeforeConnecting() async throws {
        let server = try await CountingServer()
        var plan = plan(server, .batch)
        plan.target = .etcd
        await #expect(throws: LoadError.unsupported(.etcd, .batch)) {
            _ = try await LoadRun.run(plan) { _ in }
        }
        #expect(server.asked.isEmpty)
        try await server.stop()
    }
}
