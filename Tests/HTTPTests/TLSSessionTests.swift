// A TLS session on bytes alone: handshakes and data however they are cut, versions, ALPN, alerts,
// renegotiation, key updates, and arbitrary bytes.
import Base
import COpenSSL
import HTTP
import NIOCore
import Testing

/// A server's session and the bytes that it has said.
private final class Server {
    let session: TLSSession
    let scratch = TLSScratch()
    var plaintext: Bytes = []
    var failure: TLSFailure?

    init(_ context: TLSContext) { session = TLSSession(context) }

    /// The answer to `bytes`, fed `size` at a time.
    func feed(_ bytes: Bytes, pieces size: Int = .max) -> Bytes {
        var answer: Bytes = []
        for start in stride(from: 0, to: bytes.count, by: min(size, max(bytes.count, 1))) {
            scratch.clear()
            do throws(TLSFailure) {
                try bytes[start...].prefix(size).withUnsafeBytes {
                    bytes -> Result<Void, TLSFailure> in
                    Result { () throws(TLSFailure) in try session.feed(bytes, scratch) }
                }.get()
            } catch {
                failure = error
            }
            take(&answer)
        }
        return answer
    }

    func send(_ bytes: Bytes) throws -> Bytes {
        var answer: Bytes = []
        scratch.clear()
        try bytes.withUnsafeBytes { bytes -> Result<Void, TLSFailure> in
            Result { () throws(TLSFailure) in try session.send(bytes, scratch) }
        }.get()
        take(&answer)
        return answer
    }

    func close() -> Bytes {
        var answer: Bytes = []
        scratch.clear()
        session.close(scratch)
        take(&answer)
        return answer
    }

    private func take(_ answer: inout Bytes) {
        plaintext += scratch.plaintext.readBytes(length: scratch.plaintext.readableBytes) ?? []
        answer += scratch.ciphertext.readBytes(length: scratch.ciphertext.readableBytes) ?? []
    }
}

struct TLSSessionTests {
    private static let context: TLSContext = {
        do {
            let files = try TestFiles()
            let paths = try files.write("server", TestCertificate())
            return try TLSContext.server(
                certificate: paths.certificate, key: paths.key, now: wallTime())
        } catch {
            fatalError("a fresh certificate loads: \(error)")
        }
    }()

    /// Carries the handshake through; false if either side gave up.
    private func connect(_ server: Server, _ peer: RawTLSPeer, pieces size: Int = .max) -> Bool {
        for _ in 0..<10 {
            let isDone = peer.handshake()
            let sent = peer.output()
            let answer = server.feed(sent, pieces: size)
            if isDone, server.session.phase == .open {
                peer.feed(answer)
                return true
            }
            if sent.isEmpty, answer.isEmpty { return false }
            for start in stride(from: 0, to: answer.count, by: min(size, max(answer.count, 1))) {
                peer.feed(Bytes(answer[start...].prefix(size)))
                if start + size < answer.count { peer.handshake() }
            }
        }
        return false
    }

    private func connected(
        _ peer: RawTLSPeer = RawTLSPeer(), pieces: Int = .max
    ) throws -> (Server, RawTLSPeer) {
        let server = Server(Self.context)
        try #require(connect(server, peer, pieces: pieces))
        return (server, peer)
    }

