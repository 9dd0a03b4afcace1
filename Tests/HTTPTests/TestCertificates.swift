// Certificates for tests, made with OpenSSL's API: valid, expired, for other names, signed by an
// authority of their own. A temporary directory holds their files.
import Base
import COpenSSL
import Foundation

struct TestCertificate {
    let certificate: OpaquePointer
    let key: OpaquePointer

    /// `days` from now, which may be negative; self-signed without an issuer.
    init(
        names: String = "DNS:localhost,IP:127.0.0.1", from: Int = -1, until days: Int = 30,
        issuer: TestCertificate? = nil, isAuthority: Bool = false, uses: String? = nil,
        title: String? = nil
    ) {
        key = Self.makeKey()
        certificate = X509_new()
        X509_set_version(certificate, 2)
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), Int.random(in: 1...1_000_000_000))
        X509_time_adj_ex(X509_getm_notBefore(certificate), Int32(from), 0, nil)
        X509_time_adj_ex(X509_getm_notAfter(certificate), Int32(days), 0, nil)
        X509_set_pubkey(certificate, key)
        let name = X509_get_subject_name(certificate)
        let text = title ?? (isAuthority ? "test authority" : "test")
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, text, -1, -1, 0)
        X509_set_issuer_name(
            certificate, issuer.map { X509_get_subject_name($0.certificate) } ?? name)
        if isAuthority {
            add(NID_basic_constraints, "critical,CA:TRUE")
        } else {
            add(NID_subject_alt_name, names)
        }
        if let uses { add(NID_ext_key_usage, uses) }
        X509_sign(certificate, issuer?.key ?? key, EVP_sha256())
    }

    private static func makeKey() -> OpaquePointer {
        let context = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, nil)
        defer { EVP_PKEY_CTX_free(context) }
        EVP_PKEY_keygen_init(context)
        EVP_PKEY_CTX_set_group_name(context, "P-256")
        var key: OpaquePointer?
        EVP_PKEY_generate(context, &key)
        guard let key else { fatalError("OpenSSL makes a key") }
        return key
    }

    private func add(_ kind: Int32, _ text: String) {
        let made = X509V3_EXT_conf_nid(nil, nil, kind, text)
        X509_add_ext(certificate, made, -1)
        X509_EXTENSION_free(made)
    }

    var certificatePEM: String {
        Self.text { PEM_write_bio_X509($0, certificate) }
    }

    var keyPEM: String {
        Self.text { PEM_write_bio_PrivateKey($0, key, nil, nil, 0, nil, nil) }
    }

    func keyPEM(passphrase: String) -> String {
        Self.text { bio in
            passphrase.withCString {
                PEM_write_bio_PrivateKey(
                    bio, key, EVP_aes_128_cbc(), nil, 0, nil, UnsafeMutableRawPointer(mutating: $0))
            }
        }
    }

    private static func text(_ write: (OpaquePointer?) -> Int32) -> String {
        let bio = BIO_new(BIO_s_mem())
        defer { BIO_free(bio) }
        _ = write(bio)
        var bytes = Bytes(repeating: 0, count: 16 << 10)
        let count = BIO_read(bio, &bytes, Int32(bytes.count))
        return String(decoding: bytes.prefix(Int(count)), as: UTF8.self)
    }
}

/// A directory that goes away with the value's owner.
final class TestFiles {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "martlet-tls-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    @discardableResult
    func write(_ name: String, _ text: String) throws -> String {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
        return "\(path)/\(name)"
    }

    /// Writes `NAME.crt` and `NAME.key`.
    func write(_ name: String, _ made: TestCertificate) throws -> (certificate: String, key: String)
    {
        (
            try write("\(name).crt", made.certificatePEM), try write("\(name).key", made.keyPEM)
        )
    }
}

/// The wall clock, for tests that load real certificates.
func wallTime(plusDays days: Int = 0) -> WallTime {
    WallTime(milliseconds: UInt64((Date().timeIntervalSince1970 + Double(days) * 86_400) * 1000))
}
