/// What leaves on an HTTP/2 connection: answers and refusals.
package import API
internal import Base
internal import CNghttp2

extension HTTP2Session {
    /// The core's answer. Dropped if the stream is gone; the place that it held becomes free.
    package func respond(_ id: Int32, _ response: Response) {
        guard let index = index(of: id), slab[index].phase == .serving else {
            if let index = index(of: id), slab[index].phase == .streaming {
                refuseStream(index, response)
            } else {
                release(id)
            }
            return
        }
        state.counters.requestsInFlight -= 1
        state.releaseRequestBytes(slab[index].held)
        slab[index].held = 0
        submit(index, state.encoded(response, takesGzip: slab[index].takesGzip))
        if response.closesConnection { drain() }
    }

    /// The core has done with a request whose stream is gone.
    package func release(_ id: Int32) {
        if let position = abandoned.firstIndex(where: { $0.stream == id }) {
            release(abandonedAt: position)
        }
    }

    /// Answers with a problem before the request has all arrived; what still arrives is thrown
    /// away.
    func refuse(_ index: Int, _ problem: Problem) {
        slab[index].isRefused = true
        slab[index].body = nil
        slab[index].decoder = nil
        state.releaseRequestBytes(slab[index].held)
        slab[index].held = 0
        submit(index, state.refuse(problem, slab[index].headers))
        // `failure` is set if that was the last token; whoever called looks at it.
        _ = spend(.refused)
    }

    /// The client of an Upgrade has shown that it speaks HTTP/2: the rest of its answer may follow.
    func prefaceArrived() -> Int32 {
        awaitsPreface = false
        guard let index = index(of: 1), slab[index].answerSent > 0 else { return 0 }
        // Refused only if nothing was deferred: the first DATA frame is still waiting.
        let code = nghttp2_session_resume_data(session, 1)
        return code == 0 || code == NGHTTP2_ERR_INVALID_ARGUMENT.rawValue
            ? 0 : HTTP2Callbacks.failed
    }

    func sendContinue(_ id: Int32) {
        let fields = state.fields
        fields.reset(fields: 1, valueBytes: 0)
        fields.add(":status", "100")
        let code = nghttp2_submit_headers(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), id, nil, fields.fields, fields.count, nil)
        invariant(code == 0, "nghttp2 has memory for a frame")
    }

    func submit(_ index: Int, _ response: Response) {
        var response = response
        if !state.responses.admits(response.body), slab[index].method != .head {
            response = state.shed(response)
        }
        layOut(response)
        let sendsBody =
            response.mayHaveBody && slab[index].method != .head && !response.body.isEmpty
        slab[index].phase = .answering
        slab[index].progress = 0
        slab[index].progressAt = state.tick
        let id = slab[index].id
        var code: Int32
        if sendsBody {
            state.responses.hold(response.body)
            slab[index].answer = response.body
            var provider = nghttp2_data_provider(
                source: nghttp2_data_source(ptr: Self.userData(index)),
                read_callback: { _, id, target, length, flags, source, user in
                    Unmanaged<HTTP2Session>.fromOpaque(user!)._withUnsafeGuaranteedRef {
                        $0.readAnswer(
                            Int(bitPattern: source!.pointee.ptr) - 1, id, target!, length, flags!)
                    }
                })
            code = nghttp2_submit_response(
                session, id, state.fields.fields, state.fields.count, &provider)
        } else {
            code = nghttp2_submit_response(
                session, id, state.fields.fields, state.fields.count, nil)
            if !slab[index].remoteClosed { awaitRest(index) }
        }
        if code != 0 { closing = closing ?? .failed }
    }

    /// RFC 9113 §8.1 lets a server reset a stream whose answer is complete while its request is
    /// not. curl up to 8.0 then reports the reset (error 92) in place of the answer. So the client
    /// is given a while to notice the answer and end the stream itself; it can send no more
    /// meanwhile than the stream's window, which stays shut.
    private func awaitRest(_ index: Int) {
        slab[index].phase = .answered
        slab[index].progressAt = state.tick
    }

    func stopRequest(_ id: Int32) -> Int32 {
        nghttp2_submit_rst_stream(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), id, NGHTTP2_NO_ERROR.rawValue)
    }

    func layOut(_ response: Response) {
        invariant((200...599).contains(response.status), "a final answer has a final status")
        let fields = state.fields
        var valueBytes =
            3 + HTTPDate.length + Decimal.maxLength + Fingerprint.quotedCount + ServedBy.countMax
            + (response.requestID?.count ?? 0)
        for field in response.headers { valueBytes += field.value.count }
        fields.reset(fields: response.headers.count + 10, valueBytes: valueBytes)
        fields.add(":status", response.status)
        if let type = response.contentType { fields.add("content-type", type.wire) }
        if response.mayHaveBody { fields.add("content-length", response.body.count) }
        fields.add("date", state.date, HTTPDate.length)
        if let requestID = response.requestID {
            fields.add(ResponseHeaderName.requestID.wire, requestID, neverIndexed: true)
        }
        fields.add("x-content-type-options", Response.noSniff)
        if !response.isStorable { fields.add("cache-control", Response.noStore) }
        if response.isWholeOnly { fields.add("accept-ranges", Response.none) }
        if let entityTag = response.entityTag { fields.add("etag", entityTag) }
        if let servedBy = response.servedBy {
            fields.add(ResponseHeaderName.servedBy.wire, servedBy)
        }
        for field in response.headers {
            assert(field.value.allSatisfy { $0 >= 0x20 || $0 == 0x09 }, "values have no line ends")
            fields.add(field.name.wire, field.value, neverIndexed: field.name.isUnique)
        }
    }

    /// Hot path: nghttp2 asks for the next bytes of a body, as many as the windows allow.
    private func readAnswer(
        _ index: Int, _ id: Int32, _ target: UnsafeMutablePointer<UInt8>, _ length: Int,
        _ flags: UnsafeMutablePointer<UInt32>
    ) -> Int {
        invariant(slab[index].id == id, "a stream keeps its place until it is closed")
        let start = slab[index].answerSent
        if awaitsPreface, start > 0 { return Int(NGHTTP2_ERR_DEFERRED.rawValue) }
        let count = min(length, slab[index].answer.count - start)
        slab[index].answer.withUnsafeBufferPointer { bytes in
            if let base = bytes.baseAddress { target.update(from: base + start, count: count) }
        }
        slab[index].answerSent = start + count
        let isLast = start + count == slab[index].answer.count
        if isLast || count >= Limits.dribbleBytes { windowUpdatesPaid += 2 }
        if isLast {
            flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue
            state.responses.release(slab[index].answer)
            slab[index].answer = []
            if !slab[index].remoteClosed { awaitRest(index) }
        }
        return count
    }
}
