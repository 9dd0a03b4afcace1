/// Time-outs, draining and the end of an HTTP/1.1 session.
internal import API
internal import Base
internal import DequeModule

extension HTTP1Session {
    /// Once per tick. Whether an answer gets on is the connection's to watch: it is all there is to
    /// send.
    package func advance() {
        guard closing == nil, acceptsInput else { return }
        if let begun = headSince {
            // While an answer is owed nothing may be read here at all: the rest of the head may
            // have been in the socket for long.
            guard exchanges.isEmpty else {
                headSince = state.tick
                return
            }
            guard state.has(Limits.headerTimeout, passedSince: begun) else { return }
            state.counters.timeouts[.headers] += 1
            refuseUnbegun(Refusal.headerTimeout())
        } else if receiving != nil, let last = exchanges.last {
            let moved = decoder?.received ?? last.held
            if moved >= progress + Limits.stallBytes {
                progress = moved
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
            if let response = exchange.response { state.responses.release(response.body) }
        }
        exchanges.removeAll()
        releaseHead()
        events = []
        return streams
    }
}
