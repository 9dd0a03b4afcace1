/// One side of a TLS connection without I/O: ciphertext in, plaintext out, and the reverse.
///
/// OpenSSL reads and writes through a BIO of our own: it reads the bytes that `feed` borrows and
/// writes straight to the event loop's scratch buffer. So a connection that is idle owns no buffer,
/// and what it costs stays flat after a large answer (measured: 57 kB, where memory BIOs keep 142
/// kB). The BIO takes whatever is written, so OpenSSL never has to be called again with the same
/// bytes. A class, since OpenSSL keeps a pointer to it.
internal import API
private import Base
internal import COpenSSL
package import NIOCore

/// Buffers of one event loop that all its sessions use in turn; never across a call.
package final class TLSScratch {
    package var plaintext = ByteBuffer()
    package var ciphertext = ByteBuffer()

    /// What one read or write handles, 64 KiB in four records (RFC 8446 §5.1), and room for one
    /// more.
    static let capacity = 128 << 10

    package init() {}

    /// Makes both ready. Storage that the channel still holds is left to it (`clear` then
    /// allocates).
    package func clear() {
        // What one session left here would go out on another's connection.
        invariant(
            plaintext.readableBytes == 0 && ciphertext.readableBytes == 0,
            "the last session's bytes have been taken")
        Self.clear(&plaintext)
        Self.clear(&ciphertext)
    }

    private static func clear(_ buffer: inout ByteBuffer) {
        if buffer.capacity > capacity { buffer = ByteBuffer() }
        buffer.clear(minimumCapacity: capacity)
    }
}

package enum TLSFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The peer broke the protocol or refused ours; the reason is OpenSSL's.
    case protocolError(reason: String)
    case certificateRejected(reason: String)
    /// The first bytes of the peer are no TLS record.
    case notTLS
    /// More than any honest peer sends.
    case tooManyKeyUpdates
    case handshakeTimedOut

    package var description: String {
        switch self {
        case .protocolError(let reason): reason
        case .certificateRejected(let reason): "the certificate is not accepted: \(reason)"
        case .notTLS: "the other side does not speak TLS"
        case .tooManyKeyUpdates: "too many key updates"
        case .handshakeTimedOut: "the handshake took too long"
        }
    }

    /// The other side has said so, by an alert (RFC 8446 §6.2) as OpenSSL names it.
    var isRefusalOfCertificate: Bool {
        guard case .protocolError(let reason) = self, reason.contains(" alert ") else {
            return false
        }
        return reason.hasSuffix("unknown ca") || reason.contains("certificate")
    }
}

/// What the other side of a connection has shown of itself.
package enum TLSPeerCertificate: Hashable, Sendable {
    /// It was not asked: there is no TLS, or nobody who could be believed.
    case unasked
    case absent
    /// Not signed by an authority that this side knows, expired, for another use, …
    case rejected(String)
    case verified

    /// As a request carries it.
    var shown: ShownCertificate {
        switch self {
        case .unasked: .clear
        case .absent: .none
        case .rejected: .rejected
        case .verified: .verified
        }
    }
}

