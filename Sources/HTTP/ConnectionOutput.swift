/// What a connection sends, when it reads, and how it ends.
internal import API
internal import Base
internal import DequeModule
internal import Failpoints
internal import Injection
internal import Logging
internal import NIOCore

extension Connection {
    // MARK: Answers

    func respond(_ stream: Int32, _ response: Response) {
        switch mode {
        case .http1(let session): session.respond(stream, response)
        case .http2(let session): session.respond(stream, response)
        case .sniffing, .ending: return
        }
        markDirty()
    }

    /// HTTP/1.1 cancels only what its connection leaves behind, which holds nothing any more.
    func release(_ stream: Int32) {
        guard case .http2(let session) = mode else { return }
        session.release(stream)
        markDirty()
    }

    func answer(_ stream: Int32, _ bytes: Bytes, limit: Int) -> Bool {
        guard case .http2(let session) = mode else { return true }
        let isTaken = session.answer(stream, bytes, limit: limit)
        markDirty()
        return isTaken
    }

    func finish(_ stream: Int32) {
        guard case .http2(let session) = mode else { return }
        session.finishAnswer(stream)
        markDirty()
    }

    func consume(_ stream: Int32, _ count: Int) {
        guard case .http2(let session) = mode else { return }
        session.consume(stream, count)
        if session.wantsOutput { markDirty() }
    }

    /// What was answered leaves at the end of the read cycle, or of the front's turn.
    func markDirty() {
        guard !isDirty else { return }
        isDirty = true
        if !isReading { front.enqueueFlush(self) }
    }

    /// One write and one flush for everything that is there, batch by batch while the channel takes
    /// it.
    func flush() {
        isDirty = false
        guard let context else { return }
        while context.channel.isWritable {
            var buffer = front.state.takeBuffer()
            switch mode {
            case .http1(let session):
                session.takeOutput(into: &buffer, limit: Limits.outputBatchBytes)
            case .http2(let session):
                session.takeOutput(into: &buffer, limit: Limits.outputBatchBytes)
            case .sniffing, .ending: break
            }
            let count = buffer.readableBytes
            if count > 0 {
                guard front.state.failpoints.reached(.httpSend) != .closed else {
                    front.state.putBack(buffer)
                    return close(.failed)
                }
                write(buffer)
            }
            front.state.putBack(buffer)
            if count < Limits.outputBatchBytes { break }
        }
        settle()
    }

    func write(_ buffer: ByteBuffer) {
        guard let context else { return }
        handedOver += buffer.readableBytes
        front.state.counters.bytesSent += UInt64(buffer.readableBytes)
        // A small answer behind a socket that is full must not hold on to a batch's storage.
        let isWaiting = buffer.readableBytes < 4096 && buffered > 0
        context.writeAndFlush(
            wrapOutboundOut(isWaiting ? ByteBuffer(bytes: buffer.readableBytesView) : buffer),
            promise: nil)
    }

    /// Bytes that the channel holds and the kernel has not taken.
    var buffered: Int {
        guard let options = context?.channel.syncOptions else { return 0 }
        do {
            return try options.getOption(.bufferedWritableBytes)
        } catch {
            // Every stream channel knows the option until it is closed, and then holds nothing.
            front.logger.trace("no buffered bytes", metadata: ["error": "\(error)"])
            return 0
        }
    }

    /// After events and output: cancellations, the end of a session, requests that may be read
    /// again.
    private func settle() {
        switch mode {
        case .http1(let session):
            deliver { session.events.popFirst() }
            if let reason = session.closing {
                close(reason)
            } else if waiting != nil, session.takesMore {
                feedWaiting()
            }
        case .http2(let session):
            deliver { session.events.popFirst() }
            if let reason = session.closing, !session.wantsOutput { close(reason) }
        case .sniffing, .ending: break
        }
        resumeReading()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { flush() }
        context.fireChannelWritabilityChanged()
    }

    // MARK: Reading

    func read(context: ChannelHandlerContext) {
        if mayRead { context.read() } else { withholdRead() }
    }

    private func withholdRead() {
        guard !readWithheld else { return }
        readWithheld = true
        front.state.counters.connectionsPaused += 1
        front.state.counters.pauses += 1
        queueForMemory()
    }

    private func queueForMemory() {
        guard !front.state.requestBytesFit, !isQueued else { return }
        isQueued = true
        front.pause(self)
    }

