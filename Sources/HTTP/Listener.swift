/// Accepts connections on one address and spreads them over the fronts of several event loops.
internal import Base
internal import Glibc
internal import Logging
package import NIOCore
internal import NIOPosix

extension Front {
    /// Binds and listens. Each front belongs to a loop of `group`, and each loop has one.
    package static func bind(
        host: String, port: Int, fronts: [Front], group: any EventLoopGroup
    ) -> EventLoopFuture<any Channel> {
        let table = FrontTable(fronts: fronts)
        let logger = fronts.first?.logger
        return ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelInitializer { channel in
                // Out of file descriptors: wait and go on, with the connections that are open.
                channel.eventLoop.makeCompletedFuture {
                    try channel.closeOnExec()
                    try channel.pipeline.syncOperations.addHandler(
                        AcceptBackoffHandler(shouldForwardIOErrorCaught: true))
                    try channel.pipeline.syncOperations.addHandler(AcceptErrors(logger: logger))
                }
            }
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(
                ChannelOptions.Types.SocketOption(
                    level: .tcp, name: NIOBSDSocket.Option(rawValue: TCP_NOTSENT_LOWAT)),
                value: ChannelOptions.Types.SocketOption.Value(Limits.kernelUnsentBytes)
            )
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(
                .writeBufferWaterMark,
                value: .init(
                    low: Limits.outputWatermarks.lowerBound,
                    high: Limits.outputWatermarks.upperBound)
            )
            .childChannelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(
                    minimum: 4096, initial: 4096, maximum: 65_536)
            )
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.closeOnExec()
                    guard let front = table.front(of: channel.eventLoop), front.accept(channel)
                    else { throw TooManyConnections() }
                }
            }
            .bind(host: host, port: port)
    }
}

/// Makes the bootstrap close a channel that no front takes.
private struct TooManyConnections: Error {}

/// Finds the front of the loop that one is on.
///
/// `@unchecked Sendable`: the array is never changed, and each front in it is touched only by the
/// closure that runs on that front's own loop.
private struct FrontTable: @unchecked Sendable {
    let fronts: [Front]

    func front(of loop: any EventLoop) -> Front? {
        fronts.first { $0.loop === loop }
    }
}

/// Says once in a while that connections cannot be accepted, and keeps the listener open.
private final class AcceptErrors: ChannelInboundHandler {
    typealias InboundIn = any Channel

    private let logger: Logger?

    init(logger: Logger?) { self.logger = logger }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        logger?.warning("a connection could not be accepted", metadata: ["error": "\(error)"])
    }
}
