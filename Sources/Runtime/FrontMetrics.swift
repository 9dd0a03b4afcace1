/// What a front tells a scrape.
internal import HTTP
internal import Telemetry

extension Front {
    func measure(into scrape: inout Scrape) {
        let counters = counters
        scrape.add(.httpConnections, UInt64(counters.connectionsOpen))
        scrape.add(.httpConnectionsPaused, UInt64(counters.connectionsPaused))
        scrape.add(.httpPauses, counters.pauses)
        scrape.add(.httpConnectionsOpened, counters.connectionsTLS, ["tls"])
        scrape.add(
            .httpConnectionsOpened, counters.connectionsAccepted - counters.connectionsTLS,
            ["cleartext"])
        scrape.add(.httpConnectionsRefused, counters.connectionsRefused)
        for reason in CloseReason.allCases {
            scrape.add(.httpConnectionsClosed, counters.connectionsClosed[reason], [reason.label])
        }
        for kind in GlitchKind.allCases {
            scrape.add(.httpFloods, counters.floods[kind], [kind.label])
        }
        for kind in TimeoutKind.allCases {
            scrape.add(.httpTimeouts, counters.timeouts[kind], ["\(kind)"])
        }
        scrape.add(.httpMessages, counters.requestsHTTP1, ["http1"])
        scrape.add(.httpMessages, counters.requestsHTTP2, ["http2"])
        scrape.add(.httpRefused, counters.requestsRefused)
        scrape.add(.httpResets, counters.streamsResetByClient, ["client"])
        scrape.add(.httpResets, counters.streamsResetByServer, ["server"])
        scrape.add(.httpBytes, counters.bytesReceived, ["received"])
        scrape.add(.httpBytes, counters.bytesSent, ["sent"])
        scrape.add(.httpHeld, UInt64(counters.requestBytesHeld), ["requests"])
        scrape.add(.httpHeld, UInt64(counters.responseBytesHeld), ["responses"])
        scrape.add(.httpShed, counters.answersShed)
    }
}

extension CloseReason {
    /// Frozen: dashboards and alerts name it.
    var label: String {
        switch self {
        case .byClient: "by_client"
        case .afterAnswer: "after_answer"
        case .malformed: "malformed"
        case .tlsUnavailable: "tls_unavailable"
        case .tlsFailed: "tls_failed"
        case .tlsRequired: "tls_required"
        case .timeout: "timeout"
        case .flood: "flood"
        case .drained: "drained"
        case .failed: "failed"
        }
    }
}

extension GlitchKind {
    /// Frozen: dashboards and alerts name it.
    var label: String {
        switch self {
        case .reset: "reset"
        case .serverReset: "server_reset"
        case .ping: "ping"
        case .settings: "settings"
        case .emptyFrame: "empty_frame"
        case .window: "window_update"
        case .priority: "priority"
        case .continuation: "continuation"
        case .refused: "refused"
        case .other: "other"
        }
    }
}
