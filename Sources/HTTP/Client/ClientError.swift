/// What can go wrong between a client and a server, each with the facts that a person needs.
///
/// `description` is one clause without a capital or a full stop, fit for `error[join_failed]: …`
/// (operations.md §1.3). A response with any status is no error here.
private import Glibc
internal import NIOCore
internal import NIOPosix

package enum ClientError: Error, Hashable, Sendable, CustomStringConvertible {
    case invalidURL(url: String, reason: String)
    case nameHasNoAddress(host: String)
    case connectionRefused(address: String)
    case connectTimedOut(address: String, after: Duration)
    case connectFailed(address: String, reason: String)
    /// The server answered cleartext with a TLS record.
    case peerSpeaksTLS(address: String)
    /// The server answered a TLS handshake with something else.
    case peerSpeaksCleartext(address: String)
    case certificateRejected(address: String, reason: String)
    case tlsFailed(address: String, reason: String)
    /// The connection ended before the answer did; whether the request was carried out is not
    /// known.
    case closed(address: String)
    /// The server did not take the request up: it is safe to send again.
    case notProcessed(address: String)
    case responseTimedOut(address: String, after: Duration)
    case malformedResponse(reason: String)
    case streamReset(code: UInt32)
    case responseTooLarge(limit: Int)

    package var description: String {
        switch self {
        case .invalidURL(let url, let reason): "\"\(url)\" is not a URL to connect to: \(reason)"
        case .nameHasNoAddress(let host): "name \(host) has no address"
        case .connectionRefused(let address): "connection refused \(address)"
        case .connectTimedOut(let address, let after):
            "no connection to \(address) within \(after)"
        case .connectFailed(let address, let reason): "cannot connect to \(address): \(reason)"
        case .peerSpeaksTLS(let address): "\(address): it speaks TLS, you wrote http://"
        case .peerSpeaksCleartext(let address):
            "\(address): it speaks plain HTTP, you wrote https://"
        case .certificateRejected(let address, let reason):
            "the certificate of \(address) is not accepted: \(reason)"
        case .tlsFailed(let address, let reason): "TLS with \(address) failed: \(reason)"
        case .closed(let address): "\(address) closed the connection before the answer"
        case .notProcessed(let address): "\(address) did not take the request up"
        case .responseTimedOut(let address, let after):
            "no answer from \(address) within \(after)"
        case .malformedResponse(let reason): "the answer cannot be read: \(reason)"
        case .streamReset(let code): "the server reset the stream with code \(code)"
        case .responseTooLarge(let limit): "the answer is larger than \(limit) bytes"
        }
    }

    /// Nothing was sent: the server cannot be reached, or not in this way.
    package var isConnectFailure: Bool {
        switch self {
        case .invalidURL, .nameHasNoAddress, .connectionRefused, .connectTimedOut,
            .connectFailed, .peerSpeaksTLS, .peerSpeaksCleartext, .certificateRejected,
            .tlsFailed:
            true
        case .closed, .notProcessed, .responseTimedOut, .malformedResponse, .streamReset,
            .responseTooLarge:
            false
        }
    }

    /// What NIO reported while connecting, in the terms above.
    init(connecting origin: Origin, _ error: any Error, after timeout: Duration) {
        let address = origin.authority
        switch error {
        case let known as ClientError: self = known
        case let error as NIOConnectionError:
            if let first = error.connectionErrors.first {
                self.init(connecting: origin, first.error, after: timeout)
            } else {
                self = .nameHasNoAddress(host: origin.host)
            }
        case ChannelError.connectTimeout:
            self = .connectTimedOut(address: address, after: timeout)
        case let error as IOError where error.errnoCode == ECONNREFUSED:
            self = .connectionRefused(address: address)
        case let error as IOError:
            self = .connectFailed(
                address: address, reason: String(cString: strerror(error.errnoCode)))
        default:
            self = .connectFailed(address: address, reason: String(describing: error))
        }
    }
}

extension ClientError {
    /// A word or two without addresses, to count by.
    package var briefName: String {
        switch self {
        case .invalidURL: "invalid URL"
        case .nameHasNoAddress: "no address"
        case .connectionRefused: "connection refused"
        case .connectTimedOut: "connect timeout"
        case .connectFailed: "connect failed"
        case .peerSpeaksTLS, .peerSpeaksCleartext, .certificateRejected, .tlsFailed: "TLS"
        case .closed: "closed"
        case .notProcessed: "not processed"
        case .responseTimedOut: "timeout"
        case .malformedResponse: "malformed answer"
        case .streamReset: "stream reset"
        case .responseTooLarge: "answer too large"
        }
    }
}
