// Servers of a few lines on loopback, for tests of the client.
import Base
import HTTP
import NIOCore
import NIOPosix
import Synchronization

/// Answers each read, in order of arrival over all connections, by what a closure makes of it.
final class ScriptedServer: Sendable {
    enum Answer: Sendable {
        case bytes(String)
        case bytesThenClose(String)
        case close
        case silence
    }

    private let channel: any Channel
    private let counter: Counter
    let origin: Origin

    private final class Counter: Sendable { let value = Atomic<Int>(0) }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        let script: @Sendable (String) -> Answer
        /// `tls` puts a TLS handler in front.
        init(tls: TLSAcceptor? = nil, _ script: @escaping @Sendable (String) -> Answer) {
            self.script = script
        }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch script(String(buffer: unwrapInboundIn(data))) {
            case .bytes(let text):
                context.writeAndFlush(NIOAny(ByteBuffer(string: text)), promise: nil)
            case .bytesThenClose(let text):
                context.writeAndFlush(NIOAny(ByteBuffer(string: text)), promise: nil)
                context.close(promise: nil)
            case .close: context.close(promise: nil)
            case .silence: break
            }
        }
    }

    /// `tls` puts a TLS handler in front.
    init(tls: TLSAcceptor? = nil, _ script: @escaping @Sendable (String) -> Answer) async throws {
        let count = Counter()
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                count.value.add(1, ordering: .relaxed)
                return channel.eventLoop.makeCompletedFuture {
                    if let tls { try channel.pipeline.syncOperations.addHandler(tls.makeHandler()) }
                    try channel.pipeline.syncOperations.addHandler(Handler(script))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        counter = count
        let port = channel.localAddress?.port ?? 0
        origin = Origin(scheme: tls == nil ? .http : .https, host: "127.0.0.1", port: port)
    }

    var accepted: Int { counter.value.load(ordering: .relaxed) }

    func stop() async throws { try await channel.close() }
}

/// Speaks HTTP/2 through an `HTTP2Peer`, behind TLS, and echoes.
final class HTTP2EchoServer: Sendable {
    private let channel: any Channel
    let origin: Origin

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let peer = HTTP2Peer()
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            peer.feed(Bytes(unwrapInboundIn(data).readableBytesView))
            let out = peer.output()
            if !out.isEmpty { context.writeAndFlush(NIOAny(ByteBuffer(bytes: out)), promise: nil) }
        }
    }

    init(tls: TLSAcceptor?) async throws {
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls { try channel.pipeline.syncOperations.addHandler(tls.makeHandler()) }
                    try channel.pipeline.syncOperations.addHandler(Handler())
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = channel.localAddress?.port ?? 0
        origin = Origin(scheme: tls == nil ? .http : .https, host: "127.0.0.1", port: port)
    }

    func stop() async throws { try await channel.close() }
}