package final class TLSSession {
    package enum Phase: Hashable, Sendable {
        case handshake
        case open
        /// Our close_notify is written: nothing more can be sent.
        case closed
        case failed
    }

    private let ssl: OpaquePointer
    /// Keeps the SSL_CTX's Swift owner alive as long as its sessions.
    private let context: TLSContext
    package private(set) var phase = Phase.handshake
    /// The peer has sent close_notify: nothing more will come.
    package private(set) var isInputClosed = false
    /// What ALPN agreed on, once open; nil if the peer did not offer it.
    package private(set) var selectedProtocol: TLSProtocol?
    /// What a client has shown, once open; of a server's session.
    package private(set) var peerCertificate = TLSPeerCertificate.unasked
    /// The name that the peer's certificate must have; of a client's session.
    let peerName: String?
    /// Why the peer's certificate was not accepted.
    var rejection: String?
    var isServer: Bool { context.isServer }
    private var hasInput = false
    fileprivate var keyUpdates = 0

    // Valid only within a call to OpenSSL; see `withBIO`.
    fileprivate var input = UnsafeRawBufferPointer(start: nil, count: 0)
    fileprivate var scratch: TLSScratch?

    /// `peerName` is a host name or an address literal.
    package init(_ context: TLSContext, peerName: String? = nil) {
        guard let ssl = SSL_new(context.handle), let bio = BIO_new(sessionBIO) else {
            fatalError("OpenSSL cannot make a session: \(takeOpenSSLError())")
        }
        self.ssl = ssl
        self.context = context
        self.peerName = peerName
        let me = Unmanaged.passUnretained(self).toOpaque()
        martlet_ssl_set_owner(ssl, me)
        BIO_set_data(bio, me)
        BIO_set_init(bio, 1)
        // One reference for both directions: SSL_set_bio(3).
        SSL_set_bio(ssl, bio, bio)
        if context.isServer {
            SSL_set_accept_state(ssl)
        } else {
            SSL_set_connect_state(ssl)
            if let peerName { expect(peerName) }
        }
    }

    deinit { SSL_free(ssl) }

    private func expect(_ name: String) {
        let isAddress = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1
        ERR_clear_error()
        if !isAddress {
            // RFC 6066 §3: the server name is never an address.
            let isSet = SSL_set1_host(ssl, name) == 1 && martlet_ssl_set_server_name(ssl, name) == 1
            invariant(isSet, "a host name is taken as it is")
        }
    }

    // MARK: The three verbs

    /// A client's first flight, to `scratch.ciphertext`.
    package func start(_ scratch: TLSScratch) throws(TLSFailure) {
        try feed(UnsafeRawBufferPointer(start: nil, count: 0), scratch)
    }

    /// Takes all of `bytes`; what they hold is appended to `scratch.plaintext`, and what must be
    /// answered to `scratch.ciphertext`, also when it throws (an alert for the peer).
    package func feed(
        _ bytes: UnsafeRawBufferPointer, _ scratch: TLSScratch
    ) throws(TLSFailure) {
        guard phase != .failed, !isInputClosed else { return }
        if !hasInput, let first = bytes.first {
            hasInput = true
            // Handshake or alert (RFC 8446 §5.1).
            guard first == 0x16 || first == 0x15 else {
                phase = .failed
                throw .notTLS
            }
        }
        input = bytes
        self.scratch = scratch
        defer {
            input = UnsafeRawBufferPointer(start: nil, count: 0)
            self.scratch = nil
        }
        if phase == .handshake {
            guard try handshake() else { return }
        }
        try readAll(scratch)
    }

    /// Encrypts all of `bytes` to `scratch.ciphertext`. The session is open.
    package func send(
        _ bytes: UnsafeRawBufferPointer, _ scratch: TLSScratch
    ) throws(TLSFailure) {
        invariant(phase == .open, "plaintext is sent on an open session")
        // SSL_write of nothing looks like a dead socket.
        guard !bytes.isEmpty else { return }
        self.scratch = scratch
        defer { self.scratch = nil }
        ERR_clear_error()
        var count = 0
        let result = SSL_write_ex(ssl, bytes.baseAddress, bytes.count, &count)
        guard result == 1 else { throw fail() }
        invariant(count == bytes.count, "a BIO that takes everything has everything written")
    }

    /// close_notify to `scratch.ciphertext`; nothing if there is no connection to close.
    package func close(_ scratch: TLSScratch) {
        guard phase == .open else {
            if phase == .handshake { phase = .failed }
            return
        }
        phase = .closed
        self.scratch = scratch
        defer { self.scratch = nil }
        ERR_clear_error()
        SSL_shutdown(ssl)
        ERR_clear_error()
    }

    // MARK: Within a call

    /// True once the handshake is complete.
    private func handshake() throws(TLSFailure) -> Bool {
        // A stale error of another session on this thread would be taken for ours: the queue is
        // shared.
        ERR_clear_error()
        let result = SSL_do_handshake(ssl)
        guard result != 1 else {
            phase = .open
            selectedProtocol = agreedProtocol()
            if isServer { peerCertificate = shownCertificate() }
            return true
        }
        guard SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ else { throw fail() }
        return false
    }

    private func agreedProtocol() -> TLSProtocol? {
        var start: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        SSL_get0_alpn_selected(ssl, &start, &count)
        let name = UnsafeRawBufferPointer(start: start, count: Int(count))
        return TLSProtocol(rawValue: String(decoding: name, as: UTF8.self))
    }

    private func shownCertificate() -> TLSPeerCertificate {
        guard SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE else { return .unasked }
        guard SSL_get0_peer_certificate(ssl) != nil else { return .absent }
        // A ticket may be older than the authorities; stores resume nothing.
        guard SSL_session_reused(ssl) == 0 else {
            return .rejected("it was shown in an earlier session, which does not count")
        }
        let code = SSL_get_verify_result(ssl)
        if rejection == nil, code == Int(X509_V_OK) { return .verified }
        return .rejected(rejection ?? "verification failed with code \(code)")
    }

    // Hot path: once per socket read.
    private func readAll(_ scratch: TLSScratch) throws(TLSFailure) {
        while true {
            ERR_clear_error()
            var got = 0
            var result: Int32 = 0
            scratch.plaintext.writeWithUnsafeMutableBytes(minimumWritableBytes: recordBytesMax) {
                result = SSL_read_ex(ssl, $0.baseAddress, $0.count, &got)
                return got
            }
            if result == 1 { continue }
            switch SSL_get_error(ssl, result) {
            case SSL_ERROR_WANT_READ:
                guard keyUpdates <= Limits.tlsKeyUpdates else {
                    phase = .failed
                    throw .tooManyKeyUpdates
                }
                return
            case SSL_ERROR_ZERO_RETURN:
                isInputClosed = true
                return
            default: throw fail()
            }
        }
    }

    private func fail() -> TLSFailure {
        phase = .failed
        let reason = takeOpenSSLError(newest: true)
        if !isServer, let rejection { return .certificateRejected(reason: rejection) }
        return .protocolError(reason: reason)
    }
}

