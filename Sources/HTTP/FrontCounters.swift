/// What one front has counted since it started: plain integers, read by whoever makes `/metrics`.

/// Why a connection ended.
package enum CloseReason: Int, CaseIterable, Hashable, Sendable {
    /// The client closed, or its host reset the connection.
    case byClient
    /// An answer said `Connection: close`, or the client asked for that.
    case afterAnswer
    /// Bytes that are not HTTP, or a broken HTTP/2 connection.
    case malformed
    /// TLS was spoken to a node without a certificate, which says so in clear.
    case tlsUnavailable
    /// The handshake failed, or the records after it.
    case tlsFailed
    /// Requests in clear from another machine came to a node with a certificate.
    case tlsRequired
    /// One of the time-outs.
    case timeout
    /// The budget of a connection was used up.
    case flood
    /// The node is stopping.
    case drained
    /// The socket failed.
    case failed
}

package enum TimeoutKind: Int, CaseIterable, Hashable, Sendable {
    case handshake, headers, body, write, idle, linger
    /// Nothing came from another store.
    case peer
}

/// What draws on a connection's budget.
package enum GlitchKind: Int, CaseIterable, Hashable, Sendable {
    case reset, serverReset, ping, settings, emptyFrame, window, priority, continuation, refused
    case other
}

/// Integers by a closed set of cases, without a dictionary.
package struct Tally<Kind: CaseIterable & RawRepresentable>: Sendable
where Kind.RawValue == Int {
    private var counts: [UInt64]

    package init() { counts = Array(repeating: 0, count: Kind.allCases.count) }

    package subscript(_ kind: Kind) -> UInt64 {
        get { counts[kind.rawValue] }
        set { counts[kind.rawValue] = newValue }
    }

    package var total: UInt64 { counts.reduce(0, +) }
}

package struct FrontCounters: Sendable {
    // Gauges.
    package var connectionsOpen = 0
    /// Of which nothing is read just now, because of memory, of what is owed, or of the client.
    package var connectionsPaused = 0
    package var pauses: UInt64 = 0
    package var requestsInFlight = 0
    /// Of other stores, and the connections that have some.
    package var peerStreams = 0
    package var connectionsOfPeers = 0
    /// Bytes of request bodies in memory.
    package var requestBytesHeld = 0
    /// Bytes of answers in memory, a body that several answers share counted once.
    package var responseBytesHeld = 0

    // Counters.
    package var connectionsAccepted: UInt64 = 0
    /// Closed at once because `FrontSettings.connections` were open, or the node is stopping.
    package var connectionsRefused: UInt64 = 0
    package var connectionsClosed = Tally<CloseReason>()
    package var connectionsTLS: UInt64 = 0
    package var requestsHTTP1: UInt64 = 0
    package var requestsHTTP2: UInt64 = 0
    /// Requests that the front answered by itself: malformed, over a limit, foreign.
    package var requestsRefused: UInt64 = 0
    package var streamsResetByClient: UInt64 = 0
    package var streamsResetByServer: UInt64 = 0
    package var bytesReceived: UInt64 = 0
    package var bytesSent: UInt64 = 0
    /// Connections that used up their budget, by what took the last token.
    package var floods = Tally<GlitchKind>()
    package var timeouts = Tally<TimeoutKind>()
    /// Answers replaced by 429 because too many bytes were waiting to be sent.
    package var answersShed: UInt64 = 0

    package init() {}
}
