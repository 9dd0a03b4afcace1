/// Why a certificate or key file cannot be used, with every fact that a start error shows
/// (operations.md §1.3, `certificate_unreadable`).
///
/// `description` is the fact line, `advice` the line after `try:`.
package import Base

package enum TLSFileError: Error, Hashable, Sendable, CustomStringConvertible {
    case missing(path: String)
    case permissionDenied(path: String, user: String, owner: String, mode: UInt32)
    case notAFile(path: String)
    case unreadable(path: String, reason: String)
    case tooLarge(path: String, limit: Int)
    /// No PEM block of the kind that is needed.
    case noCertificate(path: String, reason: String)
    case noKey(path: String, reason: String)
    case keyHasPassphrase(path: String)
    case keyMismatch(certificate: String, key: String)
    /// The key belongs to a later certificate: the chain stands the wrong way round (RFC 8446
    /// §4.4.2 wants the node's own first).
    case wrongOrder(path: String, position: Int, key: String)
    case expired(path: String, since: WallTime)
    case notYetValid(path: String, from: WallTime)
    /// OpenSSL refuses it: a key too small, a signature too weak, a broken chain.
    case refused(path: String, reason: String)
    /// The authorities of the cluster would not accept it: no other store would talk to this one.
    case notOfPeers(path: String, authorities: String, use: String, reason: String)

    package var description: String {
        switch self {
        case .missing(let path): "\(path): there is no such file"
        case .permissionDenied(let path, let user, let owner, let mode):
            "\(path): permission denied for user \(user) (owner \(owner), mode \(octal(mode)))"
        case .notAFile(let path): "\(path) is a directory or a device, not a file"
        case .unreadable(let path, let reason): "\(path): \(reason)"
        case .tooLarge(let path, let limit):
            "\(path) is larger than \(limit) bytes, which no certificate is"
        case .noCertificate(let path, let reason):
            "\(path) holds no certificate in PEM form: \(reason)"
        case .noKey(let path, let reason): "\(path) holds no private key in PEM form: \(reason)"
        case .keyHasPassphrase(let path): "\(path) is protected by a passphrase"
        case .keyMismatch(let certificate, let key):
            "the key in \(key) does not match the certificate in \(certificate)"
        case .wrongOrder(let path, let position, let key):
            "the key in \(key) belongs to certificate \(position) in \(path), "
                + "and must belong to the first"
        case .expired(let path, let since): "\(path): expired since \(since.asDate)"
        case .notYetValid(let path, let from): "\(path): not valid before \(from.asDate)"
        case .refused(let path, let reason): "\(path): OpenSSL refuses it: \(reason)"
        case .notOfPeers(let path, let authorities, let use, let reason):
            "\(path): stores that believe \(authorities) would not accept it "
                + "as a \(use)'s: \(reason)"
        }
    }

    /// Something that can be pasted into a shell where there is such a thing.
    package var advice: String {
        switch self {
        case .missing(let path): "ls -l \(path)"
        case .permissionDenied(let path, let user, _, _): "chown \(user) \(path)"
        case .notAFile, .tooLarge: "name the file in PEM form with --tls-cert and --tls-key"
        case .unreadable(let path, _): "cat \(path)"
        case .noCertificate(let path, _): "openssl x509 -in \(path) -noout -subject"
        case .noKey(let path, _): "openssl pkey -in \(path) -noout"
        case .keyHasPassphrase(let path): "openssl pkey -in \(path) -out \(path).plain"
        case .keyMismatch(let certificate, let key):
            "openssl x509 -in \(certificate) -noout -pubkey; openssl pkey -in \(key) -pubout"
        case .wrongOrder: "cat node.crt authority.crt > chain.crt   # the node's own first"
        case .expired(let path, _), .notYetValid(let path, _):
            "openssl x509 -in \(path) -noout -dates; date -u"
        case .refused(let path, _): "openssl x509 -in \(path) -noout -text"
        case .notOfPeers(let path, let authorities, let use, _):
            "openssl verify -CAfile \(authorities) -purpose ssl\(use) -untrusted \(path) \(path)"
        }
    }

    /// The file that the error is about.
    package var path: String {
        switch self {
        case .missing(let path), .permissionDenied(let path, _, _, _), .notAFile(let path),
            .unreadable(let path, _), .tooLarge(let path, _), .noCertificate(let path, _),
            .noKey(let path, _), .keyHasPassphrase(let path), .expired(let path, _),
            .wrongOrder(let path, _, _), .notYetValid(let path, _), .refused(let path, _),
            .notOfPeers(let path, _, _, _):
            path
        case .keyMismatch(_, let key): key
        }
    }
}

private func octal(_ mode: UInt32) -> String {
    let digits = String(mode & 0o7777, radix: 8)
    return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
}
