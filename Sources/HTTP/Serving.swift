/// The seam between the HTTP front and the core that it feeds.
///
/// One `Front` and one `Serving` live on one event loop and call each other only there. The front
/// turns bytes into requests and responses into bytes, and answers by itself what never becomes a
/// request: bytes that are not HTTP, and requests over a limit. It knows no routes.
package import API
package import Base

package protocol Serving: AnyObject {
    /// A whole request arrived. The answer comes later, or at once, by `Front.respond`.
    func serve(_ request: Request, _ exchange: ExchangeID)

    /// The client reset the stream or left: work on it may stop, and an answer is no longer wanted.
    ///
    /// When the work has ended, `Front.release` is to be called; or `Front.respond`, if the answer
    /// was made before the work could stop: it is dropped. Until then the request counts as an open
    /// stream, so that a client gains nothing by cancelling; after `Limits.requestTimeoutDefault`
    /// the front stops waiting for it.
    func cancel(_ exchange: ExchangeID)

    /// Another store opened a stream, or who says so: `Front.answer` takes it, `Front.respond` with
    /// a problem does not. Its end comes as `cancel`.
    func open(_ exchange: ExchangeID, from source: StreamSource)

    /// More of such a stream. No more comes than a window until `Front.consume` opens it again.
    func receive(_ bytes: Bytes, _ exchange: ExchangeID)
}

/// Who is at the other end of a stream, as far as its connection tells.
package struct StreamSource: Hashable, Sendable {
    package var certificate: TLSPeerCertificate
    /// For a person.
    package var address: String

    package init(certificate: TLSPeerCertificate, address: String) {
        self.certificate = certificate
        self.address = address
    }
}
