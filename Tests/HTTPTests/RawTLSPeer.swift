// A TLS client that does what honest ones do not: old versions, unknown protocols, renegotiation,
// key updates. OpenSSL with its own memory BIOs, so that it shares nothing with what is tested.
import Base
import COpenSSL

final class RawTLSPeer {
    private let context: OpaquePointer
    let ssl: OpaquePointer
    private let incoming: OpaquePointer
    private let outgoing: OpaquePointer

    /// `versions` are of the protocol, such as `TLS1_2_VERSION`; `offer` is the ALPN list on the
    /// wire.
    init(versions: ClosedRange<Int32> = TLS1_2_VERSION...TLS1_3_VERSION, offer: [String] = []) {
        context = SSL_CTX_new(TLS_client_method())
        SSL_CTX_set_cipher_list(context, "DEFAULT@SECLEVEL=0")
        SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(versions.lowerBound), nil)
        SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(versions.upperBound), nil)
        if !offer.isEmpty {
            let list = offer.flatMap { [UInt8($0.utf8.count)] + Bytes($0.utf8) }
            SSL_CTX_set_alpn_protos(context, list, UInt32(list.count))
        }
        ssl = SSL_new(context)
        incoming = BIO_new(BIO_s_mem())
        outgoing = BIO_new(BIO_s_mem())
        SSL_set_bio(ssl, incoming, outgoing)
        SSL_set_connect_state(ssl)
    }

    deinit {
        SSL_free(ssl)
        SSL_CTX_free(context)
    }

    var isOpen: Bool { SSL_is_init_finished(ssl) == 1 }

    func feed(_ bytes: Bytes) {
        if !bytes.isEmpty { BIO_write(incoming, bytes, Int32(bytes.count)) }
    }

    /// Goes on with the handshake; true once it is complete.
    @discardableResult
    func handshake() -> Bool {
        ERR_clear_error()
        return SSL_do_handshake(ssl) == 1
    }

    func output() -> Bytes {
        var bytes = Bytes(repeating: 0, count: Int(BIO_ctrl_pending(outgoing)))
        if !bytes.isEmpty { BIO_read(outgoing, &bytes, Int32(bytes.count)) }
        return bytes
    }

    func write(_ text: String) {
        ERR_clear_error()
        SSL_write(ssl, text, Int32(text.utf8.count))
    }

    /// What there is to read now, and the alert or end that follows, as OpenSSL words it.
    func read() -> (text: String, end: String?) {
        var all: Bytes = []
        var some = Bytes(repeating: 0, count: 32 << 10)
        while true {
            ERR_clear_error()
            let count = SSL_read(ssl, &some, Int32(some.count))
            if count > 0 {
                all.append(contentsOf: some[..<Int(count)])
                continue
            }
            let text = String(decoding: all, as: UTF8.self)
            switch SSL_get_error(ssl, count) {
            case SSL_ERROR_WANT_READ: return (text, nil)
            case SSL_ERROR_ZERO_RETURN: return (text, "close_notify")
            default: return (text, openSSLReason())
            }
        }
    }
}

func openSSLReason() -> String {
    let code = ERR_get_error()
    ERR_clear_error()
    return ERR_reason_error_string(code).map { String(cString: $0) } ?? "none"
}
