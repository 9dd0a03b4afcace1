/// What arrives on an HTTP/2 connection: frames become requests, and what must not pass is refused.
///
/// Called by nghttp2 from within `feed`. The result is 0 to go on, `failed` to end the connection
/// (why stands in `failure`), `failedStream` to reset the stream.
internal import API
internal import Base
internal import CNghttp2
internal import Failpoints

extension HTTP2Session {
    /// A frame whose header is there and that nghttp2 has not seen yet: pays for it. False ends the
    /// connection.
    func frameArrives(_ header: FrameScanner.Header) -> Bool {
        switch UInt32(header.type) {
        case NGHTTP2_HEADERS.rawValue: return true  // paid for by what becomes of it
        case NGHTTP2_DATA.rawValue: return streamMayGoOn(header)
        case NGHTTP2_PRIORITY.rawValue:
            if header.stream == 0 {
                // nghttp2 throws priorities away unread (RFC 9113 §6.3).
                failure = (NGHTTP2_PROTOCOL_ERROR.rawValue, .malformed)
                return false
            }
            return spend(.priority)
        case NGHTTP2_RST_STREAM.rawValue: return spend(.reset)
        case NGHTTP2_SETTINGS.rawValue:
            lastToAnswer = .settings
            return spend(.settings)
        case NGHTTP2_PING.rawValue:
            lastToAnswer = .ping
            return spend(.ping)
        case NGHTTP2_CONTINUATION.rawValue: return spend(.continuation)
        case NGHTTP2_WINDOW_UPDATE.rawValue:
            guard windowUpdatesPaid == 0 else {
                windowUpdatesPaid -= 1
                return true
            }
            return spend(.window)
        default: return spend(.other)
        }
    }

    func frameBegins(_ header: nghttp2_frame_hd) -> Int32 {
        guard header.type == UInt8(NGHTTP2_HEADERS.rawValue), header.stream_id % 2 == 1 else {
            return 0  // nghttp2 refuses even ids by itself
        }
        let id = header.stream_id
        if id > history.newest {
            history.open(id)
            return 0
        }
        if history.wasSkipped(id) {
            failure = (NGHTTP2_PROTOCOL_ERROR.rawValue, .malformed)
            return HTTP2Callbacks.failed
        }
        let frame = FrameScanner.Header(length: header.length, type: header.type, stream: id)
        return streamMayGoOn(frame) ? 0 : HTTP2Callbacks.failed
    }

    /// HEADERS or DATA of a stream that there was: false if the client itself had ended it.
    private func streamMayGoOn(_ header: FrameScanner.Header) -> Bool {
        guard header.stream <= history.newest,
            nghttp2_session_find_stream(session, header.stream) == nil
        else { return true }
        if history.wasEnded(header.stream) {
            failure = (NGHTTP2_STREAM_CLOSED.rawValue, .malformed)
            return false
        }
        // A stream that is forgotten, or that was reset here while the client was still sending:
        // nghttp2 throws the frame away. Whole DATA frames are what such a client has on its way.
        let isData = header.type == UInt8(NGHTTP2_DATA.rawValue)
        return isData && header.length >= Limits.dribbleBytes || spend(.other)
    }

    func headersBegin(_ frame: UnsafePointer<nghttp2_frame>) -> Int32 {
        headerBytes = 0
        headerFields = 0
        headerStream = -1
        headersOpenSince = state.tick
        guard frame.pointee.headers.cat == NGHTTP2_HCAT_REQUEST else { return 0 }  // trailers
        let id = frame.pointee.hd.stream_id
        guard slab.live + abandoned.count < Limits.streamsPerConnection else {
            let code = nghttp2_submit_rst_stream(
                session, UInt8(NGHTTP2_FLAG_NONE.rawValue), id, NGHTTP2_REFUSED_STREAM.rawValue)
            return code == 0 ? HTTP2Callbacks.failedStream : HTTP2Callbacks.failed
        }
        windowUpdatesPaid += 1
        let index = slab.open(id, tick: state.tick)
        nghttp2_session_set_stream_user_data(session, id, Self.userData(index))
        headerStream = index
        return 0
    }

