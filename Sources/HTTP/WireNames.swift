/// Field names and values that never change, as pointers to bytes that live as long as the program.
///
/// Hot path: nghttp2 takes names and values as pointers, and a `String` per field and answer would
/// cost more than the rest of the answer. A test compares these with the raw values of the
/// enumerations.
package import API

extension ResponseHeaderName {
    package var wire: StaticString {
        switch self {
        case .acceptEncoding: "accept-encoding"
        case .acceptRanges: "accept-ranges"
        case .allow: "allow"
        case .cacheControl: "cache-control"
        case .contentEncoding: "content-encoding"
        case .contentTypeOptions: "x-content-type-options"
        case .entityTag: "etag"
        case .expiresAt: "martlet-expires-at"
        case .readVersion: "martlet-read-version"
        case .requestID: "martlet-request-id"
        case .retryAfter: "retry-after"
        case .servedBy: "martlet-served-by"
        case .staleness: "martlet-staleness-ms"
        case .vary: "vary"
        case .version: "martlet-version"
        }
    }

    /// True for a value that the next answer will hardly repeat: kept out of HPACK's table, which
    /// it would only churn.
    var isUnique: Bool {
        switch self {
        case .entityTag, .expiresAt, .readVersion, .requestID, .staleness, .version: true
        default: false
        }
    }
}

extension ContentType {
    package var wire: StaticString {
        switch self {
        case .json: "application/json"
        case .problem: "application/problem+json"
        case .bytes: "application/octet-stream"
        case .text: "text/plain; charset=utf-8"
        case .yaml: "application/yaml"
        case .ndjson: "application/x-ndjson"
        case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
    }
}

enum StatusLine {
    /// The reason phrase; HTTP/2 has none and nothing depends on it.
    static func phrase(_ status: Int) -> StaticString {
        switch status {
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 204: "No Content"
        case 304: "Not Modified"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 410: "Gone"
        case 412: "Precondition Failed"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 415: "Unsupported Media Type"
        case 417: "Expectation Failed"
        case 421: "Misdirected Request"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        case 507: "Insufficient Storage"
        default: ""
        }
    }
}

extension Response {
    /// 204 and 304 end with their header section, whatever their fields say (RFC 9112 §6.3).
    var mayHaveBody: Bool { status != 204 && status != 304 && status >= 200 }
}
