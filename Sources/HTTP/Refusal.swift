/// The problems that the front answers by itself, worded once for both protocols.
internal import API
internal import Base

enum Refusal {
    static func targetTooLong(_ actual: Int?) -> Problem {
        Problem(
            .targetTooLong, "The request target is longer than \(Limits.targetBytes) bytes.",
            limit: Limits.targetBytes, actual: actual)
    }

    static func headersTooLarge() -> Problem {
        Problem(
            .headersTooLarge,
            "A request may have at most \(Limits.headerFields) header fields "
                + "and \(Limits.headerBytes) bytes of them.",
            limit: Limits.headerBytes)
    }

    static func bodyTooLarge(_ actual: Int) -> Problem {
        Problem(
            .requestTooLarge, "The request body is larger than \(Limits.bodyBytes) bytes.",
            limit: Limits.bodyBytes, actual: actual)
    }

    static func decodedBodyTooLarge() -> Problem {
        Problem(
            .requestTooLarge,
            "The request body, once gzip is undone, is larger than \(Limits.bodyBytes) bytes.",
            limit: Limits.bodyBytes)
    }

    static func bodyGrowsTooMuch() -> Problem {
        Problem(
            .requestTooLarge,
            """
            The request body, once gzip is undone, is more than \(Limits.gunzipGrowth) times \
            what was sent. Send it in parts, or without Content-Encoding.
            """)
    }

    static func notGzip(_ failure: GzipDecoder.Failure) -> Problem {
        let what =
            switch failure {
            case .malformed: "The request body is not in gzip, as Content-Encoding says it is."
            case .truncated: "The request body ends before its gzip member does."
            case .trailing: "The request body goes on after its gzip member; it must be one member."
            }
        return malformed(what)
    }

    static func bodyTimeout() -> Problem {
        Problem(
            .requestTimeout,
            "The request body stopped arriving for \(Limits.stallTimeout.components.seconds) s.",
            retryAfter: 1)
    }

    static func headerTimeout() -> Problem {
        Problem(
            .requestTimeout,
            "The request header took longer than \(Limits.headerTimeout.components.seconds) s.",
            retryAfter: 1)
    }

    static func requestsTakeTooMuchMemory() -> Problem {
        Problem(.overloaded, "Too many bytes of request bodies are in memory.", retryAfter: 1)
    }

    static func tooManyPeerStreams() -> Problem {
        Problem(
            .overloaded, "More than \(Limits.peerStreamsPerCore) streams of other stores are open.",
            retryAfter: 1)
    }

    static func responsesTakeTooMuchMemory() -> Problem {
        Problem(.overloaded, "Too many bytes of answers wait to be sent.", retryAfter: 1)
    }

    /// CONNECT, or a target of its form. No resource is named so, and Allow says what this one
    /// takes: nothing (RFC 9110 §10.2.1).
    static func noTunnel() -> Problem {
        Problem(
            .methodNotAllowed,
            "This server makes no tunnels (CONNECT); a request target is an absolute path.",
            allow: "")
    }

    static func expectation() -> Problem {
        Problem(
            .expectationFailed, "The only expectation that is met is 100-continue (Expect field).")
    }

    /// Which of the two counts nobody can know, and a filter in front may have believed the other.
    static func repeatedOrigin() -> Problem {
        malformed("A request has at most one Origin field and one Sec-Fetch-Site field.")
    }

    static func upgradeSettings() -> Problem {
        malformed(
            "HTTP2-Settings is the payload of a SETTINGS frame in base64url without padding "
                + "(RFC 7540 section 3.2.1): six bytes for each setting, with a legal value. To "
                + "stay with HTTP/1.1, leave out Upgrade.")
    }

    static func versionNotSupported() -> Problem {
        Problem(
            .versionNotSupported,
            "This port speaks HTTP/1.0, HTTP/1.1 and HTTP/2; a request line of the first two ends "
                + "in their name and CRLF.")
    }

    /// What bytes that are not HTTP/1.1 mean for their sender.
    static func problem(of failure: HTTP1Parser.Failure) -> Problem {
        switch failure {
        case .targetTooLong: targetTooLong(nil)
        case .headersTooLarge: headersTooLarge()
        case .bodyTooLarge(let actual): bodyTooLarge(actual)
        case .versionNotSupported: versionNotSupported()
        case .malformed(let detail): malformed(detail)
        }
    }

    static func malformed(_ detail: String) -> Problem { Problem(.malformedRequest, detail) }
}