    func field(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) -> Int32 {
        // RFC 9113 §6.5.2 counts 32 more for each field, as this memory does.
        headerBytes += name.count + value.count + 32
        headerFields += 1
        // HPACK makes kilobytes of one byte: past this, even skipping it costs too much.
        if headerBytes > Limits.headerBytes * 32 {
            state.counters.floods[.other] += 1
            failure = (NGHTTP2_ENHANCE_YOUR_CALM.rawValue, .flood)
            return HTTP2Callbacks.failed
        }
        guard headerStream >= 0, name.count > 0 else { return 0 }
        let isPath = name.count == 5 && name[0] == UInt8(ascii: ":") && name[1] == UInt8(ascii: "p")
        if isPath {
            headerBytes -= value.count  // has a limit of its own
            if value.count > Limits.targetBytes {
                note(headerStream, Refusal.targetTooLong(value.count))
                return 0
            }
        }
        if headerFields > Limits.headerFields + 4 || headerBytes > Limits.headerBytes {
            note(headerStream, Refusal.headersTooLarge())
            return 0
        }
        if name[0] == UInt8(ascii: ":") {
            pseudoField(headerStream, name, value)
            return 0
        }
        switch FieldName.recognise(name) {
        case .kept(let kept): slab[headerStream].headers.append(kept, Bytes(value))
        case .host: slab[headerStream].host = Bytes(value)
        case .origin:
            if slab[headerStream].origin != nil { note(headerStream, Refusal.repeatedOrigin()) }
            slab[headerStream].origin = Bytes(value)
        case .secFetchSite:
            if slab[headerStream].secFetchSite != nil {
                note(headerStream, Refusal.repeatedOrigin())
            }
            slab[headerStream].secFetchSite = Bytes(value)
        case .contentLength: slab[headerStream].contentLength = Self.number(value)
        case .expect:
            slab[headerStream].expectation.take(value)
            if slab[headerStream].expectation == .unknown {
                note(headerStream, Refusal.expectation())
            }
        case .connection, .transferEncoding, .upgrade, .http2Settings, nil: break
        }
        return 0
    }

    private func pseudoField(
        _ index: Int, _ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>
    ) {
        // nghttp2 has checked that each of them came at most once and before the others.
        switch (name.count, name[1]) {
        case (7, UInt8(ascii: "m")):
            slab[index].method = Method(value)
            if equalIgnoringCase(value, "connect".utf8) { note(index, Refusal.noTunnel()) }
        case (5, UInt8(ascii: "p")):
            slab[index].target = Bytes(value)
        case (10, UInt8(ascii: "a")):
            slab[index].hasAuthority = true
            if let approved = approvedAuthority, value.elementsEqual(approved) { return }
            slab[index].authority = Bytes(value)
        default: break
        }
    }

    /// Saturates: what does not fit is too long anyway.
    private static func number(_ digits: UnsafeBufferPointer<UInt8>) -> Int {
        var number = 0
        for digit in digits where number < Int.max / 100 {
            number = number * 10 + Int(digit &- UInt8(ascii: "0"))
        }
        return number
    }

    /// Remembers why a stream is to be refused when its header has ended.
    private func note(_ index: Int, _ problem: Problem) {
        guard !slab[index].isRefused else { return }
        slab[index].isRefused = true
        refusals[index] = problem
    }

