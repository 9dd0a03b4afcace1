/// One connection: the channel handler that finds out which protocol is spoken and drives its
/// session.
///
/// Pipeline: TLS handler (if the first byte is 0x16) → this. Everything that is sent leaves from
/// here, whole batches at a time. Reading is withheld here while output is blocked or too much is
/// in flight: back-pressure by TCP.
internal import API
internal import Base
internal import DequeModule
internal import Failpoints
internal import Injection
internal import Logging
internal import NIOCore

final class Connection: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Mode {
        /// The protocol is not known yet; the bytes so far.
        case sniffing(ByteBuffer?)
        case http1(HTTP1Session)
        case http2(HTTP2Session)
        /// Nothing is answered any more; what arrives is thrown away.
        case ending
    }

    let front: Front
    let slot: UInt32
    let generation: UInt32
    var context: ChannelHandlerContext?
    var mode = Mode.sniffing(nil)
    var isEncrypted = false
    var certificate = TLSPeerCertificate.unasked
    /// The same for each request.
    private var shown = ShownCertificate.clear
    let acceptedAt: UInt32

    // Input.
    /// Bytes that HTTP/1.1 requests ahead of their answers keep from being read.
    var waiting: ByteBuffer?
    var isReading = false
    var readWithheld = false
    /// Named in the front's list of those that wait for memory.
    var isQueued = false
    var inputEnded = false

    // Output.
    var isDirty = false
    var end: CloseReason?
    var endingSince: UInt32 = 0
    var handedOver = 0
    var writeProgress = 0
    var writeProgressAt: UInt32 = 0

    init(front: Front, slot: UInt32, generation: UInt32) {
        self.front = front
        self.slot = slot
        self.generation = generation
        acceptedAt = front.state.tick
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { gone() }

    func channelInactive(context: ChannelHandlerContext) {
        gone()
        context.fireChannelInactive()
    }

    /// The channel is closed: nothing is owed to anybody any more.
    private func gone() {
        guard context != nil else { return }
        front.state.failpoints.reached(.connectionGone)
        context = nil
        var streams: [Int32] = []
        switch mode {
        case .http1(let session): streams = session.abandonEverything()
        case .http2(let session): streams = session.abandonEverything()
        case .sniffing, .ending: break
        }
        mode = .ending
        waiting = nil
        endPause()
        front.remove(self, reason: end ?? .byClient, cancelling: streams)
    }

    // MARK: Input

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        isReading = true
        front.state.counters.bytesReceived += UInt64(bytes.readableBytes)
        if front.state.failpoints.reached(.httpReceive) == .closed { return close(.failed) }
        switch mode {
        case .sniffing(let before): sniff(before, bytes)
        case .http1: feedHTTP1(bytes)
        case .http2(let session): feedHTTP2(session, bytes)
        case .ending: break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        flush()
        context.fireChannelReadComplete()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed? = event as? ChannelEvent {
            inputEnded = true
            switch mode {
            case .http1(let session):
                if waiting == nil { session.inputEnded() }
                flush()
            case .sniffing, .http2, .ending: close(.byClient)
            }
            return
        }
        if let agreed = event as? TLSHandshakeCompleted {
            certificate = agreed.peerCertificate
            shown = certificate.shown
            if case .rejected(let reason) = certificate { front.state.log.writeRejected(reason) }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        front.logger.debug("connection failed", metadata: ["error": "\(error)"])
        guard let failure = error as? TLSFailure else { return close(.failed) }
        front.state.log.write(failure, from: context.channel.remoteAddress)
        close(.tlsFailed)
    }

    func feedHTTP2(_ session: HTTP2Session, _ bytes: ByteBuffer) {
        bytes.withUnsafeReadableBytes { session.feed($0) }
        deliver { session.events.popFirst() }
        markDirty()
    }

    func feedHTTP1(_ bytes: ByteBuffer) {
        if waiting != nil {
            waiting?.writeImmutableBuffer(bytes)
            return
        }
        waiting = bytes
        feedWaiting()
    }

    /// Reads what is there, unless too many requests are ahead of their answers: a pipelining
    /// client could put thousands of them into one read.
    func feedWaiting() {
        while case .http1(let session) = mode, var bytes = waiting {
            guard session.acceptsInput else {
                waiting = nil
                break
            }
            guard session.takesMore else { return }
            let left = bytes.withUnsafeReadableBytes { session.feed($0) }
            bytes.moveReaderIndex(forwardBy: bytes.readableBytes - left)
            waiting = left == 0 ? nil : bytes
            deliver { session.events.popFirst() }
            if session.upgrade != nil { takeUpgrade(session, followedBy: bytes) }
        }
        if inputEnded, waiting == nil, case .http1(let session) = mode { session.inputEnded() }
        markDirty()
    }

    /// Outside of the codec: the core may answer at once, and the session may have new events then.
    func deliver(_ nextEvent: () -> SessionEvent?) {
        while let event = nextEvent() {
            switch consume event {
            case .request(var request, let stream):
                request.shown = shown
                front.serve(request, exchange(stream))
            case .cancelled(let stream): front.cancel(exchange(stream))
            case .opened(let stream): front.open(exchange(stream), from: source)
            case .received(let bytes, let stream): front.receive(bytes, exchange(stream))
            }
        }
    }

    private var source: StreamSource {
        StreamSource(
            certificate: certificate,
            address: context?.channel.remoteAddress.map(\.shownInLog) ?? "unknown")
    }

    func exchange(_ stream: Int32) -> ExchangeID {
        ExchangeID(slot: slot, generation: generation, stream: stream)
    }
}
