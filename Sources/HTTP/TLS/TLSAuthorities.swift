/// The certificates of authorities in a PEM file, as a store that chains are verified against.
///
/// Between stores the same file serves both directions: whom a store calls has to show a
/// certificate that one of these signed, and so has whoever calls it. Left out: revocation lists;
/// whoever has lost a key changes the authority.
internal import Base
internal import COpenSSL
private import Glibc

/// Unchecked: an X509_STORE is reference counted and locked by OpenSSL, and nothing here changes
/// after `init`.
final class TLSAuthorities: @unchecked Sendable {
    let store: OpaquePointer
    private let certificates: [OpaquePointer]

    init(_ file: (path: String, bytes: Bytes)) throws(TLSFileError) {
        let found = try TLSFiles.certificates(file.bytes, file.path)
        guard let made = X509_STORE_new() else {
            fatalError("OpenSSL cannot make a store: \(takeOpenSSLError())")
        }
        store = made
        certificates = found
        for certificate in found {
            guard X509_STORE_add_cert(made, certificate) == 1 else {
                throw .refused(path: file.path, reason: takeOpenSSLError())
            }
        }
    }

    deinit {
        X509_STORE_free(store)
        for certificate in certificates { X509_free(certificate) }
    }

    /// The names that a server asks for, so that a browser offers no other certificate. Owned by
    /// whoever takes them.
    var names: OpaquePointer? {
        let list = martlet_name_list()
        for certificate in certificates { martlet_name_list_add(list, certificate) }
        return list
    }

    enum Use: CaseIterable {
        case server, client

        fileprivate var purpose: Int32 {
            switch self {
            case .server: X509_PURPOSE_SSL_SERVER
            case .client: X509_PURPOSE_SSL_CLIENT
            }
        }
    }

    /// Why these would not accept that certificate, which comes first in its chain; nil if they do.
    func rejection(of chain: [OpaquePointer], for use: Use, at now: WallTime) -> String? {
        guard let context = X509_STORE_CTX_new(),
            let between = martlet_chain(chain.map(Optional.some), chain.count)
        else { fatalError("OpenSSL cannot verify: \(takeOpenSSLError())") }
        defer {
            X509_STORE_CTX_free(context)
            martlet_chain_free(between)
        }
        ERR_clear_error()
        defer { ERR_clear_error() }
        guard X509_STORE_CTX_init(context, store, chain[0], between) == 1,
            X509_STORE_CTX_set_purpose(context, use.purpose) == 1
        else { return takeOpenSSLError() }
        X509_STORE_CTX_set_time(context, 0, time_t(clamping: now.milliseconds / 1000))
        guard X509_verify_cert(context) != 1 else { return nil }
        let code = X509_STORE_CTX_get_error(context)
        return X509_verify_cert_error_string(Int(code)).map { String(cString: $0) } ?? "\(code)"
    }
}
