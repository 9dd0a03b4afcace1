/// One HTTP/2 connection without its socket: bytes in, events and bytes out, over nghttp2.
///
/// nghttp2 does frames, HPACK, flow control and the state of streams. This adds what it leaves to
/// its user: requests and answers, limits, a budget against floods, time-outs, stream ids that go
/// backwards. It knows neither NIO's channels nor a clock, so that tests and fuzzers drive it with
/// arrays of bytes.
package import API
package import Base
internal import CNghttp2
package import DequeModule
package import NIOCore

package final class HTTP2Session {
    let state: FrontState
    /// Else it gets no larger windows, for its streams are refused.
    let mayBeStore: Bool
    private(set) var session: OpaquePointer?
    let slab = HTTP2Slab()
    var history = StreamHistory()
    var budget: GlitchBudget
    /// Drained by the connection after `feed`, `takeOutput` and `advance`.
    package var events: Deque<SessionEvent> = []
    /// Why the connection has to end, as soon as the output is out.
    package var closing: CloseReason?

    /// Requests whose stream is gone while the core still works on them. They count as open
    /// streams: a client that opens and cancels (rapid reset) or makes us reset (MadeYouReset)
    /// gains nothing.
    var abandoned: [AbandonedRequest] = []
    /// Set by a callback that returned a failure, and turned into GOAWAY when nghttp2 has unwound.
    var failure: (code: UInt32, reason: CloseReason)?
    /// Of other stores. While there are some, the connection stays when the node drains.
    var peerStreams = 0
    /// When something came last, on a connection with such streams.
    var heardAt: UInt32 = 0
    /// Problems of streams that are refused before their header has ended.
    var refusals: [Int: Problem] = [:]

    /// WINDOW_UPDATE frames that draw on no budget: one for each request, and one for the stream
    /// and one for the connection for each DATA frame sent, unless that was a dribble because the
    /// client opens its window a few bytes at a time.
    var windowUpdatesPaid = 0
    /// The frame that came last of those that nghttp2 answers.
    var lastToAnswer = GlitchKind.settings
    private var scanner = FrameScanner(prefaceBytes: Connection.preface.utf8CodeUnitCount)

    // The header block that is arriving; there is at most one.
    var headerStream = -1
    var headersOpenSince: UInt32?
    var headerBytes = 0
    var headerFields = 0

    /// The authority that passed the policy last: compared first, which costs no allocation.
    var approvedAuthority: Bytes?
    var idleSince: UInt32
    private(set) var drainState = DrainState.serving
    private var drainSince: UInt32 = 0

    struct AbandonedRequest {
        var stream: Int32
        var since: UInt32
        var held: Int
    }

    enum DrainState { case serving, announced, final }

    /// - Parameter isCertified: the other side has shown the certificate of a store.
    package init(state: FrontState, isCertified: Bool = false) {
        self.state = state
        mayBeStore = isCertified || !state.settings.certifiesPeers
        budget = GlitchBudget(tick: state.tick)
        idleSince = state.tick
        var made: OpaquePointer?
        let code = nghttp2_session_server_new2(
            &made, HTTP2Callbacks.shared, Unmanaged.passUnretained(self).toOpaque(),
            HTTP2Callbacks.options)
        invariant(code == 0, "nghttp2 has memory for a session")
        session = made
    }

    deinit { nghttp2_session_del(session) }

    /// Queues the server's SETTINGS: the first thing it sends.
    package func start() {
        var settings = [
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS.rawValue),
                value: UInt32(Limits.streamsPerConnection)),
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE.rawValue),
                value: UInt32(Limits.streamWindowBytes)),
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE.rawValue),
                value: UInt32(Limits.headerBytes)),
            // RFC 9113 deprecates the priority tree; without it a stream costs less.
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES.rawValue), value: 1),
        ]
        var code = nghttp2_submit_settings(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), &settings, settings.count)
        invariant(code == 0, "the settings are legal")
        code = nghttp2_session_set_local_window_size(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), 0, Int32(Limits.connectionWindowBytes))
        invariant(code == 0, "the window is legal")
    }

    /// Takes over from HTTP/1.1 (RFC 7540 §3.2): `request` becomes stream 1. False if the client's
    /// settings are malformed; the session is of no use then.
    package func upgrade(settings: Bytes, request: Request) -> Bool {
        let index = slab.open(1, tick: state.tick)
        history.open(1)
        let code = settings.withUnsafeBufferPointer {
            nghttp2_session_upgrade2(
                session, $0.baseAddress, $0.count, request.method == .head ? 1 : 0, nil)
        }
        guard code == 0 else { return false }
        // A server's session ignores the user data that it is given with the upgrade.
        nghttp2_session_set_stream_user_data(session, 1, Self.userData(index))
        slab[index].method = request.method
        slab[index].takesGzip = AcceptEncoding.takesGzip(request.headers)
        slab[index].phase = .serving
        slab[index].remoteClosed = true
        state.counters.requestsHTTP2 += 1
        state.counters.requestsInFlight += 1
        awaitsPreface = true
        start()
        events.append(.request(request, stream: 1))
        return true
    }

    package func feed(_ bytes: UnsafeRawBufferPointer) {
        guard closing == nil, let base = bytes.baseAddress, bytes.count > 0 else { return }
        heardAt = state.tick
        var position = 0
        while let header = scanner.next(in: bytes, from: &position) {
            if frameArrives(header) { continue }
            if let failure { terminate(failure.code, failure.reason) }
            return
        }
        let count = nghttp2_session_mem_recv(
            session, base.assumingMemoryBound(to: UInt8.self), bytes.count)
        if let failure {
            terminate(failure.code, failure.reason)
        } else if count == Int(NGHTTP2_ERR_FLOODED.rawValue) {
            cutOff(lastToAnswer)
        } else if count == Int(NGHTTP2_ERR_TOO_MANY_CONTINUATIONS.rawValue) {
            cutOff(.continuation)
        } else if count < 0 {
            terminate(NGHTTP2_PROTOCOL_ERROR.rawValue, .malformed)
        } else {
            noteEnd()
        }
    }

    /// One of nghttp2's own limits was passed.
    private func cutOff(_ kind: GlitchKind) {
        state.counters.floods[kind] += 1
        terminate(NGHTTP2_ENHANCE_YOUR_CALM.rawValue, .flood)
    }

    /// Appends whole frames until `limit` bytes are there or nothing is left to send.
    package func takeOutput(into buffer: inout ByteBuffer, limit: Int) {
        while buffer.readableBytes < limit {
            var frame: UnsafePointer<UInt8>?
            let count = nghttp2_session_mem_send(session, &frame)
            guard count > 0, let frame else {
                if count < 0, closing == nil { closing = .failed }
                break
            }
            buffer.writeBytes(UnsafeRawBufferPointer(start: frame, count: count))
            if let failure { terminate(failure.code, failure.reason) }
        }
        noteEnd()
    }

    package var wantsOutput: Bool { nghttp2_session_want_write(session) != 0 }

    package var isIdle: Bool { slab.live == 0 && abandoned.isEmpty }

    /// GOAWAY with a code; nothing that still arrives is looked at.
    func terminate(_ code: UInt32, _ reason: CloseReason) {
        guard closing == nil else { return }
        closing = reason
        let result = nghttp2_session_terminate_session(session, code)
        invariant(result == 0, "nghttp2 has memory for a frame")
    }

    /// Both sides have said all there is to say.
    private func noteEnd() {
        guard closing == nil, nghttp2_session_want_read(session) == 0,
            nghttp2_session_want_write(session) == 0
        else { return }
        // A session that ends although nobody drained it: nghttp2 found an error and has sent its
        // GOAWAY, or the client said goodbye.
        closing = drainState == .serving ? sawGoodbye ? .byClient : .malformed : .drained
    }

    /// The client sent GOAWAY.
    var sawGoodbye = false

    /// Set after an Upgrade until the client's own first frame, its SETTINGS, is there. So long,
    /// one DATA frame is all that leaves: what comes behind `101` in the same read has to fit
    /// 32 KiB in libcurl before 8.0, which ends the transfer otherwise (its error 16).
    var awaitsPreface = false

    /// Takes `count` tokens; false ends the connection, and the callback has to return a failure.
    func spend(_ kind: GlitchKind, _ count: Int = 1) -> Bool {
        if budget.spend(count, tick: state.tick) { return true }
        if failure == nil, closing == nil {
            state.counters.floods[kind] += 1
            failure = (NGHTTP2_ENHANCE_YOUR_CALM.rawValue, .flood)
        }
        return false
    }

    static func userData(_ index: Int) -> UnsafeMutableRawPointer? {
        UnsafeMutableRawPointer(bitPattern: index + 1)
    }

    /// The slab's index of a stream that nghttp2 knows.
    func index(of stream: Int32) -> Int? {
        guard let data = nghttp2_session_get_stream_user_data(session, stream) else { return nil }
        return Int(bitPattern: data) - 1
    }

    /// Whether a request is on its way that will take more memory.
    var isReceivingBody: Bool {
        slab.indices.contains { slab[$0].phase == .receiving && slab[$0].body != nil }
    }

    /// Everything that the core still works on: cancelled, because the connection is gone.
    package func abandonEverything() -> [Int32] {
        var streams: [Int32] = []
        for index in slab.indices where slab[index].phase != .free {
            if slab[index].phase == .serving {
                streams.append(slab[index].id)
                state.counters.requestsInFlight -= 1
            }
            if slab[index].phase == .streaming {
                streams.append(slab[index].id)
                leaveStreaming()
            } else {
                state.responses.release(slab[index].answer)
            }
            state.releaseRequestBytes(slab[index].held)
            slab.close(index)
        }
        for request in abandoned {
            state.counters.requestsInFlight -= 1
            state.releaseRequestBytes(request.held)
        }
        abandoned = []
        events = []
        return streams
    }
}