    func frameEnds(_ frame: UnsafePointer<nghttp2_frame>) -> Int32 {
        let header = frame.pointee.hd
        let ends = header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
        switch UInt32(header.type) {
        case NGHTTP2_HEADERS.rawValue:
            headersOpenSince = nil
            guard let index = index(of: header.stream_id) else { return 0 }
            if frame.pointee.headers.cat == NGHTTP2_HCAT_REQUEST { headEnds(index, last: ends) }
            if ends { requestEnds(index) }
        case NGHTTP2_DATA.rawValue:
            let padding = frame.pointee.data.padlen
            if !ends, header.length <= padding, !spend(.emptyFrame) { return HTTP2Callbacks.failed }
            guard let index = index(of: header.stream_id) else { return 0 }
            if slab[index].body == nil, slab[index].phase == .receiving { slab[index].body = [] }
            if ends { requestEnds(index) }
        case NGHTTP2_RST_STREAM.rawValue:
            if let index = index(of: header.stream_id) { slab[index].resetByClient = true }
        case NGHTTP2_SETTINGS.rawValue:
            if awaitsPreface { return prefaceArrived() }
        case NGHTTP2_PING.rawValue:
            if header.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) != 0 { finishDrain() }
        case NGHTTP2_GOAWAY.rawValue:
            sawGoodbye = true
        default: break
        }
        return failure == nil ? 0 : HTTP2Callbacks.failed
    }

    private func headEnds(_ index: Int, last: Bool) {
        if isPeerStream(index, last: last) { return beginStreaming(index) }
        if !slab[index].isRefused,
            let problem = policyRefusal(index) ?? state.failure(at: .httpHead)
        {
            note(index, problem)
        }
        if slab[index].isRefused, let problem = refusals.removeValue(forKey: index) {
            slab[index].remoteClosed = last
            return refuse(index, problem)
        }
        let headBytes = headerBytes + slab[index].target.count
        if headBytes >= Limits.smallHeadBytes {
            guard state.holdRequestBytes(headBytes) else {
                slab[index].remoteClosed = last
                return refuse(index, Refusal.requestsTakeTooMuchMemory())
            }
            slab[index].held = headBytes
        }
        guard !last else { return }
        if slab[index].contentLength > Limits.bodyBytes {
            return refuse(index, Refusal.bodyTooLarge(slab[index].contentLength))
        }
        if slab[index].expectation == .proceed { sendContinue(slab[index].id) }
    }

    private func policyRefusal(_ index: Int) -> Problem? {
        guard Target.isLegal(slab[index].target, method: slab[index].method) else {
            return Refusal.malformed("The request target (:path) is not an absolute path.")
        }
        let host = slab[index].host
        let origin = slab[index].origin
        let secFetchSite = slab[index].secFetchSite
        var authority = host
        if slab[index].hasAuthority {
            authority = slab[index].authority ?? approvedAuthority
            if let host, let authority, !equalIgnoringCase(host, authority) {
                return Refusal.malformed("The host field contradicts :authority.")
            }
            let isApproved = slab[index].authority == nil
            if isApproved, origin == nil, secFetchSite == nil { return nil }
        }
        if let problem = state.origins.refusal(
            authority: authority ?? [], origin: origin, secFetchSite: secFetchSite)
        {
            return problem
        }
        if slab[index].hasAuthority { approvedAuthority = authority }
        return nil
    }

    func data(_ id: Int32, _ bytes: UnsafeBufferPointer<UInt8>) -> Int32 {
        if peerStreams > 0, let index = index(of: id), slab[index].phase == .streaming {
            return streamed(index, bytes)
        }
        guard let index = index(of: id), !slab[index].isRefused else {
            // The stream's window stays shut; the connection's is shared.
            let code = nghttp2_session_consume_connection(session, bytes.count)
            return code == 0 ? 0 : HTTP2Callbacks.failed
        }
        let code = nghttp2_session_consume(session, id, bytes.count)
        guard code == 0 else { return HTTP2Callbacks.failed }
        if let problem = take(index, bytes) { refuse(index, problem) }
        return failure == nil ? 0 : HTTP2Callbacks.failed
    }

    /// The next piece of a body. nil, or why the request is refused.
    private func take(_ index: Int, _ bytes: UnsafeBufferPointer<UInt8>) -> Problem? {
        if let problem = state.failure(at: .httpBody) { return problem }
        let isFirst = slab[index].body == nil
        if isFirst,
            ContentCoding.isUndone(
                slab[index].method, slab[index].target, slab[index].headers)
        {
            guard state.holdRequestBytes(GzipDecoder.stateBytes) else {
                return Refusal.requestsTakeTooMuchMemory()
            }
            slab[index].held += GzipDecoder.stateBytes
            slab[index].decoder = GzipDecoder()
            slab[index].progress = 0  // from now on of what it receives
            slab[index].body = []
        }
        if let decoder = slab[index].decoder {
            return state.undo(
                UnsafeRawBufferPointer(bytes), by: decoder, onto: &slab[index].body,
                held: &slab[index].held)
        }
        let bodyBytes = (slab[index].body?.count ?? 0) + bytes.count
        guard bodyBytes <= Limits.bodyBytes else { return Refusal.bodyTooLarge(bodyBytes) }
        guard state.holdRequestBytes(bytes.count) else {
            return Refusal.requestsTakeTooMuchMemory()
        }
        slab[index].held += bytes.count
        if isFirst {
            var body = Bytes()
            body.reserveCapacity(state.roomAhead(ofBody: slab[index].contentLength))
            slab[index].body = body
        }
        slab[index].body?.append(contentsOf: bytes)
        return nil
    }

    private func requestEnds(_ index: Int) {
        slab[index].remoteClosed = true
        if slab[index].phase == .streaming { return endStreaming(index) }
        guard !slab[index].isRefused else { return }
        var request = Request(
            method: slab[index].method, target: slab[index].target, headers: slab[index].headers,
            body: slab[index].body)
        slab[index].body = nil
        slab[index].takesGzip = AcceptEncoding.takesGzip(request.headers)
        if let problem = state.finishUndoing(
            &request, by: slab[index].decoder, held: &slab[index].held)
        {
            return refuse(index, problem)
        }
        slab[index].decoder = nil
        slab[index].target = []
        slab[index].headers = RequestHeaders()
        slab[index].phase = .serving
        state.counters.requestsHTTP2 += 1
        state.counters.requestsInFlight += 1
        events.append(.request(request, stream: slab[index].id))
    }

    /// nghttp2 refuses a frame. A stream that is reset for it is paid for when it closes.
    func frameIsInvalid(_ stream: Int32) -> Int32 {
        nghttp2_session_find_stream(session, stream) != nil || spend(.other)
            ? 0 : HTTP2Callbacks.failed
    }

    func streamCloses(_ id: Int32, _ code: UInt32) -> Int32 {
        let resetByClient = index(of: id).map { forget($0, id) } ?? false
        guard code != NGHTTP2_NO_ERROR.rawValue else { return 0 }
        if resetByClient {
            state.counters.streamsResetByClient += 1
            return 0  // paid for when the frame began
        }
        // MadeYouReset (CVE-2025-8671): a reset that the client provokes costs it as much as its
        // own. No failure from here: frames are being sent, and GOAWAY is to be the next.
        state.counters.streamsResetByServer += 1
        _ = spend(.serverReset)
        return 0
    }

    /// Gives up a stream's place; what the core still works on is abandoned. True if the client
    /// reset it.
    private func forget(_ index: Int, _ id: Int32) -> Bool {
        let resetByClient = slab[index].resetByClient
        if slab[index].remoteClosed || resetByClient { history.end(id) }
        if index == headerStream { headerStream = -1 }
        if slab[index].isRefused { refusals[index] = nil }
        if slab[index].phase != .streaming { state.responses.release(slab[index].answer) }
        if slab[index].phase == .streaming {
            leaveStreaming()
            events.append(.cancelled(stream: id))
        } else if slab[index].phase == .serving {
            abandoned.append(
                AbandonedRequest(stream: id, since: state.tick, held: slab[index].held))
            events.append(.cancelled(stream: id))
        } else {
            state.releaseRequestBytes(slab[index].held)
        }
        slab.close(index)
        if isIdle { idleSince = state.tick }
        return resetByClient
    }
}
