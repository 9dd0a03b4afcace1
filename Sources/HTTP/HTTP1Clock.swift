/// Time-outs, draining and the end of an HTTP/1.1 session.
internal import API
internal import Base
internal import DequeModule
internal import NIOHTTP1

extension HTTP1Session {
    /// Once per tick. Whether an answer gets on is the connection's to watch: it is all there is to
    /// send.
    package func advance() {
        guard closing == nil, acceptsInput else { return }
        if let begun = headSince {
            guard state.has(Limits.headerTimeout, passedSince: begun) else { return }
            state.counters.timeouts[.headers] += 1
            refuseUnbegun(Refusal.headerTimeout())
        } else if receiving != nil, let last = exchanges.last {
            if last.held >= progress + Limits.stallBytes {
                progress = last.held
                since = state.tick
            }
            guard exchanges.count == 1, state.has(Limits.stallTimeout, passedSince: since) else {
                return
            }
            state.counters.timeouts[.body] += 1
            refuse(
                state.requestBytesFit
                    ? Refusal.bodyTimeout() : Refusal.requestsTakeTooMuchMemory())
        } else if exchanges.isEmpty, state.has(Limits.idleTimeout, passedSince: since) {
            state.counters.timeouts[.idle] += 1
            closing = .timeout
        }
    }

    private func refuseUnbegun(_ problem: Problem) {
        exchanges.append(
            Exchange(sequence: nextSequence, isHead: false, isVersion10: false, persists: false))
        nextSequence &+= 1
        refuse(problem)
    }

    /// The answers that are owed are the last; without one the connection ends at once.
    package func drain() {
        guard closing == nil, acceptsInput else { return }
        if exchanges.isEmpty {
            acceptsInput = false
            closing = .drained
        } else {
            exchanges[exchanges.count - 1].persists = false
            if receiving == nil { acceptsInput = false }
        }
    }

    /// What the core still works on: cancelled, because the connection is gone.
    package func abandonEverything() -> [Int32] {
        var streams: [Int32] = []
        for exchange in exchanges {
            if exchange.isServed {
                streams.append(exchange.sequence)
                state.counters.requestsInFlight -= 1
            }
            state.releaseRequestBytes(exchange.held)
            if !exchange.isHead, let response = exchange.response {
                state.responses.release(response.body)
            }
        }
        exchanges.removeAll()
        events = []
        return streams
    }

    /// What the decoder's error means for the client.
    static func problem(of error: any Error, inTarget: Bool) -> Problem {
        guard let error = error as? HTTPParserError else {
            return Refusal.malformed("The bytes are not an HTTP/1.1 request.")
        }
        switch error {
        case .headerOverflow:
            return inTarget
                ? Refusal.targetTooLong(Limits.headerBytes + 1) : Refusal.headersTooLarge()
        case .invalidVersion: return Refusal.versionNotSupported()
        case .invalidMethod: return Refusal.methodUnknown()
        case .invalidURL: return Refusal.malformed("The request target is malformed.")
        case .invalidHeaderToken: return Refusal.malformed("A header field is malformed.")
        case .invalidContentLength, .unexpectedContentLength:
            return Refusal.malformed(
                "Content-Length is malformed, repeated, or beside Transfer-Encoding.")
        case .invalidChunkSize: return Refusal.malformed("The size of a chunk is malformed.")
        default: return Refusal.malformed("The bytes are not an HTTP/1.1 request.")
        }
    }
}
