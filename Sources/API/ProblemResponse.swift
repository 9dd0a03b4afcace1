/// Problems as responses (RFC 9457), and what the store's refusals become.
package import Base
package import Regions
internal import Storage

extension ProblemCode {
    /// A relative reference that this service answers: `GET /problems/<code>` explains the code.
    var type: String { "/problems/" + rawValue }

    /// The code as words: `Key not found`.
    package var title: String {
        switch self {
        case .malformedJSON: return "Malformed JSON"
        case .invalidBase64: return "Invalid base64"
        case .versionNotSupported: return "HTTP version not supported"
        default:
            let words = rawValue.split(separator: "_").joined(separator: " ")
            return words.prefix(1).uppercased() + words.dropFirst()
        }
    }
}

extension Problem {
    package init(_ refusal: Refusal) {
        switch refusal {
        case .diskFull(let shortage): self.init(shortage)
        case .overloaded(let resource):
            self.init(
                .overloaded,
                "Too much is waiting already (\(resource.rawValue)). Nothing was done.",
                retryAfter: 1)
        case .noLeader:
            self.init(
                .noLeader,
                "No leader takes requests for this key just now. Nothing was done.", retryAfter: 1)
        case .replicaTooStale(let reason):
            self.init(
                .replicaTooStale,
                "This replica is too far behind: \(reason). Ask again, elsewhere, or with "
                    + "replica=leader.", retryAfter: 1)
        case .versionUnknown(let index):
            self = .mistake(
                .invalidArgument, at: FieldName.versionMin.text,
                "No answer can have told this version: the region is at \(index).")
        case .notFollower:
            self.init(
                .noFollower,
                "The read wants a follower, and none is known. Ask again, or with replica=any.",
                retryAfter: 1)
        case .deadlineExceeded:
            self.init(
                .deadlineExceeded,
                "The request's time was over before it was carried out. Nothing was written.",
                retryAfter: 1)
        case .rangeTooLarge:
            self.init(
                .requestTooLarge,
                "The range holds more than \(Limits.keysPerRangeDelete) keys, or "
                    + "\(Limits.keyBytesPerRangeDelete) bytes of them; expired ones may count. "
                    + "Nothing was deleted: one request deletes all or nothing. Delete it in "
                    + "parts: the last key of a scan with keys_only is where a part may end.",
                limit: Limits.keysPerRangeDelete)
        case .answerTooLarge:
            self.init(
                .answerTooLarge,
                "The answer of a batch has about \(Limits.batchAnswerBytes) bytes at most, and the "
                    + "reads before this one have filled it. Ask again in a batch of its own.",
                limit: Limits.batchAnswerBytes)
        case .outcomeUnknown(let reason):
            self.init(
                .outcomeUnknown,
                "The write may or may not have happened: \(reason). Read the key to find out.")
        case .storageFailed(let reason):
            self.init(.internal, "The store has failed: \(reason).")
        }
    }

    private init(_ shortage: SpaceShortage) {
        guard shortage.unit == .bytes else {
            let what = shortage.refusesDeletes ? "even a delete" : "a write"
            self.init(
                .diskFull,
                "The store's file system has \(shortage.free) inodes left and \(what) needs "
                    + "\(shortage.needed) to be free. Nothing was written, reads go on. df -i "
                    + "shows them; remove files there, the node notices by itself.",
                retryAfter: 30)
            return
        }
        let free = "The store's disk has \(shortage.free) bytes left"
        let needed = "needs \(shortage.needed)"
        let detail =
            shortage.refusesDeletes
            ? "\(free) and even a delete \(needed). Nothing was done, reads go on. "
                + "Make room on the disk or enlarge it; the node notices by itself."
            : "\(free) and a write \(needed). Nothing was written, reads and deletes go on. "
                + "Delete what is not needed or enlarge the disk; the node notices by itself."
        self.init(.diskFull, detail, retryAfter: 30)
    }

    static func preconditionFailed(_ actual: Fingerprint?) -> Problem {
        guard let actual else {
            return Problem(
                .preconditionFailed,
                "The precondition did not hold: the key is absent. If-None-Match: * creates it.")
        }
        let tag = String(decoding: actual.tag, as: UTF8.self)
        return Problem(
            .preconditionFailed, "The precondition did not hold: the value there has etag \(tag).",
            actualEntityTag: tag)
    }

    static let valueMissing = Problem(
        .keyNotFound, "Nothing is stored under this key, or what was has expired.")

    /// The members of the problem object.
    func write(to json: inout JSONWriter, requestID: Bytes?) {
        json.beginObject()
        json.member("type", code.type)
        json.member("title", code.title)
        json.member("status", code.status)
        json.member("code", code.rawValue)
        json.member("detail", detail)
        json.member("retry", code.retry)
        if let retryAfter { json.member("retry_after", retryAfter) }
        if let actualEntityTag { json.member("actual_etag", actualEntityTag) }
        if let limit { json.member("limit", limit) }
        if let actual { json.member("actual", actual) }
        if let requestID { json.member("request_id", requestID) }
        if !errors.isEmpty {
            json.name("errors")
            json.beginArray()
            for error in errors {
                json.beginObject()
                json.member("pointer", error.pointer)
                json.member("detail", error.detail)
                json.endObject()
            }
            json.endArray()
        }
        json.endObject()
    }
}

extension Response {
    package init(_ problem: Problem, requestID: Bytes, closesConnection: Bool = false) {
        var json = JSONWriter()
        problem.write(to: &json, requestID: requestID)
        json.endLine()
        self.init(
            status: problem.code.status, contentType: .problem, body: json.bytes,
            closesConnection: closesConnection)
        self.problem = problem.code
        self.requestID = requestID
        isStorable = false
        if let retryAfter = problem.retryAfter {
            var text = Bytes()
            text.appendDecimal(retryAfter)
            set(.retryAfter, text)
        }
        if let allow = problem.allow { set(.allow, allow) }
        if let codings = problem.acceptEncoding { set(.acceptEncoding, codings) }
    }

    enum CommonValues {
        static let accept = Bytes("accept".utf8)
    }

    /// A JSON document that is written by `body`.
    static func json(
        status: Int = 200, pretty: Bool, requestID: Bytes, capacity: Int = 256,
        _ body: (inout JSONWriter) -> Void
    ) -> Response {
        var json = JSONWriter(pretty: pretty, reservingCapacity: capacity)
        body(&json)
        json.endLine()
        var response = Response(status: status, contentType: .json, body: json.bytes)
        response.requestID = requestID
        response.isStorable = false
        return response
    }
}
