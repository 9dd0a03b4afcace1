/// One connection to a server, at the level of its event loop: requests in, calls to a receiver
/// out.
///
/// All of it happens on one loop, so it has no locks; `submit` only collects bytes and `flush`
/// hands them to the socket, so that a burst of requests costs one system call. Streams of HTTP/2
/// are held back by the socket's writability. Time-outs of single answers belong to whoever
/// submits.
package import Base
package import NIOCore
private import NIOPosix

package final class ClientConnection: ChannelInboundHandler {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    private enum Session {
        case connecting
        case http1(HTTP1ClientSession)
        case http2(HTTP2ClientSession)
        case closed
    }

    package let origin: Origin
    package let options: ClientOptions
    private var session = Session.connecting
    private var context: ChannelHandlerContext?
    private var output = ByteBuffer()
    private var firstBytesSeen = false
    private var isReading = false
    private let receiver: any ClientReceiver
    private let ready: EventLoopPromise<Void>

    /// Bytes handed to the socket at once.
    private static let batchBytes = 64 << 10

    private init(
        origin: Origin, options: ClientOptions, receiver: any ClientReceiver,
        ready: EventLoopPromise<Void>
    ) {
        self.origin = origin
        self.options = options
        self.receiver = receiver
        self.ready = ready
    }

    /// Connects on `loop`, where it must be called. Success comes after `receiver.connected`; a
    /// failure of the future is a `ClientError`, after which the receiver hears nothing. `tls` is
    /// needed for https, and made once for many connections.
    package static func connect(
        to origin: Origin, options: ClientOptions, tls: TLSContext?, on loop: any EventLoop,
        receiver: any ClientReceiver
    ) -> EventLoopFuture<Void> {
        loop.preconditionInEventLoop()
        invariant(origin.scheme == .http || tls != nil, "https needs a TLS context")
        let ready = loop.makePromise(of: Void.self)
        let connection = NIOLoopBound(
            ClientConnection(origin: origin, options: options, receiver: receiver, ready: ready),
            eventLoop: loop)
        let timer = loop.scheduleTask(in: TimeAmount(options.connectTimeout)) {
            connection.value.connectTimedOut()
        }
        ready.futureResult.whenComplete { _ in timer.cancel() }
        ClientBootstrap(group: loop)
            .connectTimeout(TimeAmount(options.connectTimeout))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.closeOnExec()
                    if origin.scheme == .https, let tls {
                        let session = TLSSession(tls, peerName: origin.host)
                        try channel.pipeline.syncOperations.addHandler(
                            TLSHandler(session, handshakeTimeout: nil))
                    }
                    try channel.pipeline.syncOperations.addHandler(connection.value)
                }
            }
            .connect(host: origin.host, port: origin.port)
            .whenFailure { error in
                ready.fail(
                    ClientError(connecting: origin, error, after: options.connectTimeout))
            }
        return ready.futureResult
    }

    // MARK: For whoever submits

    /// Another request may be submitted now.
    package var isOpen: Bool {
        switch session {
        case .connecting, .closed: false
        case .http1(let session): session.isReusable
        case .http2(let session): !session.isDraining
        }
    }

    package var isHTTP2: Bool {
        if case .http2 = session { true } else { false }
    }

    package var exchangesOpen: Int {
        switch session {
        case .connecting, .closed: 0
        case .http1(let session): session.exchangesOpen
        case .http2(let session): session.exchangesOpen
        }
    }

    /// Collects the request; `flush` sends it. `exchange` is the caller's number for it, not
    /// negative.
    package func submit(_ request: borrowing ClientRequest, _ exchange: Int) {
        guard isOpen else {
            return receiver.failed(exchange, .notProcessed(address: origin.authority))
        }
        switch session {
        case .connecting, .closed: break
        case .http1(let session): session.submit(request, exchange, into: &output)
        case .http2(let session): session.submit(request, exchange)
        }
    }

    /// Opens a stream whose body comes by `send`. HTTP/2 only.
    package func open(_ request: borrowing ClientRequest, _ exchange: Int) {
        guard isOpen, case .http2(let session) = session else {
            return receiver.failed(exchange, .notProcessed(address: origin.authority))
        }
        session.open(request, exchange)
    }

    /// Collects more of a stream's body; `flush` sends it.
    package func send(_ bytes: Bytes, _ exchange: Int) {
        if case .http2(let session) = session { session.send(bytes, exchange) }
    }

    /// Bytes of a stream's body that wait for the other side to take more.
    package func unsent(_ exchange: Int) -> Int {
        if case .http2(let session) = session { session.unsent(exchange) } else { 0 }
    }

    package func ping() {
        if case .http2(let session) = session { session.ping() }
    }

    /// Sends what was submitted. Within a call to the receiver it need not be called: the
    /// connection sends at the end of each turn by itself.
    package func flush() {
        guard !isReading else { return }
        pump()
    }

    /// Gives an answer up: HTTP/2 resets the stream, HTTP/1.1 has no other way than to close.
    package func cancel(_ exchange: Int, _ error: ClientError) {
        if case .http2(let session) = session {
            session.cancel(exchange, error)
            flush()
        } else {
            end(error)
        }
    }

    /// Closes; exchanges still open fail with `closed`.
    package func close() {
        if case .http2(let session) = session {
            session.goAway()
            pump()
        }
        end(nil)
    }

    // MARK: From the channel

    package func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    package func channelActive(context: ChannelHandlerContext) {
        // The time was over while a name was being looked up.
        if case .closed = session { return context.close(promise: nil) }
        if origin.scheme == .http { start(options.version == .http2 ? .http2 : .http1) }
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // close_notify; without TLS the channel closes by itself.
        if case ChannelEvent.inputClosed? = event as? ChannelEvent { return end(nil) }
        guard let agreed = event as? TLSHandshakeCompleted else {
            return context.fireUserInboundEventTriggered(event)
        }
        if options.version == .http2, agreed.selectedProtocol != .http2 {
            end(.tlsFailed(address: origin.authority, reason: "it does not offer HTTP/2 by ALPN"))
        } else {
            start(agreed.selectedProtocol ?? .http1)
        }
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        isReading = true
        defer { isReading = false }
        do throws(ClientError) {
            try buffer.withUnsafeReadableBytes { bytes -> Result<Void, ClientError> in
                Result { () throws(ClientError) in try feed(bytes) }
            }.get()
        } catch {
            end(error)
        }
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        pump()
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        pump()
    }

    package func channelInactive(context: ChannelHandlerContext) {
        end(nil)
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let address = origin.authority
        switch error {
        case let error as ClientError: end(error)
        case TLSFailure.notTLS: end(.peerSpeaksCleartext(address: address))
        case TLSFailure.certificateRejected(let reason):
            end(.certificateRejected(address: address, reason: reason))
        case let error as TLSFailure:
            end(.tlsFailed(address: address, reason: error.description))
        default: end(.closed(address: address))
        }
    }

    private func connectTimedOut() {
        end(.connectTimedOut(address: origin.authority, after: options.connectTimeout))
    }

    private func start(_ version: TLSProtocol) {
        guard case .connecting = session else { return }
        switch version {
        case .http2: session = .http2(HTTP2ClientSession(origin: origin, receiver: receiver))
        case .http1:
            session = .http1(
                HTTP1ClientSession(authority: origin.authority, receiver: receiver))
        }
        receiver.connected(self)
        ready.succeed()
        pump()
    }

    private func feed(_ bytes: UnsafeRawBufferPointer) throws(ClientError) {
        if !firstBytesSeen, !bytes.isEmpty {
            firstBytesSeen = true
            // A TLS alert or handshake record (RFC 8446 §5.1) where HTTP was to come.
            if origin.scheme == .http, bytes[0] == 0x15 || bytes[0] == 0x16 {
                throw .peerSpeaksTLS(address: origin.authority)
            }
        }
        switch session {
        case .connecting, .closed: break
        case .http1(let session): try session.feed(bytes)
        case .http2(let session): try session.feed(bytes)
        }
    }

    // Hot path: once per read cycle, not per request.
    private func pump() {
        guard let context else { return }
        do throws(ClientError) {
            if case .http2(let session) = session {
                var more = true
                while more, context.channel.isWritable {
                    more = try session.fill(&output, limit: Self.batchBytes)
                    write(context)
                }
                if session.isFinished { end(nil) }
            } else {
                write(context)
                if case .http1(let session) = session, !session.isReusable,
                    session.exchangesOpen == 0
                {
                    end(nil)
                }
            }
        } catch {
            end(error)
        }
    }

    private func write(_ context: ChannelHandlerContext) {
        guard output.readableBytes > 0 else { return }
        let taken = output
        // Flushing can call `pump` from within, which must not send these bytes again.
        output.moveReaderIndex(forwardBy: taken.readableBytes)
        context.writeAndFlush(wrapOutboundOut(taken), promise: nil)
        if output.readableBytes == 0 { output.clear() }
    }

    /// The one way out, from whatever side: fails what is open, tells the receiver, closes the
    /// channel.
    private func end(_ error: ClientError?) {
        let address = origin.authority
        switch session {
        case .closed: return
        case .connecting:
            session = .closed
            ready.fail(
                error ?? .tlsFailed(address: address, reason: "it closed during the handshake"))
            context?.close(promise: nil)
            context = nil
            return
        case .http1(let http1):
            if error == nil { http1.endOfInput() }
            let isPartial = http1.hasPartialAnswer
            session = .closed
            http1.failAll { isFirst in
                isFirst && isPartial
                    ? error ?? .malformedResponse(reason: "it ends in the middle")
                    : error ?? .closed(address: address)
            }
        case .http2(let http2):
            session = .closed
            http2.failAll(error ?? .closed(address: address))
        }
        let context = context
        self.context = nil
        receiver.disconnected(self, error)
        context?.close(promise: nil)
    }
}

extension TimeAmount {
    init(_ duration: Duration) {
        self = .nanoseconds(Int64(clamping: duration.wholeNanoseconds))
    }
}
