/// What the front does to bodies on their way: gzip undone in requests, done in answers.
internal import API
internal import Base
internal import Failpoints
internal import Injection

extension FrontState {
    /// The answer as this client is to have it; before it is counted as held. Answers whose form
    /// depends on Accept-Encoding say so in either form (RFC 9110 §12.5.5).
    func encoded(_ response: Response, takesGzip: Bool) -> Response {
        guard response.mayBeCoded else { return response }
        var answer = response
        answer.vary(on: .acceptEncoding)
        guard takesGzip, failpoints.reached(.httpDeflate) != .kept else { return answer }
        let coded = gzipEncoder.encode(response.body)
        if coded.count < response.body.count { answer.encode(coded, as: "gzip") }
        return answer
    }

    /// Undoes a piece of a body. nil, or why the request is refused.
    /// - Parameter held: bytes counted as in memory for the request; what comes out is added.
    func undo(
        _ piece: UnsafeRawBufferPointer, by decoder: GzipDecoder, onto body: inout Bytes?,
        held: inout Int
    ) -> Problem? {
        if let problem = failure(at: .httpInflate) { return problem }
        let sent = decoder.received + piece.count
        guard sent <= Limits.bodyBytes else { return Refusal.bodyTooLarge(sent) }
        var problem: Problem?
        let outcome = decoder.feed(piece) { bytes in
            let size = (body?.count ?? 0) + bytes.count
            if size > Limits.bodyBytes {
                problem = Refusal.decodedBodyTooLarge()
            } else if size > max(Limits.gunzipBytesAlways, Limits.gunzipGrowth * sent) {
                problem = Refusal.bodyGrowsTooMuch()
            } else if !holdRequestBytes(bytes.count) {
                problem = Refusal.requestsTakeTooMuchMemory()
            } else {
                held += bytes.count
                body?.append(contentsOf: bytes)
            }
            return problem == nil
        }
        if case .failed(let failure) = outcome { return Refusal.notGzip(failure) }
        return problem
    }

    /// The body, if there is one, has all arrived. nil, or why the request is refused.
    func finishUndoing(
        _ request: inout Request, by decoder: GzipDecoder?, held: inout Int
    ) -> Problem? {
        guard ContentCoding.isUndone(request.method, request.target, request.headers) else {
            return nil
        }
        request.headers.remove(.contentEncoding)
        guard request.body != nil else { return nil }
        guard let decoder, decoder.isDone else { return Refusal.notGzip(.truncated) }
        releaseRequestBytes(GzipDecoder.stateBytes)
        held -= GzipDecoder.stateBytes
        return nil
    }
}
