/// What many TLS sessions share: protocol versions, certificate, key, trusted authorities.
///
/// A server's context is made from files that have been checked to be readable, of a kind, valid
/// now and fitting each other, so that a mistake is found before the port opens and not by the
/// first client. TLS 1.2 and 1.3 only; one stateless ticket; no renegotiation, compression or
/// session cache. A server that knows authorities asks every client for a certificate and lets in
/// who has none: what a connection may ask is decided by what it has shown. Left out: SNI (one
/// certificate), early data, OCSP stapling, revocation lists.
package import Base
internal import COpenSSL
private import Glibc

/// Unchecked: an SSL_CTX may be used by many threads once it is set up (SSL_new(3), reference
/// counted), and nothing here changes after `init`.
package final class TLSContext: @unchecked Sendable {
    let handle: OpaquePointer
    let isServer: Bool
    /// What a server's certificate says; nil for a client.
    package let identity: TLSIdentity?

    /// In the order of preference; X25519 costs the least.
    private static let groups = "X25519:P-256:P-384"

    private init(method: OpaquePointer, isServer: Bool, identity: TLSIdentity?) {
        guard let made = SSL_CTX_new(method) else {
            fatalError("OpenSSL cannot make a context: \(takeOpenSSLError())")
        }
        handle = made
        self.isServer = isServer
        self.identity = identity
        let isSet =
            martlet_ctx_set_versions(made) == 1 && martlet_ctx_set_groups(made, Self.groups) == 1
        invariant(isSet, "OpenSSL 3 knows TLS 1.2, TLS 1.3 and X25519")
        martlet_ctx_set_options(made)
        SSL_CTX_set_msg_callback(made, countKeyUpdates)
    }

    deinit { SSL_CTX_free(handle) }

    /// Loads a certificate chain and its key; `now` decides whether it is valid.
    package static func server(
        certificate certificatePath: String, key keyPath: String, now: WallTime
    ) throws(TLSFileError) -> TLSContext {
        try server(
            certificate: TLSFiles.file(certificatePath), key: TLSFiles.file(keyPath), now: now)
    }

    /// - Parameter authorities: whose certificates clients may show; nil asks for none.
    static func server(
        certificate: TLSFile, key: TLSFile, authorities: TLSAuthorities? = nil, now: WallTime
    ) throws(TLSFileError) -> TLSContext {
        let own = try OwnCertificate(certificate, key, now: now)
        let context = TLSContext(
            method: TLS_server_method(), isServer: true, identity: own.identity)
        try context.show(own, certificate.path)
        SSL_CTX_set_num_tickets(context.handle, 1)
        SSL_CTX_set_alpn_select_cb(context.handle, selectProtocol, nil)
        if let authorities { context.ask(for: authorities) }
        return context
    }

    /// Whether who calls it by this name or address finds it in the certificate.
    package func isFor(_ host: String) -> Bool {
        guard let certificate = SSL_CTX_get0_certificate(handle) else { return false }
        defer { ERR_clear_error() }
        return X509_check_ip_asc(certificate, host, 0) == 1
            || X509_check_host(certificate, host, host.utf8.count, 0, nil) == 1
    }

    private func ask(for authorities: TLSAuthorities) {
        SSL_CTX_set_verify(handle, SSL_VERIFY_PEER, noteRejection)
        SSL_CTX_set_client_CA_list(handle, authorities.names)
        // Without one OpenSSL ends every resumed session of a server that asks.
        let name = Bytes("martlet".utf8)
        let isTaken =
            martlet_ctx_set_verify_store(handle, authorities.store) == 1
            && SSL_CTX_set_session_id_context(handle, name, UInt32(name.count)) == 1
        invariant(isTaken, "a store and a short name are taken")
    }

    private func show(_ own: OwnCertificate, _ path: String) throws(TLSFileError) {
        var isTaken =
            SSL_CTX_use_certificate(handle, own.chain[0]) == 1
            && SSL_CTX_use_PrivateKey(handle, own.key) == 1
        for link in own.chain.dropFirst() {
            isTaken = isTaken && martlet_ctx_add_chain(handle, link) == 1
        }
        guard isTaken else { throw .refused(path: path, reason: takeOpenSSLError()) }
    }

    /// What a store calls others with: it shows its own certificate, and believes `authorities`
    /// alone.
    static func peer(_ own: OwnCertificate, _ path: String, authorities: TLSAuthorities)
        throws(TLSFileError) -> TLSContext
    {
        let context = TLSContext(method: TLS_client_method(), isServer: false, identity: nil)
        SSL_CTX_set_verify(context.handle, SSL_VERIFY_PEER, noteRejection)
        let isTaken = martlet_ctx_set_verify_store(context.handle, authorities.store)
        invariant(isTaken == 1, "a store is taken")
        try context.show(own, path)
        context.offer([.http2, .http1])
        return context
    }

    /// Whom a client believes.
    package enum Trust: Hashable, Sendable {
        /// The authorities that the operating system trusts.
        case system
        /// The certificates in a PEM file, and no others.
        case authorities(path: String)
        /// Everybody: the traffic is hidden from listeners, but not from who pretends to be the
        /// server.
        case anyone
    }

    package static func client(
        trust: Trust, protocols: [TLSProtocol]
    ) throws(TLSFileError) -> TLSContext {
        let context = TLSContext(method: TLS_client_method(), isServer: false, identity: nil)
        switch trust {
        case .anyone: SSL_CTX_set_verify(context.handle, SSL_VERIFY_NONE, nil)
        case .system:
            SSL_CTX_set_verify(context.handle, SSL_VERIFY_PEER, noteRejection)
            SSL_CTX_set_default_verify_paths(context.handle)
        case .authorities(let path):
            SSL_CTX_set_verify(context.handle, SSL_VERIFY_PEER, noteRejection)
            let authorities = try TLSAuthorities(TLSFiles.file(path))
            let isTaken = martlet_ctx_set_verify_store(context.handle, authorities.store)
            invariant(isTaken == 1, "a store is taken")
        }
        context.offer(protocols)
        return context
    }

    private func offer(_ protocols: [TLSProtocol]) {
        let offer = protocols.flatMap { [UInt8($0.rawValue.utf8.count)] + Bytes($0.rawValue.utf8) }
        let refused = SSL_CTX_set_alpn_protos(handle, offer, UInt32(offer.count))
        invariant(refused == 0, "the protocol list is well formed")
    }
}

