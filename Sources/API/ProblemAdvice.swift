/// What each problem means and what to do about it, for `GET /problems/<code>` and the
/// documentation.
extension ProblemCode {
    package var advice: String {
        switch self {
        case .invalidArgument:
            "A parameter, header field or body field has a value that is not legal; see errors."
        case .unknownParameter:
            "The query has a parameter that this path does not take. Nothing is ignored silently."
        case .unknownField:
            "The body has a field that is not known there. Nothing is ignored silently."
        case .malformedJSON:
            "The body is not JSON in UTF-8 (RFC 8259). Bytes that are no text go into *_base64."
        case .malformedRequest: "The bytes are not a well-formed HTTP request."
        case .invalidBase64: "A *_base64 field or parameter is not base64 (RFC 4648)."
        case .keyEmpty: "A key has at least one byte."
        case .keyTooLarge: "A key or bound is longer than the limit; see GET /v1/limits."
        case .bodyRequired:
            "The request needs a body. The empty value is legal, but is said: Content-Length: 0."
        case .invalidRange: "The bounds contradict each other, or a deletion says no bound at all."
        case .cursorInvalid: "The cursor was not made by this service, or was changed on its way."
        case .cursorMismatch:
            "A parameter beside the cursor differs from the scan that it continues. Leave it out."
        case .idempotencyUnsupported:
            "The raw space takes no Idempotency-Key. If-None-Match: * or If-Match guard a retry."
        case .originForbidden:
            "The request comes from a web page of another origin, which may not ask."
        case .hostForbidden: "The Host field names a host that this node does not answer for."
        case .keyNotFound: "Nothing is stored under the key, or what was has expired."
        case .routeNotFound: "The path leads nowhere; GET / lists what there is."
        case .methodNotAllowed:
            "The path exists and does not take this method; Allow lists those it takes."
        case .requestTimeout: "The request did not arrive completely in time."
        case .unsupportedMediaType:
            "The JSON paths take application/json, which may be in gzip (Content-Encoding); the kv "
                + "paths any type, and no Content-Encoding."
        case .peerUnauthenticated:
            "Only a store may ask this, and it shows the certificate of one: start it with "
                + "--tls-cert, --tls-key and --peer-ca."
        case .wrongCluster:
            "A store of another cluster came. Correct --join, or give it a directory of its own."
        case .wrongStore:
            "Another store is at the address that was asked. Correct --advertise of one of them."
        case .storeConflict:
            "Two processes are one store: a data directory was copied. Stop the copy for good."
        case .storeRemoved:
            "A store came that was removed from the cluster. Move its directory away and let it "
                + "join anew with --join: it gets another number."
        case .peerVersion: "One of the stores is too old for the other. Upgrade it."
        case .clocksDiffer:
            "The clocks of two machines run at different rates, and a leader's lease rests on them."
        case .storeNotFound: "The cluster has no such store; GET /v1/stores lists them."
        case .regionNotFound: "The cluster has no such region; GET /v1/regions lists them."
        case .membershipConflict:
            "The stores cannot change so, now or at all; nothing was done. The detail says why."
        case .storeLeads:
            "A leader does not remove itself; nothing was done. Let another store lead first: "
                + "martlet transfer-leader, or POST /v1/regions/1/transfer-leader."
        case .storesJoining:
            "Stores that joined before have not caught up yet; nothing was done. Start them, or "
                + "remove those that never come: martlet stores --remove, or DELETE /v1/stores/N."
        case .changeInProgress:
            "The stores change one at a time, and a change is not over; nothing was done. Send it "
                + "again after Retry-After."
        case .preconditionFailed:
            "If-Match, If-None-Match, if_etag or if_absent did not hold; nothing was written. "
                + "actual_etag is what is there, and is left out if the key is absent."
        case .valueTooLarge: "The value is longer than the limit; see GET /v1/limits."
        case .requestTooLarge:
            "The body, the number of operations or what a range deletes is over the limit; see "
                + "GET /v1/limits."
        case .answerTooLarge:
            "The batch's answer is full; ask for this in a request of its own. It was a read: "
                + "nothing was changed."
        case .targetTooLong: "The URL is longer than the limit; put the key into a JSON body."
        case .expectationFailed: "Of the Expect field only 100-continue is known."
        case .headersTooLarge: "The header fields are too many or too long; see GET /v1/limits."
        case .overloaded: "Too much is waiting. Nothing was done; send it again after Retry-After."
        case .noLeader:
            "No replica leads just now. Nothing was done; send it again after Retry-After."
        case .replicaTooStale:
            "The replica that was asked is older than max_staleness_seconds allows, or has not "
                + "come to min_version. Send it again, elsewhere, or with replica=leader."
        case .noFollower:
            "The read wants a follower, and no store is known that follows. Send it again, or with "
                + "replica=any."
        case .notReady:
            "The node is starting or stopping. Nothing was done; try again or elsewhere."
        case .internal: "A fault of this node. Its log has the request id."
        case .deadlineExceeded: "The time of Request-Timeout was over. Nothing was written."
        case .outcomeUnknown:
            "The write may or may not have happened. Read to find out before writing again."
        case .versionNotSupported: "The request's HTTP version is not 1.0, 1.1 or 2."
        case .diskFull:
            "The disk is nearly full: writes are refused, reads and deletes go on. Writes are "
                + "taken again once enough was deleted, within seconds, or once the disk is larger."
        }
    }
}
