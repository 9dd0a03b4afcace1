/// One HTTP/1.1 connection without its socket: bytes in, events and bytes out.
///
/// Answers leave in the order of their requests. A refusal is an answer in its place, and the last
/// one: what follows on the connection cannot be trusted to begin where a request begins.
package import API
internal import Base
package import DequeModule
internal import Failpoints
package import NIOCore

package final class HTTP1Session {
    struct Exchange {
        var sequence: Int32
        var isHead: Bool
        var isVersion10: Bool
        var persists: Bool
        /// `100 Continue` is owed, as soon as all answers before this one are out.
        var owesContinue = false
        /// Whole, and kept from the core by what is before it.
        var waiting: Request?
        /// With the core.
        var isServed = false
        /// Changes nothing on the server (RFC 9110 §9.2.1).
        var isSafe = true
        /// The answer may be in gzip.
        var takesGzip = false
        var response: Response?
        /// Of the answer's body. The body itself is not kept for a HEAD.
        var bodyLength = 0
        var headSent = false
        var bodySent = 0
        var held = 0
    }

    let state: FrontState
    /// Drained by the connection after every call.
    package var events: Deque<SessionEvent> = []
    /// Why the connection has to end, as soon as the output is out.
    package internal(set) var closing: CloseReason?
    /// False once no further request is taken: what still arrives is thrown away.
    package internal(set) var acceptsInput = true
    /// A request that asks to go on in HTTP/2: the connection takes over.
    private(set) var upgrade: (settings: Bytes, request: Request)?

    var exchanges = Deque<Exchange>()
    var nextSequence: Int32 = 0
    /// The request whose body is arriving; its exchange is the last.
    var receiving: HTTP1Head?
    var body: Bytes?
    /// Undoes the body, if it is in gzip.
    var decoder: GzipDecoder?
    var progress = 0
    /// When the stall clock of the body, or the idle clock, was set.
    var since: UInt32
    /// Set while a part of a header section is there and the rest is not.
    var headSince: UInt32?
    /// Bytes of that part that are counted as held.
    private var headHeld = 0
    private var parser = HTTP1Parser()
    private let isEncrypted: Bool

    package init(state: FrontState, isEncrypted: Bool) {
        self.state = state
        self.isEncrypted = isEncrypted
        since = state.tick
    }

    package var isReceivingBody: Bool { body != nil }
    /// Whether more of the input may be looked at: a body that has begun, or one more request that
    /// is ahead of its answer.
    package var takesMore: Bool {
        acceptsInput && (receiving != nil || exchanges.count < Limits.pipelinedRequests)
    }

    // MARK: Input

    /// Takes requests from the front of `bytes` while it may; the number of bytes that it left.
    package func feed(_ bytes: UnsafeRawBufferPointer) -> Int {
        var input = bytes
        let before = nextSequence
        do throws(HTTP1Parser.Failure) {
            while takesMore, let part = try parser.next(&input) {
                switch part {
                case .head(let head): begin(head)
                case .body(let bytes): take(bytes)
                case .end: end()
                }
            }
        } catch {
            fail(error)
        }
        // A head that follows a whole one in this input has begun just now.
        let begun = before == nextSequence ? headSince : nil
        headSince = acceptsInput && parser.isInHead ? begun ?? state.tick : nil
        if headHeld > 0 || headSince != nil { holdHead(headSince == nil ? 0 : parser.partBytes) }
        return input.count
    }

    /// Counts the part of a head that is there, from the size on from which whole ones are counted.
    private func holdHead(_ count: Int) {
        let wanted = count >= Limits.smallHeadBytes ? count : 0
        if wanted <= headHeld {
            state.releaseRequestBytes(headHeld - wanted)
        } else if !state.holdRequestBytes(wanted - headHeld) {
            return refuseUnbegun(Refusal.requestsTakeTooMuchMemory())
        }
        headHeld = wanted
    }

    private func begin(_ received: HTTP1Head) {
        var head = received
        let problem = head.problem(&state.origins)
        var exchange = Exchange(
            sequence: nextSequence, isHead: head.method == .head, isVersion10: head.isVersion10,
            persists: head.persists)
        nextSequence &+= 1
        exchange.owesContinue = problem == nil && head.expectsContinue && head.hasBody
        exchanges.append(exchange)
        receiving = head
        holdHead(0)
        if let problem = problem ?? state.failure(at: .httpHead) { return refuse(problem) }
        let headBytes = parser.headBytes
        if headBytes >= Limits.smallHeadBytes {
            guard state.holdRequestBytes(headBytes) else {
                return refuse(Refusal.requestsTakeTooMuchMemory())
            }
            exchanges[exchanges.count - 1].held = headBytes
        }
        progress = 0
        since = state.tick
        guard head.contentLength != nil || head.isChunked else { return }
        body = []
        if ContentCoding.isUndone(head.method, head.target, head.headers) {
            guard state.holdRequestBytes(GzipDecoder.stateBytes) else {
                return refuse(Refusal.requestsTakeTooMuchMemory())
            }
            exchanges[exchanges.count - 1].held += GzipDecoder.stateBytes
            decoder = GzipDecoder()
        }
    }

    private func take(_ bytes: UnsafeRawBufferPointer) {
        guard receiving != nil, let last = exchanges.indices.last else { return }
        let count = bytes.count
        // The client did not wait for it.
        exchanges[last].owesContinue = false
        if let problem = state.failure(at: .httpBody) { return refuse(problem) }
        if let decoder {
            let problem = state.undo(
                bytes, by: decoder, onto: &body, held: &exchanges[last].held)
            if let problem { refuse(problem) }
            return
        }
        let bodyBytes = (body?.count ?? 0) + count
        if bodyBytes > Limits.bodyBytes { return refuse(Refusal.bodyTooLarge(bodyBytes)) }
        guard state.holdRequestBytes(count) else {
            return refuse(Refusal.requestsTakeTooMuchMemory())
        }
        if bodyBytes == count, let length = receiving?.contentLength {
            body?.reserveCapacity(state.roomAhead(ofBody: length))
        }
        exchanges[last].held += count
        body?.append(contentsOf: bytes)
    }

    private func end() {
        guard let head = receiving, let last = exchanges.indices.last else { return }
        receiving = nil
        since = state.tick
        var request = Request(
            method: head.method, target: head.target, headers: head.headers, body: body)
        body = nil
        defer { decoder = nil }
        if let settings = head.http2Settings, exchanges.count == 1, !isEncrypted {
            // The request goes on as a stream, which is the only one and holds none of it back.
            state.releaseRequestBytes(exchanges[last].held)
            exchanges.removeAll()
            acceptsInput = false
            upgrade = (settings, request)
            return
        }
        if !exchanges[last].persists { acceptsInput = false }
        exchanges[last].takesGzip = AcceptEncoding.takesGzip(request.headers)
        exchanges[last].isSafe = request.method.isSafe
        if let problem = state.finishUndoing(
            &request, by: decoder, held: &exchanges[last].held)
        {
            // The request is whole: what follows it on the connection begins where it should.
            state.releaseRequestBytes(exchanges[last].held)
            exchanges[last].held = 0
            return place(state.refuse(problem, request.headers), at: last)
        }
        exchanges[last].waiting = request
        state.counters.requestsHTTP1 += 1
        serveNext()
    }

    /// Hands the core what may run beside what it has: pipelined requests may be processed in
    /// parallel only as long as all of them are safe (RFC 9112 §9.3.2). What follows a write would
    /// else not see it, though its client sent it later on the same connection.
    private func serveNext() {
        var isBusy = false
        var isChanging = false
        for index in exchanges.indices {
            if let request = exchanges[index].waiting {
                guard !isBusy || exchanges[index].isSafe && !isChanging else { return }
                exchanges[index].waiting = nil
                exchanges[index].isServed = true
                state.counters.requestsInFlight += 1
                events.append(.request(request, stream: exchanges[index].sequence))
            }
            if exchanges[index].isServed {
                isBusy = true
                isChanging = isChanging || !exchanges[index].isSafe
            }
            // Its answer is the last: nothing behind it is wanted.
            guard exchanges[index].persists else { return }
        }
    }

    private func fail(_ failure: HTTP1Parser.Failure) {
        let problem = Refusal.problem(of: failure)
        if receiving == nil { refuseUnbegun(problem) } else { refuse(problem) }
    }

    /// Refuses a request of which the head is not complete.
    func refuseUnbegun(_ problem: Problem) {
        exchanges.append(
            Exchange(sequence: nextSequence, isHead: false, isVersion10: false, persists: false))
        nextSequence &+= 1
        refuse(problem)
    }

    /// The input is over: no part of a request will be followed by the rest.
    package func inputEnded() {
        guard acceptsInput else { return }
        acceptsInput = false
        if receiving != nil, let last = exchanges.popLast() { state.releaseRequestBytes(last.held) }
        receiving = nil
        body = nil
        decoder = nil
        headSince = nil
        holdHead(0)
        if exchanges.isEmpty {
            closing = closing ?? .byClient
        } else {
            exchanges[exchanges.count - 1].persists = false
        }
    }

    /// Answers the newest request with a problem, at once and as the last.
    func refuse(_ problem: Problem) {
        let last = exchanges.count - 1
        state.releaseRequestBytes(exchanges[last].held)
        exchanges[last].held = 0
        exchanges[last].owesContinue = false
        exchanges[last].persists = false
        let headers = receiving?.headers ?? RequestHeaders()
        place(state.refuse(problem, headers, closesConnection: true), at: last)
        receiving = nil
        body = nil
        decoder = nil
        headSince = nil
        holdHead(0)
        acceptsInput = false
    }

    /// The connection has gone: nothing of it is in memory any more.
    func releaseHead() { holdHead(0) }

    // MARK: Answers

    /// The core's answer. Dropped if the exchange is gone.
    package func respond(_ sequence: Int32, _ response: Response) {
        guard let first = exchanges.first else { return }
        let index = Int(sequence &- first.sequence)
        guard index >= 0, index < exchanges.count, exchanges[index].isServed else { return }
        exchanges[index].isServed = false
        state.counters.requestsInFlight -= 1
        state.releaseRequestBytes(exchanges[index].held)
        exchanges[index].held = 0
        var answer = state.encoded(response, takesGzip: exchanges[index].takesGzip)
        if !exchanges[index].isHead, !state.responses.admits(answer.body) {
            answer = state.shed(answer)
        }
        place(answer, at: index)
        if answer.closesConnection {
            exchanges[index].persists = false
            acceptsInput = false
        }
        if exchanges.count > 1 { serveNext() }
    }

    /// Appends what may be sent, in order, until `limit` bytes are there.
    package func takeOutput(into buffer: inout ByteBuffer, limit: Int) {
        while closing == nil, !exchanges.isEmpty, buffer.readableBytes < limit {
            guard exchanges[0].response != nil else {
                if exchanges[0].owesContinue {
                    exchanges[0].owesContinue = false
                    HTTP1Writer.writeContinue(into: &buffer)
                }
                return
            }
            writeFirst(into: &buffer, limit: limit)
        }
    }

    package var wantsOutput: Bool {
        guard closing == nil, let first = exchanges.first else { return false }
        return first.response != nil || first.owesContinue
    }

    private func writeFirst(into buffer: inout ByteBuffer, limit: Int) {
        let exchange = exchanges[0]
        guard let response = exchange.response else { return }
        if !exchange.headSent {
            HTTP1Writer.writeHead(
                response, length: exchange.bodyLength, persists: exchange.persists,
                isVersion10: exchange.isVersion10, date: state.date, into: &buffer)
            exchanges[0].headSent = true
        }
        let length = response.mayHaveBody ? response.body.count : 0
        let start = exchange.bodySent
        let count = min(length - start, max(0, limit - buffer.readableBytes))
        if count > 0 {
            response.body.withUnsafeBytes { bytes in
                _ = buffer.writeBytes(
                    UnsafeRawBufferPointer(rebasing: bytes[start..<start + count]))
            }
            exchanges[0].bodySent = start + count
        }
        guard start + count == length else { return }
        exchanges.removeFirst()
        state.responses.release(response.body)
        since = state.tick
        if !exchange.persists { closing = .afterAnswer }
    }

    private func place(_ response: Response, at index: Int) {
        var response = response
        exchanges[index].bodyLength = response.body.count
        if exchanges[index].isHead { response.body = [] }
        state.responses.hold(response.body)
        exchanges[index].response = response
    }
}