/// A file that was read, and where it was, for errors.
typealias TLSFile = (path: String, bytes: Bytes)

/// A certificate chain and its key, checked to fit each other and to be valid now.
final class OwnCertificate {
    let chain: [OpaquePointer]
    let key: OpaquePointer
    let identity: TLSIdentity

    init(
        _ certificate: TLSFile, _ key: TLSFile, now: WallTime
    ) throws(TLSFileError) {
        let chain = try TLSFiles.certificates(certificate.bytes, certificate.path)
        self.chain = chain
        identity = TLSIdentity(of: chain[0])
        do throws(TLSFileError) {
            self.key = try TLSFiles.key(key.bytes, key.path)
        } catch {
            for link in chain { X509_free(link) }
            throw error
        }
        guard identity.notAfter > now else {
            throw .expired(path: certificate.path, since: identity.notAfter)
        }
        guard identity.notBefore <= now else {
            throw .notYetValid(path: certificate.path, from: identity.notBefore)
        }
        ERR_clear_error()
        guard X509_check_private_key(chain[0], self.key) == 1 else {
            let owner = chain.firstIndex { X509_check_private_key($0, self.key) == 1 }
            ERR_clear_error()
            guard let owner else {
                throw .keyMismatch(certificate: certificate.path, key: key.path)
            }
            throw .wrongOrder(path: certificate.path, position: owner + 1, key: key.path)
        }
    }

    deinit {
        for link in chain { X509_free(link) }
        EVP_PKEY_free(key)
    }
}

/// What ALPN (RFC 7301) can agree on here.
package enum TLSProtocol: String, Hashable, Sendable {
    case http2 = "h2"
    case http1 = "http/1.1"
}

/// The server's choice: HTTP/2 before HTTP/1.1; a client that offers neither gets a fatal
/// no_application_protocol (RFC 7301 §3.2). A client without ALPN never comes here.
private let selectProtocol: SSL_CTX_alpn_select_cb_func = {
    _, selected, selectedCount, offered, offeredCount, _ in
    let offer = UnsafeRawBufferPointer(start: offered, count: Int(offeredCount))
    for wanted in [TLSProtocol.http2, .http1] {
        var offset = 0
        while offset < offer.count {
            let start = offset + 1
            let end = start + Int(offer[offset])
            guard end <= offer.count else { return SSL_TLSEXT_ERR_ALERT_FATAL }
            if offer[start..<end].elementsEqual(wanted.rawValue.utf8) {
                // OpenSSL copies it at once; it points into the client's own list.
                selected?.pointee = offered.map { $0 + start }
                selectedCount?.pointee = UInt8(end - start)
                return SSL_TLSEXT_ERR_OK
            }
            offset = end
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL
}

/// Keeps why a certificate was not accepted, with the names that it has, for the error message.
private let noteRejection: SSL_verify_cb = { isAccepted, store in
    guard isAccepted == 0, let store, let ssl = martlet_store_ssl(store),
        let owner = martlet_ssl_owner(ssl)
    else { return isAccepted }
    let code = X509_STORE_CTX_get_error(store)
    let text = X509_verify_cert_error_string(Int(code)).map { String(cString: $0) } ?? "\(code)"
    let session = Unmanaged<TLSSession>.fromOpaque(owner).takeUnretainedValue()
    // Where it goes on in spite of it, the first reason is the root of the others.
    guard session.rejection == nil else { return session.isServer ? 1 : 0 }
    let names = X509_STORE_CTX_get_current_cert(store).map { TLSIdentity(of: $0).names } ?? []
    switch code {
    case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
        let has = names.isEmpty ? "no names" : names.joined(separator: ", ")
        session.rejection = "name \(session.peerName ?? "") is not in it (it has: \(has))"
    case X509_V_ERR_CERT_HAS_EXPIRED:
        let end = X509_STORE_CTX_get_current_cert(store).map { TLSIdentity(of: $0).notAfter }
        session.rejection = "expired since \(end?.asDate ?? "an unknown time")"
    default: session.rejection = text
    }
    // A server lets the connection stand: whatever asks for a certificate is told why not.
    return session.isServer ? 1 : 0
}
