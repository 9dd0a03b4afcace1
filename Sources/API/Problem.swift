/// Every answer that is not a success: `application/problem+json` (RFC 9457) with a stable `code`.
///
/// The table of codes is the contract (rest-api.md §2.9): a code's status and advice never change,
/// and a client switches on the code alone.

package enum ProblemCode: String, CaseIterable, Hashable, Sendable {
    // 400
    case invalidArgument = "invalid_argument"
    case unknownParameter = "unknown_parameter"
    case unknownField = "unknown_field"
    case malformedJSON = "malformed_json"
    case malformedRequest = "malformed_request"
    case invalidBase64 = "invalid_base64"
    case keyEmpty = "key_empty"
    case keyTooLarge = "key_too_large"
    case bodyRequired = "body_required"
    case invalidRange = "invalid_range"
    case cursorInvalid = "cursor_invalid"
    case cursorMismatch = "cursor_mismatch"
    case idempotencyUnsupported = "idempotency_unsupported"
    // 403, 404, 405, 408, 415
    case originForbidden = "origin_forbidden"
    case hostForbidden = "host_forbidden"
    case keyNotFound = "key_not_found"
    case routeNotFound = "route_not_found"
    case methodNotAllowed = "method_not_allowed"
    case requestTimeout = "request_timeout"
    case unsupportedMediaType = "unsupported_media_type"
    // 403, 409: between stores
    case peerUnauthenticated = "peer_unauthenticated"
    case wrongCluster = "wrong_cluster"
    case wrongStore = "wrong_store"
    case storeConflict = "store_conflict"
    case storeRemoved = "store_removed"
    case peerVersion = "peer_version"
    case clocksDiffer = "clocks_differ"
    // 404, 409: about stores
    case storeNotFound = "store_not_found"
    case regionNotFound = "region_not_found"
    case membershipConflict = "membership_conflict"
    case storeLeads = "store_leads"
    case storesJoining = "stores_joining"
    case changeInProgress = "change_in_progress"
    // 412, 413, 414, 417, 431
    case preconditionFailed = "precondition_failed"
    case valueTooLarge = "value_too_large"
    case requestTooLarge = "request_too_large"
    /// Only inside a batch's result.
    case answerTooLarge = "answer_too_large"
    case targetTooLong = "target_too_long"
    case expectationFailed = "expectation_failed"
    case headersTooLarge = "headers_too_large"
    // 429, 503
    case overloaded
    case noLeader = "no_leader"
    case notReady = "not_ready"
    case replicaTooStale = "replica_too_stale"
    case noFollower = "no_follower"
    // 500, 504, 505, 507
    case `internal`
    case deadlineExceeded = "deadline_exceeded"
    case outcomeUnknown = "outcome_unknown"
    case versionNotSupported = "http_version_not_supported"
    case diskFull = "disk_full"

    package var status: Int {
        switch self {
        case .invalidArgument, .unknownParameter, .unknownField, .malformedJSON,
            .malformedRequest, .invalidBase64, .keyEmpty, .keyTooLarge, .bodyRequired,
            .invalidRange, .cursorInvalid, .cursorMismatch, .idempotencyUnsupported:
            400
        case .originForbidden, .peerUnauthenticated: 403
        case .wrongCluster, .wrongStore, .storeConflict, .storeRemoved, .peerVersion,
            .clocksDiffer:
            409
        case .hostForbidden: 421
        case .keyNotFound, .routeNotFound, .storeNotFound, .regionNotFound: 404
        case .membershipConflict, .storeLeads, .storesJoining, .changeInProgress: 409
        case .methodNotAllowed: 405
        case .requestTimeout: 408
        case .unsupportedMediaType: 415
        case .preconditionFailed: 412
        case .valueTooLarge, .requestTooLarge, .answerTooLarge: 413
        case .targetTooLong: 414
        case .expectationFailed: 417
        case .headersTooLarge: 431
        case .overloaded: 429
        case .noLeader, .notReady, .replicaTooStale, .noFollower: 503
        case .internal: 500
        case .deadlineExceeded, .outcomeUnknown: 504
        case .versionNotSupported: 505
        case .diskFull: 507
        }
    }

    /// What a client may do: `no`, or `same_request` after `Retry-After`.
    package var retry: String {
        switch self {
        case .overloaded, .noLeader, .notReady, .replicaTooStale, .noFollower, .requestTimeout,
            .deadlineExceeded, .diskFull, .changeInProgress:
            "same_request"
        default: "no"
        }
    }
}

package struct Problem: Error, Hashable, Sendable {
    package struct FieldError: Hashable, Sendable {
        /// A JSON pointer (RFC 6901) into the body, or the name of a parameter or header field.
        package var pointer: String
        package var detail: String

        package init(pointer: String, detail: String) {
            self.pointer = pointer
            self.detail = detail
        }
    }

    package var code: ProblemCode
    /// What is wrong, where, and what would be right; for a person.
    package var detail: String
    package var errors: [FieldError]
    /// Seconds; also sent as `Retry-After`.
    package var retryAfter: Int?
    /// With `method_not_allowed`: the methods that the route takes.
    package var allow: String?
    /// With a content coding that is not taken: those that are (RFC 9110 §12.5.3).
    package var acceptEncoding: String?
    /// With `precondition_failed` in the raw space: the entity tag of what is there.
    package var actualEntityTag: String?
    /// With `…_too_large`: the limit and what was sent.
    package var limit: Int?
    package var actual: Int?

    package init(
        _ code: ProblemCode, _ detail: String, errors: [FieldError] = [], retryAfter: Int? = nil,
        allow: String? = nil, actualEntityTag: String? = nil, limit: Int? = nil,
        actual: Int? = nil
    ) {
        self.code = code
        self.detail = detail
        self.errors = errors
        self.retryAfter = retryAfter
        self.allow = allow
        self.actualEntityTag = actualEntityTag
        self.limit = limit
        self.actual = actual
    }
}
