/// Reading the files of a certificate: bytes, PEM blocks, and what a certificate says of itself.
///
/// OpenSSL's own file functions tell little of why they fail; these read the bytes first, so that a
/// missing file, a permission and a wrong format are told apart. A passphrase is never asked for.
package import Base
internal import COpenSSL
private import Glibc

/// What a certificate says of itself, as far as people ask.
package struct TLSIdentity: Hashable, Sendable {
    /// The names and addresses that it is valid for, as text.
    package var names: [String]
    package var notBefore: WallTime
    package var notAfter: WallTime

    package init(names: [String], notBefore: WallTime, notAfter: WallTime) {
        self.names = names
        self.notBefore = notBefore
        self.notAfter = notAfter
    }

    init(of certificate: OpaquePointer) {
        notBefore = WallTime(unix: martlet_unix_time(X509_get0_notBefore(certificate)))
        notAfter = WallTime(unix: martlet_unix_time(X509_get0_notAfter(certificate)))
        names = []
        guard let list = martlet_names(certificate) else { return }
        defer { GENERAL_NAMES_free(list) }
        for index in 0..<martlet_names_count(list) {
            var count: Int32 = 0
            var isAddress: Int32 = 0
            guard let start = martlet_name(list, index, &count, &isAddress) else { continue }
            let bytes = Bytes(UnsafeRawBufferPointer(start: start, count: Int(count)))
            names.append(isAddress == 0 ? String(decoding: bytes, as: UTF8.self) : text(of: bytes))
        }
    }
}

/// An address of 4 or 16 bytes as people write it.
private func text(of address: Bytes) -> String {
    var out = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    let family = address.count == 4 ? AF_INET : AF_INET6
    guard address.count == 4 || address.count == 16,
        inet_ntop(family, address, &out, socklen_t(out.count)) != nil
    else { return "an address of \(address.count) bytes" }
    return String(decoding: out.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

extension WallTime {
    fileprivate init(unix seconds: Int64) {
        self.init(milliseconds: UInt64(clamping: seconds) * 1000)
    }

    /// `2026-11-22T14:02:11Z`.
    var asDate: String {
        var seconds = time_t(clamping: milliseconds / 1000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func padded(_ number: Int32, _ width: Int = 2) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        return padded(parts.tm_year + 1900, 4) + "-" + padded(parts.tm_mon + 1) + "-"
            + padded(parts.tm_mday) + "T" + padded(parts.tm_hour) + ":" + padded(parts.tm_min)
            + ":" + padded(parts.tm_sec) + "Z"
    }
}

/// An entry of OpenSSL's error queue as a clause, and the queue emptied. The oldest is the root of
/// what is wrong with a file; the newest is what a session makes of it.
func takeOpenSSLError(newest: Bool = false) -> String {
    let code = newest ? ERR_peek_last_error() : ERR_peek_error()
    ERR_clear_error()
    guard code != 0 else { return "no reason given" }
    return ERR_reason_error_string(code).map { String(cString: $0) } ?? "error \(code)"
}

enum TLSFiles {
    /// No chain of certificates comes near it.
    static let bytesMax = 1 << 20

    static func read(_ path: String) throws(TLSFileError) -> Bytes {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { throw openError(path, errno) }
        defer { close(file) }
        var facts = stat()
        guard fstat(file, &facts) == 0 else { throw .unreadable(path: path, reason: reason(errno)) }
        guard facts.st_mode & S_IFMT == S_IFREG else { throw .notAFile(path: path) }
        guard facts.st_size <= bytesMax else { throw .tooLarge(path: path, limit: bytesMax) }
        var bytes = Bytes(repeating: 0, count: bytesMax + 1)
        var count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes {
                Glibc.read(file, $0.baseAddress! + count, $0.count - count)
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw .unreadable(path: path, reason: reason(errno)) }
            if got == 0 { break }
            count += got
        }
        guard count <= bytesMax else { throw .tooLarge(path: path, limit: bytesMax) }
        return Bytes(bytes[..<count])
    }

    static func file(_ path: String) throws(TLSFileError) -> TLSFile { (path, try read(path)) }

    private static func reason(_ code: Int32) -> String { String(cString: strerror(code)) }

    private static func openError(_ path: String, _ code: Int32) -> TLSFileError {
        guard code == EACCES || code == EPERM else {
            return code == ENOENT || code == ENOTDIR
                ? .missing(path: path) : .unreadable(path: path, reason: reason(code))
        }
        var facts = stat()
        let known = stat(path, &facts) == 0
        return .permissionDenied(
            path: path, user: userName(geteuid()),
            owner: known ? userName(facts.st_uid) : "unknown",
            mode: known ? facts.st_mode & 0o7777 : 0)
    }

    private static func userName(_ id: uid_t) -> String {
        guard let entry = getpwuid(id) else { return "\(id)" }
        return String(cString: entry.pointee.pw_name)
    }

    /// The certificates in a PEM file in order, owned by the caller; at least one.
    static func certificates(
        _ bytes: Bytes, _ path: String
    ) throws(TLSFileError) -> [OpaquePointer] {
        ERR_clear_error()
        guard let source = BIO_new_mem_buf(bytes, Int32(bytes.count)) else {
            throw .noCertificate(path: path, reason: takeOpenSSLError())
        }
        defer { BIO_free(source) }
        var found: [OpaquePointer] = []
        while let certificate = PEM_read_bio_X509(source, nil, nil, nil) {
            found.append(certificate)
        }
        let last = ERR_peek_last_error()
        let isEnd =
            ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE
        guard isEnd, !found.isEmpty else {
            for certificate in found { X509_free(certificate) }
            throw .noCertificate(path: path, reason: takeOpenSSLError())
        }
        ERR_clear_error()
        return found
    }

    /// The first private key in a PEM file, owned by the caller.
    static func key(_ bytes: Bytes, _ path: String) throws(TLSFileError) -> OpaquePointer {
        ERR_clear_error()
        guard let source = BIO_new_mem_buf(bytes, Int32(bytes.count)) else {
            throw .noKey(path: path, reason: takeOpenSSLError())
        }
        defer { BIO_free(source) }
        var wantsPassphrase: Int32 = 0
        guard let key = martlet_read_key(source, &wantsPassphrase) else {
            let reason = takeOpenSSLError()
            throw wantsPassphrase != 0
                ? .keyHasPassphrase(path: path) : .noKey(path: path, reason: reason)
        }
        return key
    }
}