    func endPause() {
        guard readWithheld else { return }
        readWithheld = false
        front.state.counters.connectionsPaused -= 1
    }

    func resumeReading() {
        guard readWithheld, let context else { return }
        // History: (1) reading stops because the output is full, (2) memory gets short, (3) the
        // output drains, (4) memory is free again, and nobody knows of this connection.
        guard mayRead else { return queueForMemory() }
        endPause()
        context.read()
    }

    /// While too much is held, only those wait that bring more: a few uploads that stall must not
    /// silence everybody else.
    private var mayRead: Bool {
        switch mode {
        case .sniffing, .ending: return true
        case .http1(let session):
            return waiting == nil && (front.state.requestBytesFit || !session.isReceivingBody)
                && (context?.channel.isWritable ?? false)
                && (!session.acceptsInput || session.takesMore)
        case .http2(let session):
            return (front.state.requestBytesFit || !session.isReceivingBody)
                && (context?.channel.isWritable ?? false)
        }
    }

    // MARK: The end

    /// Sends what is queued and closes; an end that the client may not know of yet lingers, so that
    /// unread input does not turn our last bytes into a reset (RFC 9112 §9.6).
    func close(_ reason: CloseReason) {
        guard end == nil, let context else { return }
        end = reason
        endingSince = front.state.tick
        var lingers = false
        var streams: [Int32] = []
        switch mode {
        case .http1(let session):
            lingers = !inputEnded
            streams = session.abandonEverything()
        case .http2(let session):
            lingers = !inputEnded && reason != .byClient
            streams = session.abandonEverything()
        // Only of these is there a last word.
        case .sniffing: lingers = !inputEnded && (reason == .tlsRequired || reason == .malformed)
        case .ending: break
        }
        mode = .ending
        waiting = nil
        for stream in streams { front.cancel(exchange(stream)) }
        // Who has ended its input may still read what is on its way.
        if reason == .failed || reason == .byClient && buffered == 0 {
            context.close(promise: nil)
            return
        }
        let last = context.eventLoop.makePromise(of: Void.self)
        let closesNow = !lingers
        last.futureResult.assumeIsolated().whenComplete { [weak self] _ in
            self?.outputEnded(closesNow: closesNow)
        }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: last)
        resumeReading()
    }

    private func outputEnded(closesNow: Bool) {
        guard let context else { return }
        endingSince = front.state.tick
        if closesNow {
            context.close(promise: nil)
        } else {
            // The client sees the end of our bytes; we throw away its own until it ends too, or the
            // cap.
            context.close(mode: .output, promise: nil)
        }
    }

    // MARK: Time

    /// Once per tick.
    func advance() {
        let state = front.state
        switch mode {
        case .sniffing:
            guard state.has(Limits.handshakeTimeout, passedSince: acceptedAt) else { return }
            state.counters.timeouts[.handshake] += 1
            close(.timeout)
        case .ending:
            guard state.has(Limits.lingerTimeout, passedSince: endingSince) else { return }
            // An answer in order may take its time, as long as it gets on.
            if end == .afterAnswer || end == .drained || end == .byClient, buffered > 0 {
                checkWriteProgress()
            } else {
                state.counters.timeouts[.linger] += 1
                context?.close(promise: nil)
            }
        case .http1(let session):
            session.advance()
            checkWriteProgress()
            if session.closing != nil || session.wantsOutput { markDirty() }
        case .http2(let session):
            session.advance()
            checkWriteProgress()
            if let reason = session.closing, !(context?.channel.isWritable ?? false) {
                close(reason)  // whoever does not read gets no GOAWAY
            } else if session.closing != nil || session.wantsOutput {
                markDirty()
            }
        }
    }

    /// A socket that takes nothing, or a byte now and then, while there is something to send.
    private func checkWriteProgress() {
        let state = front.state
        let held = buffered
        let taken = handedOver - held
        if held == 0 || taken >= writeProgress + Limits.stallBytes {
            writeProgress = taken
            writeProgressAt = state.tick
        } else if state.has(Limits.stallTimeout, passedSince: writeProgressAt) {
            state.counters.timeouts[.write] += 1
            end = end ?? .timeout
            context?.close(promise: nil)
        }
    }

    func drain() {
        switch mode {
        case .sniffing: close(.drained)
        case .http1(let session): session.drain()
        case .http2(let session): session.drain()
        case .ending: return
        }
        markDirty()
    }
}