    @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION], [1, 7, Int.max])
    func dataPassesBothWaysHoweverItIsCut(_ version: Int32, _ size: Int) throws {
        let (server, peer) = try connected(RawTLSPeer(versions: version...version), pieces: size)
        peer.write("ping")
        _ = server.feed(peer.output(), pieces: size)
        #expect(server.plaintext == Bytes("ping".utf8))
        peer.feed(try server.send(Bytes("pong".utf8)))
        #expect(peer.read() == ("pong", nil))
        #expect(server.failure == nil)
    }

    @Test(arguments: [0, 1, 16_383, 16_384, 16_385, 65_536, 1 << 20])
    func everySizePasses(_ count: Int) throws {
        let (server, peer) = try connected()
        let text = String(repeating: "x", count: count)
        let sent = try server.send(Bytes(text.utf8))
        #expect(count > 0 || sent.isEmpty)
        peer.feed(sent)
        #expect(peer.read().text == text)
        if count > 0 { peer.write(text) }
        _ = server.feed(peer.output(), pieces: 65_536)
        #expect(server.plaintext == Bytes(text.utf8))
    }

    @Test(arguments: [
        (["h2"], TLSProtocol.http2), (["http/1.1"], .http1), (["http/1.1", "h2"], .http2),
        (["foo", "http/1.1"], .http1), ([], nil),
    ])
    func theServerPicksTheProtocol(_ offer: [String], _ expected: TLSProtocol?) throws {
        let (server, _) = try connected(RawTLSPeer(offer: offer))
        #expect(server.session.selectedProtocol == expected)
    }

    @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func anUnknownProtocolIsFatal(_ version: Int32) {
        let server = Server(Self.context)
        let peer = RawTLSPeer(versions: version...version, offer: ["foo"])
        peer.handshake()
        peer.feed(server.feed(peer.output()))
        #expect(server.failure == .protocolError(reason: "no application protocol"))
        #expect(peer.read().end == "tlsv1 alert no application protocol")
    }

    @Test func oldVersionsAreRefusedWithAnAlert() {
        let server = Server(Self.context)
        let peer = RawTLSPeer(versions: TLS1_1_VERSION...TLS1_1_VERSION)
        peer.handshake()
        peer.feed(server.feed(peer.output()))
        #expect(server.failure == .protocolError(reason: "unsupported protocol"))
        #expect(peer.read().end == "tlsv1 alert protocol version")
    }

    @Test(arguments: [
        Bytes("GET / HTTP/1.1\r\n\r\n".utf8), [0x00, 0x16], [0x17, 3, 3, 0, 1, 0], [0x80, 0x2E, 1],
    ])
    func whatIsNoHandshakeIsRefusedWithoutAnAnswer(_ bytes: Bytes) {
        let server = Server(Self.context)
        #expect(server.feed(bytes).isEmpty)
        #expect(server.failure == .notTLS)
        #expect(server.session.phase == .failed)
        #expect(server.feed(bytes).isEmpty)
    }

    @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func garbageAfterTheHandshakeGetsAnAlert(_ version: Int32) throws {
        let (server, peer) = try connected(RawTLSPeer(versions: version...version))
        _ = server.feed(peer.output())
        let garbage: Bytes = [0x17, 3, 3, 0, 32] + Bytes(repeating: 0xAA, count: 32)
        peer.feed(server.feed(garbage))
        #expect(server.session.phase == .failed)
        #expect(server.failure == .protocolError(reason: "decryption failed or bad record mac"))
        #expect(peer.read().end == "sslv3 alert bad record mac")
    }

    @Test func renegotiationIsRefusedAndTheConnectionGoesOn() throws {
        let (server, peer) = try connected(RawTLSPeer(versions: TLS1_2_VERSION...TLS1_2_VERSION))
        SSL_renegotiate(peer.ssl)
        peer.handshake()
        peer.feed(server.feed(peer.output()))
        // A warning, no_renegotiation (RFC 5246 §7.2.2), on which OpenSSL's client gives up.
        #expect(peer.read().end == "no renegotiation")
        #expect(server.session.phase == .open)
        #expect(server.failure == nil)
    }

    @Test func aKeyUpdateIsFollowed() throws {
        let (server, peer) = try connected(RawTLSPeer(versions: TLS1_3_VERSION...TLS1_3_VERSION))
        SSL_key_update(peer.ssl, SSL_KEY_UPDATE_REQUESTED)
        peer.write("after")
        _ = server.feed(peer.output())
        #expect(server.plaintext == Bytes("after".utf8))
        peer.feed(try server.send(Bytes("answer".utf8)))
        #expect(peer.read() == ("answer", nil))
    }

    @Test func aFloodOfKeyUpdatesEndsTheConnection() throws {
        let (server, peer) = try connected(RawTLSPeer(versions: TLS1_3_VERSION...TLS1_3_VERSION))
        for _ in 0..<Limits.tlsKeyUpdates {
            SSL_key_update(peer.ssl, SSL_KEY_UPDATE_NOT_REQUESTED)
            peer.handshake()
            _ = server.feed(peer.output())
        }
        #expect(server.session.phase == .open)
        SSL_key_update(peer.ssl, SSL_KEY_UPDATE_NOT_REQUESTED)
        peer.handshake()
        _ = server.feed(peer.output())
        #expect(server.failure == .tooManyKeyUpdates)
    }

    @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func closeNotifyGoesBothWays(_ version: Int32) throws {
        let (server, peer) = try connected(RawTLSPeer(versions: version...version))
        peer.write("last words")
        SSL_shutdown(peer.ssl)
        _ = server.feed(peer.output())
        #expect(server.plaintext == Bytes("last words".utf8))
        #expect(server.session.isInputClosed)
        peer.feed(server.close())
        #expect(peer.read().end == "close_notify")
        #expect(server.close().isEmpty)
        #expect(server.failure == nil)
    }

    @Test func aFailedSessionDoesNotDisturbAnotherOnItsThread() throws {
        let (server, peer) = try connected()
        let other = Server(Self.context)
        _ = other.feed([0x16, 3, 1, 0, 4, 1, 0, 0, 0])
        _ = other.feed(Bytes(repeating: 0, count: 64))
        // Left in the queue by somebody who did not look.
        _ = SSL_CTX_use_PrivateKey(nil, nil)
        peer.write("well")
        _ = server.feed(peer.output())
        #expect(server.plaintext == Bytes("well".utf8))
        #expect(server.failure == nil)
    }

    @Test(arguments: 0..<200)
    func arbitraryBytesNeverTrap(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let server = Server(Self.context)
        let peer = RawTLSPeer()
        peer.handshake()
        // A handshake with one byte changed, or cut and continued with noise.
        var flight = peer.output()
        if random.chance(1, in: 2) {
            flight[Int.random(in: 1..<flight.count, using: &random)] = .random(
                in: 0...255, using: &random)
        } else {
            flight.removeLast(Int.random(in: 1..<flight.count, using: &random))
        }
        flight += (0..<Int.random(in: 0..<400, using: &random)).map { _ in
            .random(in: 0...255, using: &random)
        }
        peer.feed(server.feed(flight, pieces: Int.random(in: 1...600, using: &random)))
        peer.handshake()
        _ = server.feed(peer.output())
        _ = server.close()
    }

    @Test(arguments: 0..<100)
    func changedRecordsAreNeverTakenForData(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let (server, peer) = try connected()
        _ = server.feed(peer.output())
        peer.write("secret")
        var record = peer.output()
        let position = Int.random(in: 0..<record.count, using: &random)
        record[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        _ = server.feed(record)
        #expect(server.plaintext.isEmpty, "seed \(seed)")
    }
}
