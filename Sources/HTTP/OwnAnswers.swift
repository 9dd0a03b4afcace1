/// The answers that the front makes by itself: named like the core's, counted, and told to the
/// operator.
///
/// A line for each would let a stranger fill the operator's disk as fast as it can send, so a front
/// writes some in a second and the number of the others after it. The problem's words are the
/// front's own: no line holds anything of the request but the name that the client gave it.
internal import API
internal import Base
internal import Logging
internal import NIOCore

extension FrontState {
    /// A request, or the bytes that never became one, answered with a problem.
    func refuse(
        _ problem: Problem, _ headers: RequestHeaders = RequestHeaders(),
        closesConnection: Bool = false
    ) -> Response {
        counters.requestsRefused += 1
        let requestID = RequestID.of(headers) ?? names.next()
        log.write(problem, requestID)
        return Response(problem, requestID: requestID, closesConnection: closesConnection)
    }

    /// In the place of an answer for which there is no room.
    func shed(_ answer: Response) -> Response {
        counters.answersShed += 1
        let problem = Refusal.responsesTakeTooMuchMemory()
        let requestID = answer.requestID ?? names.next()
        log.write(problem, requestID)
        return Response(
            problem, requestID: requestID, closesConnection: answer.closesConnection)
    }
}

struct RefusalLog {
    let logger: Logger
    private var linesLeft = Limits.refusalLinesPerSecond
    private var unwritten = 0

    init(logger: Logger) { self.logger = logger }

    mutating func write(_ problem: Problem, _ requestID: Bytes) {
        // The client's mistake, or the node's own state.
        let level: Logger.Level = problem.code == .overloaded ? .notice : .info
        guard takeLine(level) else { return }
        logger.log(
            level: level, "request refused",
            metadata: [
                "status": "\(problem.code.status)", "code": "\(problem.code.rawValue)",
                "detail": "\(problem.detail)",
                "request_id": "\(String(decoding: requestID, as: UTF8.self))",
            ])
    }

    /// A connection that ended in its handshake: no request of it will tell.
    mutating func write(_ failure: TLSFailure, from address: SocketAddress?) {
        guard takeLine(.info) else { return }
        var metadata: Logger.Metadata = ["event": "tls_failed", "reason": "\(failure)"]
        if let address { metadata["from"] = "\(address.shownInLog)" }
        guard failure.isRefusalOfCertificate else {
            return logger.info("TLS with a client failed", metadata: metadata)
        }
        metadata["try"] = """
            --peer-ca (a store) or --tls-ca (a command) there, naming the authority of the \
            certificate here
            """
        logger.info("a client does not accept this node's certificate", metadata: metadata)
    }

    /// It is served like one without a certificate.
    mutating func writeRejected(_ reason: String) {
        guard takeLine(.info) else { return }
        logger.info(
            "the certificate of a client is not accepted, and it is no store to this node",
            metadata: ["event": "client_certificate_rejected", "reason": "\(reason)"])
    }

    private mutating func takeLine(_ level: Logger.Level) -> Bool {
        guard level >= logger.logLevel else { return false }
        guard linesLeft > 0 else {
            unwritten += 1
            return false
        }
        linesLeft -= 1
        return true
    }

    /// Once per tick.
    mutating func passSecond() {
        linesLeft = Limits.refusalLinesPerSecond
        guard unwritten > 0 else { return }
        logger.notice(
            "more requests were refused than are logged one by one",
            metadata: ["count": "\(unwritten)"])
        unwritten = 0
    }
}

extension SocketAddress {
    /// Without the port, which is another one each time.
    var shownInLog: String { ipAddress ?? "unknown" }
}
