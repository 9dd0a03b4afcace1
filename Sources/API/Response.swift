/// A response that any HTTP version can send.
package import Base

package enum ContentType: String, CaseIterable, Hashable, Sendable {
    case json = "application/json"
    case problem = "application/problem+json"
    case bytes = "application/octet-stream"
    case text = "text/plain; charset=utf-8"
    case yaml = "application/yaml"
    case ndjson = "application/x-ndjson"
    case prometheus = "text/plain; version=0.0.4; charset=utf-8"
    case openMetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8"

    /// Text that this service writes. Values are the client's bytes and leave as they came; what is
    /// plain text is a few lines.
    var isCodable: Bool {
        switch self {
        case .json, .problem, .yaml, .ndjson, .prometheus, .openMetrics: true
        case .bytes, .text: false
        }
    }
}

/// The response header fields that Martlet sends, beside `content-type`, `content-length` and
/// `date`, which the HTTP front adds. The raw value is the lower-case field name.
package enum ResponseHeaderName: String, CaseIterable, Hashable, Sendable {
    case acceptEncoding = "accept-encoding"
    case acceptRanges = "accept-ranges"
    case allow
    case cacheControl = "cache-control"
    case contentEncoding = "content-encoding"
    case contentTypeOptions = "x-content-type-options"
    case entityTag = "etag"
    case expiresAt = "martlet-expires-at"
    case readVersion = "martlet-read-version"
    case requestID = "martlet-request-id"
    case retryAfter = "retry-after"
    case servedBy = "martlet-served-by"
    case staleness = "martlet-staleness-ms"
    case vary
    case version = "martlet-version"

    /// Sent for a property of `Response`, and so never among its other fields.
    var isProperty: Bool {
        switch self {
        case .acceptRanges, .cacheControl, .contentTypeOptions, .entityTag, .requestID, .servedBy:
            true
        default: false
        }
    }
}

package struct Response: Hashable, Sendable {
    package struct Field: Hashable, Sendable {
        package var name: ResponseHeaderName
        package var value: Bytes
    }

    package var status: Int
    /// nil for a response that has no content (204, 304).
    package var contentType: ContentType?
    /// What the request is called. With the next three apart from the other fields
    /// because nearly every answer has them: kept so, they cost no array and no text.
    package var requestID: Bytes?
    package var entityTag: Fingerprint?
    /// Whose data this is; nil if no store's data was asked.
    package var servedBy: ServedBy?
    /// False adds `cache-control: no-store`.
    package var isStorable = true
    /// True adds `accept-ranges: none`: a value is read whole (RFC 9110 §14.3).
    package var isWholeOnly = false
    /// The fields that few answers have.
    package private(set) var headers: [Field]
    /// For HEAD: the body that GET would have had; the front sends its length and not its bytes.
    package var body: Bytes
    /// The client must not send more on this connection: `Connection: close`, or GOAWAY.
    package var closesConnection: Bool
    /// What went wrong, for logs and metrics; nil for a success.
    package var problem: ProblemCode?

    package init(
        status: Int, contentType: ContentType?, body: Bytes = [],
        closesConnection: Bool = false
    ) {
        self.status = status
        self.contentType = contentType
        headers = []
        self.body = body
        self.closesConnection = closesConnection
    }

    package mutating func set(_ name: ResponseHeaderName, _ value: Bytes) {
        invariant(!name.isProperty, "a field that is a property is sent once, for the property")
        headers.append(Field(name: name, value: value))
    }

    /// The body in another form: what is left of the answer stays as it is.
    package mutating func encode(_ coded: Bytes, as coding: String) {
        body = coded
        set(.contentEncoding, coding)
    }

    /// Says that the answer depends on this request field, beside those that it names already.
    package mutating func vary(on name: HeaderName) {
        guard let index = headers.firstIndex(where: { $0.name == .vary }) else {
            return set(.vary, name.rawValue)
        }
        headers[index].value += Bytes(", \(name.rawValue)".utf8)
    }

    package mutating func set(_ name: ResponseHeaderName, _ value: String) {
        set(name, Bytes(value.utf8))
    }

    package subscript(_ name: ResponseHeaderName) -> Bytes? {
        fields.first { $0.name == name }?.value
    }

    /// Every field that is sent beside those that the front adds, in the order of sending.
    package var fields: [Field] {
        var fields: [Field] = []
        if let requestID { fields.append(Field(name: .requestID, value: requestID)) }
        fields.append(Field(name: .contentTypeOptions, value: Bytes(Self.noSniff)))
        if !isStorable { fields.append(Field(name: .cacheControl, value: Bytes(Self.noStore))) }
        if isWholeOnly { fields.append(Field(name: .acceptRanges, value: Bytes(Self.none))) }
        if let entityTag { fields.append(Field(name: .entityTag, value: entityTag.quotedTag)) }
        if let servedBy { fields.append(Field(name: .servedBy, value: servedBy.text)) }
        return fields + headers
    }

    /// The value of `x-content-type-options`, which every response has: a value that someone stored
    /// is never to be taken for a script.
    package static let noSniff: StaticString = "nosniff"
    package static let noStore: StaticString = "no-store"
    /// The value of `accept-ranges`.
    package static let none: StaticString = "none"
}

extension Bytes {
    fileprivate init(_ text: StaticString) {
        self.init(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
}
