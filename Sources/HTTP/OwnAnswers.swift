/// The answers that the front makes by itself: named like the core's, counted, and told to the
/// operator.
///
/// A line for each would let a stranger fill the operator's disk as fast as it can send, so a front
/// writes some in a second and the number of the others after it. The problem's words are the
/// front's own: no line holds anything of the request but the name that the client gave it.
internal import API
internal import Base
internal import Logging

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
        guard level >= logger.logLevel else { return }
        guard linesLeft > 0 else {
            unwritten += 1
            return
        }
        linesLeft -= 1
        logger.log(
            level: level, "request refused",
            metadata: [
                "status": "\(problem.code.status)", "code": "\(problem.code.rawValue)",
                "detail": "\(problem.detail)",
                "request_id": "\(String(decoding: requestID, as: UTF8.self))",
            ])
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