extension HTTP2Session {
    /// Announces the end: GOAWAY with the greatest id, so that requests on their way are still
    /// taken, and a PING whose answer tells that the client has seen it (RFC 9113 §6.8).
    package func drain() {
        guard closing == nil, drainState == .serving, peerStreams == 0 else { return }
        drainState = .announced
        drainSince = state.tick
        var code = nghttp2_submit_shutdown_notice(session)
        invariant(code == 0, "a server may announce its end")
        code = nghttp2_submit_ping(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), nil)
        invariant(code == 0, "nghttp2 has memory for a frame")
    }

    /// The second GOAWAY, with the id of the last stream that is served.
    func finishDrain() {
        guard drainState == .announced, closing == nil else { return }
        drainState = .final
        let code = nghttp2_submit_goaway(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue),
            nghttp2_session_get_last_proc_stream_id(session), NGHTTP2_NO_ERROR.rawValue, nil, 0)
        invariant(code == 0, "nghttp2 has memory for a frame")
    }

    /// Once per tick: time-outs.
    package func advance() {
        guard closing == nil else { return }
        if drainState == .announced, state.tick != drainSince { finishDrain() }
        if let since = headersOpenSince, state.has(Limits.headerTimeout, passedSince: since) {
            state.counters.timeouts[.headers] += 1
            return terminate(NGHTTP2_ENHANCE_YOUR_CALM.rawValue, .timeout)
        }
        if isIdle {
            if drainState == .serving, state.has(Limits.idleTimeout, passedSince: idleSince) {
                state.counters.timeouts[.idle] += 1
                terminate(NGHTTP2_NO_ERROR.rawValue, .timeout)
            }
            return
        }
        expireAbandoned()
        if peerStreams > 0, state.has(Limits.peerSilence, passedSince: heardAt) {
            state.counters.timeouts[.peer] += 1
            return terminate(NGHTTP2_NO_ERROR.rawValue, .timeout)
        }
        for index in slab.indices { checkProgress(index) }
        if let failure { terminate(failure.code, failure.reason) }
    }

    /// A core that never answers a cancelled request must not shut the connection for ever.
    private func expireAbandoned() {
        while let oldest = abandoned.first,
            state.has(Limits.requestTimeoutDefault, passedSince: oldest.since)
        {
            release(abandonedAt: 0)
        }
    }

    func release(abandonedAt position: Int) {
        let request = abandoned.remove(at: position)
        state.releaseRequestBytes(request.held)
        state.counters.requestsInFlight -= 1
        if isIdle { idleSince = state.tick }
    }

    private func stopRequest(_ index: Int) {
        guard state.has(Limits.lingerTimeout, passedSince: slab[index].progressAt) else { return }
        if stopRequest(slab[index].id) != 0 { closing = .failed }
        slab[index].progressAt = state.tick
    }

    private func checkProgress(_ index: Int) {
        let moved: Int
        switch slab[index].phase {
        case .free, .serving, .streaming: return
        case .receiving: moved = slab[index].decoder?.received ?? slab[index].held
        case .answering: moved = slab[index].answerSent
        case .answered: return stopRequest(index)
        }
        if moved >= slab[index].progress + Limits.stallBytes {
            slab[index].progress = moved
            slab[index].progressAt = state.tick
        }
        guard state.has(Limits.stallTimeout, passedSince: slab[index].progressAt) else { return }
        if slab[index].phase == .receiving {
            state.counters.timeouts[.body] += 1
            refuse(
                index,
                state.requestBytesFit ? Refusal.bodyTimeout() : Refusal.requestsTakeTooMuchMemory())
        } else {
            state.counters.timeouts[.write] += 1
            let code = nghttp2_submit_rst_stream(
                session, UInt8(NGHTTP2_FLAG_NONE.rawValue), slab[index].id,
                NGHTTP2_CANCEL.rawValue)
            if code != 0 { closing = .failed }
            // Not again at the next tick: the reset waits for room in the output like any frame.
            slab[index].progressAt = state.tick
        }
    }
}