/// The plaintext of one record at most.
private let recordBytesMax = 16 << 10

// MARK: The BIO

/// Made once and never changed: OpenSSL reads it from any thread.
nonisolated(unsafe) private let sessionBIO: OpaquePointer? = {
    let method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "martlet session")
    BIO_meth_set_read_ex(method) { bio, out, capacity, count in
        guard let session = owner(bio), let out, let count else { return 0 }
        BIO_clear_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY)
        let taken = min(capacity, session.input.count)
        guard taken > 0, let base = session.input.baseAddress else {
            BIO_set_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY)
            return 0
        }
        UnsafeMutableRawPointer(out).copyMemory(from: base, byteCount: taken)
        session.input = UnsafeRawBufferPointer(rebasing: session.input[taken...])
        count.pointee = taken
        return 1
    }
    BIO_meth_set_write_ex(method) { bio, bytes, size, count in
        guard let session = owner(bio), let scratch = session.scratch, let count else { return 0 }
        scratch.ciphertext.writeBytes(UnsafeRawBufferPointer(start: bytes, count: size))
        count.pointee = size
        return 1
    }
    BIO_meth_set_ctrl(method) { _, command, _, _ in
        command == Int32(BIO_CTRL_FLUSH) ? 1 : 0
    }
    return method
}()

private func owner(_ bio: OpaquePointer?) -> TLSSession? {
    BIO_get_data(bio).map { Unmanaged<TLSSession>.fromOpaque($0).takeUnretainedValue() }
}

/// Counts the KeyUpdate messages of the peer (RFC 8446 §4.6.3): each costs a key derivation, and
/// OpenSSL takes any number of them.
let countKeyUpdates:
    @convention(c) (
        Int32, Int32, Int32, UnsafeRawPointer?, Int, OpaquePointer?, UnsafeMutableRawPointer?
    ) -> Void = { isWritten, _, contentType, message, count, ssl, _ in
        guard isWritten == 0, contentType == SSL3_RT_HANDSHAKE, count > 0, let message, let ssl,
            message.load(as: UInt8.self) == UInt8(SSL3_MT_KEY_UPDATE),
            let owner = martlet_ssl_owner(ssl)
        else { return }
        Unmanaged<TLSSession>.fromOpaque(owner).takeUnretainedValue().keyUpdates += 1
    }
