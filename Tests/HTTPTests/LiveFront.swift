// A front on its own thread and a free port of loopback, for tests with real sockets.
import Base
import HTTP
import Logging
import NIOCore
import NIOPosix
import Testing

final class LiveFront {
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let channel: any Channel
    let port: Int

    /// Touched on the loop only, after it was made there.
    private final class Parts: @unchecked Sendable {
        var core: EchoCore?
    }

    private let parts = Parts()

    init(tls: TLSAcceptor? = nil) throws {
        let loop = group.next()
        let (group, parts) = (group, parts)
        channel = try loop.flatSubmit {
            var settings = FrontSettings(connections: 100)
            if let tls { settings.makeTLSHandler = { _ in tls.makeHandler() } }
            let front = Front(
                loop: loop, settings: settings, names: .seeded(1), logger: Logger(label: "test"))
            let core = EchoCore(front)
            front.serving = core
            parts.core = core
            return Front.bind(host: "127.0.0.1", port: 0, fronts: [front], group: group)
        }.wait()
        port = try #require(channel.localAddress?.port)
    }

    /// Runs `body` on the front's own loop.
    func run<Result: Sendable>(
        _ body: @escaping @Sendable (EchoCore) throws -> Result
    ) throws -> Result {
        let parts = parts
        return try channel.eventLoop.submit {
            guard let core = parts.core else { throw ChannelError.alreadyClosed }
            return try body(core)
        }.wait()
    }

    var counters: FrontCounters {
        get throws { try run { $0.front.counters } }
    }

    /// Ends when every connection has.
    func drain() throws {
        let (parts, loop) = (parts, channel.eventLoop)
        try channel.close().wait()
        try loop.flatSubmit {
            let drained = loop.makePromise(of: Void.self)
            if let core = parts.core { core.front.drain { drained.succeed() } }
            return drained.futureResult
        }.wait()
    }
}
