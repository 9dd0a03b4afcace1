/// A request as every HTTP version delivers it, and nothing that only one version knows.
///
/// The HTTP front makes these from bytes; the gateway and the simulator consume them. Of the header
/// fields only those are kept that mean something here, so that a request costs no dictionary and
/// no strings.
package import Base

package enum Method: Int, CaseIterable, Hashable, Sendable {
    case get, head, put, post, delete, options
    /// A method that no route takes: 405 with what the route takes, or 404. The table of codes
    /// (rest-api.md §2.9) has none for 501, which RFC 9110 §9.1 would rather see.
    case other

    /// `0 ..< allCases.count`
    package var ordinal: Int { rawValue }

    /// Asks for nothing that changes the server (RFC 9110 §9.2.1).
    package var isSafe: Bool {
        switch self {
        case .get, .head, .options: true
        case .put, .post, .delete, .other: false
        }
    }

    package var name: String {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .put: "PUT"
        case .post: "POST"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .other: "OTHER"
        }
    }
}

/// The request header fields that mean something to Martlet. The raw value is the lower-case field
/// name.
package enum HeaderName: String, CaseIterable, Hashable, Sendable {
    case accept
    case acceptEncoding = "accept-encoding"
    case authorization
    case contentEncoding = "content-encoding"
    case contentRange = "content-range"
    case contentType = "content-type"
    case host
    case idempotencyKey = "idempotency-key"
    case ifMatch = "if-match"
    case ifNoneMatch = "if-none-match"
    case origin
    case requestID = "martlet-request-id"
    case requestTimeout = "request-timeout"
    case secFetchSite = "sec-fetch-site"
    case traceparent

    /// Means something different if it comes twice; of the others the values make one list
    /// (RFC 9110 §5.3), or they only name the request.
    var isSingular: Bool {
        switch self {
        case .contentType, .contentRange, .idempotencyKey, .requestTimeout: true
        default: false
        }
    }
}

package struct RequestHeaders: Hashable, Sendable {
    /// In the order received; a field that came twice stands here twice.
    package private(set) var fields: [Field] = []

    package struct Field: Hashable, Sendable {
        package var name: HeaderName
        /// Without surrounding white space; may be any bytes that HTTP allows.
        package var value: Bytes
    }

    package init() {}

    package mutating func append(_ name: HeaderName, _ value: Bytes) {
        fields.append(Field(name: name, value: value))
    }

    package mutating func remove(_ name: HeaderName) {
        fields.removeAll { $0.name == name }
    }

    /// A field that may come once and came again: which of the two counts nobody can know, and a
    /// proxy may have believed the other.
    var repeated: HeaderName? {
        for (index, field) in fields.enumerated() where field.name.isSingular {
            if fields[..<index].contains(where: { $0.name == field.name }) { return field.name }
        }
        return nil
    }

    /// The first field of that name.
    package subscript(_ name: HeaderName) -> Bytes? {
        for field in fields where field.name == name { return field.value }
        return nil
    }
}

/// What the connection of a request has shown of its other side, for what only a store may ask.
package enum ShownCertificate: UInt8, Hashable, Sendable {
    case none
    /// Nobody was asked to show one: the connection is not encrypted.
    case clear
    /// It does not count; the log says why.
    case rejected
    case verified
}

package struct Request: Hashable, Sendable {
    package var method: Method
    /// Path and query as sent, from the first `/` on, not decoded.
    package var target: Bytes
    package var headers: RequestHeaders
    /// nil if the request had no body at all: no length, no chunks, no DATA. `[]` is an empty body.
    package var body: Bytes?
    package var shown = ShownCertificate.none

    package init(
        method: Method, target: Bytes, headers: RequestHeaders = RequestHeaders(),
        body: Bytes? = nil
    ) {
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
    }
}

/// Names one request and the place its answer goes to: a connection's slot, that slot's generation,
/// and a stream. A value and never a reference: the connection may be gone when the answer comes.
package struct ExchangeID: Hashable, Sendable {
    package var slot: UInt32
    package var generation: UInt32
    package var stream: Int32

    package init(slot: UInt32, generation: UInt32, stream: Int32) {
        self.slot = slot
        self.generation = generation
        self.stream = stream
    }
}
