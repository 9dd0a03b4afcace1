/// One connection: the channel handler that finds out which protocol is spoken and drives its
/// session.
///
/// Pipeline: TLS handler (if the first byte is 0x16) → this → NIO's HTTP/1.1 decoder →
/// `RequestPartSink`, the last two only while HTTP/1.1 is spoken. Everything that is sent leaves
/// from here, whole batches at a time. Reading is withheld here while output is blocked or too much
/// is in flight: back-pressure by TCP.
internal import API
internal import Base
internal import DequeModule
internal import Logging
internal import NIOCore
internal import NIOHTTP1

final class Connection: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Mode {
        /// The protocol is not known yet; the bytes so far.
        case sniffing(ByteBuffer?)
        case http1(HTTP1Session)
        case http2(HTTP2Session)
        /// From HTTP/1.1 to HTTP/2, until the decoder has left the pipeline; what arrives waits.
        case upgrading(HTTP2Session)
        /// Nothing is answered any more; what arrives is thrown away.
        case ending
    }

    let front: Front
    let slot: UInt32
    let generation: UInt32
    var context: ChannelHandlerContext?
    var mode = Mode.sniffing(nil)
    var isEncrypted = false
    let acceptedAt: UInt32

    // Input.
    /// Bytes that HTTP/1.1 requests ahead of their answers keep from the decoder.
    var waiting: ByteBuffer?
    var sawPart = false
    /// What the decoder is at.
    var decoding: ByteBuffer?
    var isReading = false
    var readWithheld = false
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
        context = nil
        var streams: [Int32] = []
        switch mode {
        case .http1(let session): streams = session.abandonEverything()
        case .http2(let session), .upgrading(let session): streams = session.abandonEverything()
        case .sniffing, .ending: break
        }
        mode = .ending
        waiting = nil
        front.remove(self, reason: end ?? .byClient, cancelling: streams)
    }

    // MARK: Input

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        isReading = true
        front.state.counters.bytesReceived += UInt64(bytes.readableBytes)
        switch mode {
        case .sniffing(let before): sniff(before, bytes)
        case .http1: feedHTTP1(bytes)
        case .http2(let session): feedHTTP2(session, bytes)
        case .upgrading:
            if waiting == nil { waiting = bytes } else { waiting?.writeImmutableBuffer(bytes) }
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
            case .sniffing, .http2, .upgrading, .ending: close(.byClient)
            }
            return
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        front.logger.debug("connection failed", metadata: ["error": "\(error)"])
        close(.failed)
    }

    func feedHTTP2(_ session: HTTP2Session, _ bytes: ByteBuffer) {
        bytes.withUnsafeReadableBytes { session.feed($0) }
        deliver { session.events.popFirst() }
        markDirty()
    }

    /// Hands the decoder what it may have: all of it, unless too many requests are ahead of their
    /// answers.
    func feedHTTP1(_ bytes: ByteBuffer) {
        if waiting != nil {
            waiting?.writeImmutableBuffer(bytes)
            return
        }
        waiting = bytes
        feedWaiting()
    }

    func feedWaiting() {
        while case .http1(let session) = mode, var bytes = waiting {
            guard session.acceptsInput else {
                waiting = nil
                break
            }
            guard session.isReceivingBody || session.requestsAhead < Limits.pipelinedRequests else {
                return
            }
            // A pipelining client could put thousands of requests into one read.
            let count = min(bytes.readableBytes, max(4096, session.bodyRemaining))
            let isWhole = count == bytes.readableBytes
            let chunk = isWhole ? bytes : bytes.readSlice(length: count) ?? ByteBuffer()
            waiting = isWhole ? nil : bytes
            sawPart = false
            decoding = chunk
            context?.fireChannelRead(wrapInboundOut(chunk))
            decoding = nil
            if !sawPart { chunk.withUnsafeReadableBytes { session.headGoesOn($0) } }
            deliver { session.events.popFirst() }
            if session.upgrade != nil { takeUpgrade(session) }
        }
        if inputEnded, waiting == nil, case .http1(let session) = mode { session.inputEnded() }
        markDirty()
    }

    func receive(_ part: HTTPServerRequestPart) {
        sawPart = true
        if case .http1(let session) = mode { session.receive(part) }
    }

    func decoderFailed(_ error: any Error) {
        guard case .http1(let session) = mode else { return }
        sawPart = true
        (decoding ?? ByteBuffer()).withUnsafeReadableBytes { session.fail(error, after: $0) }
        markDirty()
    }

    /// Outside of the codec: the core may answer at once, and the session may have new events then.
    func deliver(_ nextEvent: () -> SessionEvent?) {
        while let event = nextEvent() {
            switch consume event {
            case .request(let request, let stream): front.serve(request, exchange(stream))
            case .cancelled(let stream): front.cancel(exchange(stream))
            }
        }
    }

    func exchange(_ stream: Int32) -> ExchangeID {
        ExchangeID(slot: slot, generation: generation, stream: stream)
    }
}
