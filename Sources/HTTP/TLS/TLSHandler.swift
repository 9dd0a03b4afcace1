/// Puts a `TLSSession` between a channel's socket and its HTTP handler.
///
/// `write` encrypts at once, so `channel.isWritable` counts ciphertext and the handler behind it
/// needs to know nothing of TLS. Three things here are easy to get wrong: `context.close()` would
/// skip our own `close` and with it close_notify; a fatal alert must not wait for ever on a peer
/// that does not read (`Limits.lingerTimeout`); a silent peer must not keep a handshake open
/// (`Limits.handshakeTimeout`).
private import Base
package import NIOCore
internal import NIOPosix

/// Sent up the pipeline once, before the first plaintext.
package struct TLSHandshakeCompleted: Hashable, Sendable {
    /// nil if the client offers no ALPN; then the first bytes decide.
    package var selectedProtocol: TLSProtocol?
    package var peerCertificate = TLSPeerCertificate.unasked
}

package final class TLSHandler: ChannelDuplexHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer
    package typealias OutboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    private enum State {
        case active
        /// The last bytes are on their way out, then the socket is closed; input is thrown away.
        case closing
        /// The same after a fault; but the socket is closed only at the end of input.
        case failing
        case closed
    }

    private let session: TLSSession
    private let scratch: TLSScratch
    private let handshakeTimeout: Duration?
    private var state = State.active
    private var timer: Scheduled<Void>?
    private var closePromise: EventLoopPromise<Void>?
    /// A read that was asked for while our output was blocked.
    private var isReadHeld = false
    /// By close_notify or by the socket, whichever came first.
    private var isInputEnded = false

    /// The buffers of the event loop on whose thread this is called.
    package static func scratchOfThisLoop() -> TLSScratch {
        if let known = scratchOfThread.currentValue { return known }
        let made = TLSScratch()
        scratchOfThread.currentValue = made
        return made
    }

    /// `handshakeTimeout` counts from being added to a channel; nil leaves it to whoever connects.
    package init(
        _ session: TLSSession, scratch: TLSScratch = TLSHandler.scratchOfThisLoop(),
        handshakeTimeout: Duration? = Limits.handshakeTimeout
    ) {
        self.session = session
        self.scratch = scratch
        self.handshakeTimeout = handshakeTimeout
    }

    // MARK: Beginning and end

    package func handlerAdded(context: ChannelHandlerContext) {
        if let handshakeTimeout {
            start(timer: handshakeTimeout, context) { handler, context in
                handler.fail(context, .handshakeTimedOut)
            }
        }
        if context.channel.isActive { feed(context, ByteBuffer()) }
    }

    package func handlerRemoved(context: ChannelHandlerContext) { gone() }

    private func gone() {
        timer?.cancel()
        state = .closed
        closePromise?.succeed()
        closePromise = nil
    }

    package func channelActive(context: ChannelHandlerContext) {
        feed(context, ByteBuffer())
        context.fireChannelActive()
    }

    package func channelInactive(context: ChannelHandlerContext) {
        gone()
        context.fireChannelInactive()
    }

    package func close(
        context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?
    ) {
        switch mode {
        case .input: context.close(mode: .input, promise: promise)
        case .output:
            scratch.clear()
            session.close(scratch)
            writeCiphertext(context)
            context.close(mode: .output, promise: promise)
        case .all: beginClosing(context, promise)
        }
    }

    // MARK: Outbound

    // Hot path: once per write of the HTTP handler.
    package func write(
        context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?
    ) {
        var plaintext = unwrapOutboundIn(data)
        guard state == .active, session.phase == .open else {
            promise?.fail(ChannelError.outputClosed)
            return
        }
        repeat {
            let count = min(plaintext.readableBytes, Self.sliceBytes)
            scratch.clear()
            do throws(TLSFailure) {
                try plaintext.readSlice(length: count)?.withUnsafeReadableBytes {
                    bytes -> Result<Void, TLSFailure> in
                    Result { () throws(TLSFailure) in try session.send(bytes, scratch) }
                }.get()
            } catch {
                promise?.fail(error)
                return fail(context, error)
            }
            let isLast = plaintext.readableBytes == 0
            context.write(wrapOutboundOut(takeCiphertext()), promise: isLast ? promise : nil)
        } while plaintext.readableBytes > 0
    }

    package func read(context: ChannelHandlerContext) {
        // What a peer makes us answer (alerts, key updates) must not pile up if it does not read.
        if context.channel.isWritable || session.phase == .handshake {
            context.read()
        } else {
            isReadHeld = true
        }
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        if isReadHeld, context.channel.isWritable {
            isReadHeld = false
            context.read()
        }
        context.fireChannelWritabilityChanged()
    }

    // MARK: Inbound

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        feed(context, unwrapInboundIn(data))
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        if state == .failing { context.read() }
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case ChannelEvent.inputClosed? = event as? ChannelEvent else {
            return context.fireUserInboundEventTriggered(event)
        }
        if state == .failing { finish(context) } else { inputEnded(context) }
    }

    /// As if the socket had said it: what is being answered may still be sent.
    private func inputEnded(_ context: ChannelHandlerContext) {
        guard !isInputEnded else { return }
        isInputEnded = true
        context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
    }

    private func feed(_ context: ChannelHandlerContext, _ ciphertext: ByteBuffer) {
        guard state == .active else { return }
        let wasHandshaking = session.phase == .handshake
        scratch.clear()
        do throws(TLSFailure) {
            try ciphertext.withUnsafeReadableBytes { bytes -> Result<Void, TLSFailure> in
                Result { () throws(TLSFailure) in try session.feed(bytes, scratch) }
            }.get()
        } catch {
            // What came before the fault is not trusted any more.
            _ = takePlaintext()
            return fail(context, error)
        }
        // What follows calls others, who use the scratch in their turn: it is emptied first.
        let plaintext = takePlaintext()
        writeCiphertext(context)
        if wasHandshaking, session.phase == .open {
            timer?.cancel()
            context.fireUserInboundEventTriggered(
                TLSHandshakeCompleted(
                    selectedProtocol: session.selectedProtocol,
                    peerCertificate: session.peerCertificate))
        }
        if plaintext.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(plaintext)) }
        if session.isInputClosed { inputEnded(context) }
    }

    // MARK: Buffers

    /// Plaintext encrypted at once: four records.
    private static let sliceBytes = 64 << 10
    /// Up to this, a copy of the right size is dearer than nothing and cheaper than a large buffer
    /// kept.
    private static let copiedBytes = 4 << 10

    private func takeCiphertext() -> ByteBuffer { Self.take(&scratch.ciphertext) }

    private func takePlaintext() -> ByteBuffer { Self.take(&scratch.plaintext) }

    /// The bytes in a buffer that another may keep: a copy if they are few, so that nobody holds
    /// 128 KiB for the first line of a request; else the scratch's own storage, which it replaces
    /// if it must.
    private static func take(_ buffer: inout ByteBuffer) -> ByteBuffer {
        let count = buffer.readableBytes
        guard count > 0 else { return ByteBuffer() }
        defer { buffer.moveReaderIndex(forwardBy: count) }
        return count <= copiedBytes ? ByteBuffer(bytes: buffer.readableBytesView) : buffer
    }

    private func writeCiphertext(
        _ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>? = nil
    ) {
        guard scratch.ciphertext.readableBytes > 0 else {
            promise?.succeed()
            return
        }
        context.writeAndFlush(wrapOutboundOut(takeCiphertext()), promise: promise)
    }

    // MARK: Closing

    /// Sends close_notify, and closes the socket once it is out or the linger time is over. Whoever
    /// wants unread input to be thrown away first closes the output alone (RFC 9112 §9.6).
    private func beginClosing(
        _ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?
    ) {
        guard state == .active else {
            if let promise { attach(promise, context) }
            return
        }
        closePromise = promise
        // Behind output that the peer does not take, close_notify would only wait for the timer.
        guard session.phase != .handshake, context.channel.isWritable else {
            return finish(context)
        }
        scratch.clear()
        session.close(scratch)
        leave(context, as: .closing) { handler, context in handler.finish(context) }
    }

    /// Sends the alert, ends our direction and reads to the end of input: a socket closed on unread
    /// bytes resets the connection, and the peer would lose the alert.
    private func fail(_ context: ChannelHandlerContext, _ failure: TLSFailure) {
        guard state == .active else { return }
        leave(context, as: .failing) { handler, context in
            if handler.isInputEnded { return handler.finish(context) }
            context.close(mode: .output, promise: nil)
            context.read()
        }
        context.fireErrorCaught(failure)
    }

    /// Writes what the scratch holds; the linger time bounds all that follows.
    private func leave(
        _ context: ChannelHandlerContext, as next: State,
        whenWritten: @escaping @Sendable (TLSHandler, ChannelHandlerContext) -> Void
    ) {
        state = next
        start(timer: Limits.lingerTimeout, context) { handler, context in handler.finish(context) }
        let written = context.eventLoop.makePromise(of: Void.self)
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        written.futureResult.whenComplete { _ in
            let (handler, context) = bound.value
            if handler.state == next { whenWritten(handler, context) }
        }
        writeCiphertext(context, written)
    }

    private func finish(_ context: ChannelHandlerContext) {
        guard state != .closed else { return }
        state = .closed
        timer?.cancel()
        let promise = closePromise
        closePromise = nil
        context.close(mode: .all, promise: promise)
    }

    private func attach(
        _ promise: EventLoopPromise<Void>, _ context: ChannelHandlerContext
    ) {
        guard state != .closed else { return context.close(mode: .all, promise: promise) }
        if let closePromise {
            closePromise.futureResult.cascade(to: promise)
        } else {
            closePromise = promise
        }
    }

    private func start(
        timer duration: Duration, _ context: ChannelHandlerContext,
        _ act: @escaping @Sendable (TLSHandler, ChannelHandlerContext) -> Void
    ) {
        timer?.cancel()
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(in: TimeAmount(duration)) {
            let (handler, context) = bound.value
            act(handler, context)
        }
    }
}

/// Unsafe only by declaration: each thread sees a value of its own.
nonisolated(unsafe) private let scratchOfThread = ThreadSpecificVariable<TLSScratch>()
