/// Streams between two stores: requests to one path whose bodies never end, over HTTP/2 alone.
///
/// They share the port and the connection's budget and time-outs with everybody, and go to the core
/// as they arrive, under a window that opens when the core has taken what it was given. What they
/// hold is not known here. A browser cannot open one: it sends an origin with whatever it posts.
internal import API
package import Base
internal import CNghttp2

package enum PeerStream {
    package static let path = "/v1/peers/stream"
    static let pathBytes = Bytes(path.utf8)
}

extension HTTP2Session {
    func isPeerStream(_ index: Int, last: Bool) -> Bool {
        slab[index].method == .post && !last && !slab[index].isRefused
            && slab[index].origin == nil && slab[index].secFetchSite == nil
            && slab[index].target == PeerStream.pathBytes && state.settings.servesPeers
    }

    func beginStreaming(_ index: Int) {
        let id = slab[index].id
        guard state.counters.peerStreams < Limits.peerStreamsPerCore else {
            return refuse(index, Refusal.tooManyPeerStreams())
        }
        if peerStreams == 0 {
            state.counters.connectionsOfPeers += 1
            if mayBeStore { widen(0, Limits.peerStreamWindowBytes * 4) }
        }
        if mayBeStore { widen(id, Limits.peerStreamWindowBytes) }
        peerStreams += 1
        state.counters.peerStreams += 1
        heardAt = state.tick
        slab[index].target = []
        slab[index].headers = RequestHeaders()
        slab[index].phase = .streaming
        events.append(.opened(stream: id))
    }

    private func widen(_ stream: Int32, _ window: Int) {
        let code = nghttp2_session_set_local_window_size(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream, Int32(window))
        if code != 0 { closing = closing ?? .failed }
    }

    /// The connection's window opens at once, for it is shared; the stream's when `consume` says.
    func streamed(_ index: Int, _ bytes: UnsafeBufferPointer<UInt8>) -> Int32 {
        events.append(.received(Bytes(bytes), stream: slab[index].id))
        let code = nghttp2_session_consume_connection(session, bytes.count)
        return code == 0 ? 0 : HTTP2Callbacks.failed
    }

    /// The core has done with so many bytes.
    package func consume(_ id: Int32, _ count: Int) {
        guard let index = index(of: id), slab[index].phase == .streaming else { return }
        let code = nghttp2_session_consume_stream(session, id, count)
        if code != 0 { closing = closing ?? .failed }
    }

    /// Sends more of the answer, after its head if this is the first of it.
    /// - Parameter limit: of the bytes that wait with these; they may pass it where none wait.
    /// - Returns: false if it is passed, and then nothing is taken.
    package func answer(_ id: Int32, _ bytes: Bytes, limit: Int) -> Bool {
        guard let index = index(of: id), slab[index].phase == .streaming else { return true }
        let waiting = slab[index].answer.count - slab[index].answerSent
        guard waiting == 0 || waiting + bytes.count <= limit else { return false }
        take(bytes, index)
        return true
    }

    private func take(_ bytes: Bytes, _ index: Int) {
        // Half of it at least, so that a byte is moved once or twice and not with each answer.
        if slab[index].answerSent * 2 >= slab[index].answer.count {
            slab[index].answer.removeFirst(slab[index].answerSent)
            slab[index].answerSent = 0
        }
        slab[index].answer.append(contentsOf: bytes)
        guard slab[index].answerIsOpen else {
            slab[index].answerIsOpen = true
            return beginAnswer(index)
        }
        let code = nghttp2_session_resume_data(session, slab[index].id)
        // Refused where nothing was deferred: it is about to be sent.
        if code != 0, code != NGHTTP2_ERR_INVALID_ARGUMENT.rawValue { closing = closing ?? .failed }
    }

    private func beginAnswer(_ index: Int) {
        let fields = state.fields
        fields.reset(fields: 1, valueBytes: 0)
        fields.add(":status", "200")
        var provider = nghttp2_data_provider(
            source: nghttp2_data_source(ptr: Self.userData(index)),
            read_callback: { _, _, target, length, flags, source, user in
                Unmanaged<HTTP2Session>.fromOpaque(user!)._withUnsafeGuaranteedRef {
                    $0.readStreamAnswer(
                        Int(bitPattern: source!.pointee.ptr) - 1, target!, length, flags!)
                }
            })
        let code = nghttp2_submit_response(
            session, slab[index].id, fields.fields, fields.count, &provider)
        if code != 0 { closing = closing ?? .failed }
    }

    private func readStreamAnswer(
        _ index: Int, _ target: UnsafeMutablePointer<UInt8>, _ length: Int,
        _ flags: UnsafeMutablePointer<UInt32>
    ) -> Int {
        let start = slab[index].answerSent
        let count = min(length, slab[index].answer.count - start)
        let ends = slab[index].remoteClosed || slab[index].answerEnds
        guard count > 0 || ends else {
            return Int(NGHTTP2_ERR_DEFERRED.rawValue)
        }
        slab[index].answer.withUnsafeBufferPointer { bytes in
            if let base = bytes.baseAddress { target.update(from: base + start, count: count) }
        }
        slab[index].answerSent = start + count
        windowUpdatesPaid += 2
        if ends, slab[index].answerSent == slab[index].answer.count {
            flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue
        }
        return count
    }

    /// After what was answered so far; whoever opened the stream ends its own half then.
    package func finishAnswer(_ id: Int32) {
        guard let index = index(of: id), slab[index].phase == .streaming,
            slab[index].answerIsOpen
        else { return }
        slab[index].answerEnds = true
        let code = nghttp2_session_resume_data(session, id)
        if code != 0, code != NGHTTP2_ERR_INVALID_ARGUMENT.rawValue { closing = closing ?? .failed }
    }

    /// The other side has said all it had to say.
    func endStreaming(_ index: Int) {
        guard slab[index].answerIsOpen else { return }
        let code = nghttp2_session_resume_data(session, slab[index].id)
        if code != 0, code != NGHTTP2_ERR_INVALID_ARGUMENT.rawValue { closing = closing ?? .failed }
    }

    /// Before its answer has begun: with a problem. After that: by a reset.
    func refuseStream(_ index: Int, _ response: Response) {
        let isAnswered = slab[index].answerIsOpen
        let id = slab[index].id
        if isAnswered {
            let code = nghttp2_submit_rst_stream(
                session, UInt8(NGHTTP2_FLAG_NONE.rawValue), id, NGHTTP2_CANCEL.rawValue)
            if code != 0 { closing = closing ?? .failed }
            return
        }
        leaveStreaming()
        slab[index].isRefused = true
        submit(index, response)
    }

    func leaveStreaming() {
        peerStreams -= 1
        state.counters.peerStreams -= 1
        guard peerStreams == 0 else { return }
        state.counters.connectionsOfPeers -= 1
    }
}
