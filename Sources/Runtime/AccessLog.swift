/// One line per request at debug, and one per failed request where an operator sees it: a refusal
/// by the node's own state at notice, a failure of the node at error. Never a key, never a value.
internal import API
internal import Base
internal import Failpoints
internal import Injection
internal import Logging
internal import Node

struct AccessLog: Sendable {
    private let logger: Logger
    private let threshold: Logger.Level
    private let failpoints: FailpointRegistry

    init(logger: Logger, failpoints: FailpointRegistry) {
        self.failpoints = failpoints
        self.logger = logger
        threshold = logger.logLevel
    }

    // Hot path: a success costs one comparison of levels.
    func write(_ record: AccessRecord) {
        let level = Self.level(of: record)
        guard level >= threshold, failpoints.reached(.accessWrite) != .lost else { return }
        var metadata: Logger.Metadata = [
            "method": "\(record.method.name)",
            "route": "\(record.route.template)",
            "status": "\(record.status)",
            "duration_us": "\(record.nanoseconds / 1000)",
            "bytes": "\(record.responseBytes)",
            "request_id": "\(String(decoding: record.requestID, as: UTF8.self))",
        ]
        if let code = record.code { metadata["code"] = "\(code.rawValue)" }
        logger.log(level: level, "request", metadata: metadata)
    }

    private static func level(of record: AccessRecord) -> Logger.Level {
        switch record.code {
        case .internal, .outcomeUnknown: .error
        case .diskFull, .overloaded, .deadlineExceeded, .noLeader, .notReady: .notice
        default: .debug
        }
    }
}
