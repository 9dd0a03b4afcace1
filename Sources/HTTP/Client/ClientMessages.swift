/// What a client sends and gets.
///
/// Field values are text here, unlike in the server's `Request`: a client writes its own fields.
/// Trailers and interim (1xx) responses are read and dropped.
package import Base

package struct ClientHeader: Hashable, Sendable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

package struct ClientRequest: Sendable {
    package var method: String
    /// Path and query, percent-encoded, from the first `/` on.
    package var target: Bytes
    /// Beside the host, the body's length and a user agent, which the connection adds.
    package var headers: [ClientHeader]
    /// nil sends neither a body nor a length.
    package var body: Bytes?
    /// From the call to the last byte of the answer; nil takes the client's.
    package var timeout: Duration?

    package init(
        _ method: String, _ target: Bytes, headers: [ClientHeader] = [], body: Bytes? = nil,
        timeout: Duration? = nil
    ) {
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        self.timeout = timeout
    }

    package init(
        _ method: String, _ target: String, headers: [ClientHeader] = [], body: Bytes? = nil,
        timeout: Duration? = nil
    ) {
        self.init(method, Bytes(target.utf8), headers: headers, body: body, timeout: timeout)
    }

    /// A repetition cannot change anything: safe to send again when a reused connection turns out
    /// closed.
    var isSafe: Bool { method == "GET" || method == "HEAD" || method == "OPTIONS" }
}

package struct ClientResponse: Sendable {
    package var status: Int
    /// In the order received; names in lower case.
    package var headers: [ClientHeader]
    package var body: Bytes

    package init(status: Int, headers: [ClientHeader] = [], body: Bytes = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// The first field of that name, which is to be written in lower case.
    package subscript(_ name: String) -> String? {
        headers.first { $0.name == name }?.value
    }

    /// The body as text, what is not UTF-8 repaired.
    package var text: String { String(decoding: body, as: UTF8.self) }
}

/// How a client connects. The defaults suit a command line.
package struct ClientOptions: Sendable {
    package enum Version: String, Hashable, Sendable {
        /// HTTP/1.1, with or without TLS.
        case http1 = "1"
        /// HTTP/2: by prior knowledge in cleartext, by ALPN in TLS.
        case http2 = "2"
        /// In TLS what the server picks by ALPN; in cleartext HTTP/1.1.
        case automatic = "auto"
    }

    package var version = Version.automatic
    /// Whose certificates are accepted, if the origin is https.
    package var trust = TLSContext.Trust.system
    /// In the place of that: whom a store believes, and what it shows of itself.
    package var peerContext: TLSContext?
    /// For the name, the connection and the TLS handshake together.
    package var connectTimeout = Duration.seconds(5)
    package var responseTimeout = Duration.seconds(30)
    /// Bytes of one response's body; past it the exchange fails.
    package var responseBytesMax = 64 << 20

    package init(version: Version = .automatic, trust: TLSContext.Trust = .system) {
        self.version = version
        self.trust = trust
    }

    /// What all connections to https origins with these options share; reads the trusted
    /// certificates.
    package func makeTLSContext() throws(TLSFileError) -> TLSContext {
        let protocols: [TLSProtocol] =
            switch version {
            case .http1: [.http1]
            case .http2: [.http2]
            case .automatic: [.http2, .http1]
            }
        if let peerContext { return peerContext }
        return try TLSContext.client(trust: trust, protocols: protocols)
    }
}
