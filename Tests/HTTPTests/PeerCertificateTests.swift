// Certificates between stores, without sockets: who is believed by whom, what a server makes of a
// client that shows none or a wrong one, and what is found before a node starts.
import Base
import COpenSSL
import Foundation
import HTTP
import NIOCore
import Testing

struct PeerCertificateTests {
    private let files: TestFiles
    private let authority = TestCertificate(from: -30, isAuthority: true)
    private let foreign = TestCertificate(isAuthority: true, title: "foreign authority")
    private let authorityPath: String
    private let bothPath: String

    init() throws {
        files = try TestFiles()
        authorityPath = try files.write("ca.crt", authority.certificatePEM)
        bothPath = try files.write(
            "both.crt", foreign.certificatePEM + authority.certificatePEM)
    }

    private func acceptor(
        _ name: String, _ made: TestCertificate, believing path: String, plusDays days: Int = 0
    ) throws -> TLSAcceptor {
        let paths = try files.write(name, made)
        return try TLSAcceptor(
            .init(certificate: paths.certificate, key: paths.key, authorities: path),
            now: wallTime(plusDays: days))
    }

    /// Carries bytes between the two until neither has any; the failure of the first that has one.
    private func meet(_ client: TLSSession, _ server: TLSSession) -> TLSFailure? {
        var failure: TLSFailure?
        func feed(_ session: TLSSession, _ bytes: Bytes) -> Bytes {
            let scratch = TLSScratch()
            scratch.clear()
            do throws(TLSFailure) {
                try bytes.withUnsafeBytes { bytes -> Result<Void, TLSFailure> in
                    Result { () throws(TLSFailure) in try session.feed(bytes, scratch) }
                }.get()
            } catch {
                failure = failure ?? error
            }
            return Bytes(scratch.ciphertext.readableBytesView)
        }
        var flight = feed(client, [])
        while !flight.isEmpty {
            let answer = feed(server, flight)
            flight = answer.isEmpty ? [] : feed(client, answer)
        }
        return failure
    }

    @Test func storesOfOneAuthorityBelieveEachOther() throws {
        let one = try acceptor("1", TestCertificate(issuer: authority), believing: authorityPath)
        let two = try acceptor("2", TestCertificate(issuer: authority), believing: authorityPath)
        let server = TLSSession(one.serverContext)
        let client = TLSSession(try #require(two.peerContext), peerName: "127.0.0.1")
        #expect(meet(client, server) == nil)
        #expect(server.peerCertificate == .verified)
        #expect(client.phase == .open && server.phase == .open)
        #expect(client.selectedProtocol == .http2)
    }

    @Test func whoShowsNoneIsServedAllTheSame() throws {
        let one = try acceptor("1", TestCertificate(issuer: authority), believing: authorityPath)
        let server = TLSSession(one.serverContext)
        let trust = TLSContext.Trust.authorities(path: authorityPath)
        let client = TLSSession(
            try TLSContext.client(trust: trust, protocols: [.http1]), peerName: "localhost")
        #expect(meet(client, server) == nil)
        #expect(server.phase == .open)
        #expect(server.peerCertificate == .absent)
    }

    @Test func nobodyIsAskedWithoutAuthorities() throws {
        let paths = try files.write("1", TestCertificate(issuer: authority))
        let alone = try TLSAcceptor(
            .init(certificate: paths.certificate, key: paths.key), now: wallTime())
        #expect(alone.peerContext == nil)
        let two = try acceptor("2", TestCertificate(issuer: authority), believing: authorityPath)
        let server = TLSSession(alone.serverContext)
        let client = TLSSession(try #require(two.peerContext), peerName: "127.0.0.1")
        #expect(meet(client, server) == nil)
        #expect(server.peerCertificate == .unasked)
    }

    // The connection stands, so that the request can be told why it is refused.
    @Test func aForeignOneIsNamedAndServed() throws {
        let one = try acceptor("1", TestCertificate(issuer: authority), believing: authorityPath)
        let stranger = try acceptor("f", TestCertificate(issuer: foreign), believing: bothPath)
        let server = TLSSession(one.serverContext)
        let client = TLSSession(try #require(stranger.peerContext), peerName: "127.0.0.1")
        #expect(meet(client, server) == nil)
        #expect(server.phase == .open)
        guard case .rejected(let reason) = server.peerCertificate else {
            Issue.record("\(server.peerCertificate)")
            return
        }
        #expect(reason == "unable to get local issuer certificate")
    }

    @Test func aForeignServerIsNotCalled() throws {
        let stranger = try acceptor("f", TestCertificate(issuer: foreign), believing: bothPath)
        let one = try acceptor("1", TestCertificate(issuer: authority), believing: authorityPath)
        let server = TLSSession(stranger.serverContext)
        let client = TLSSession(try #require(one.peerContext), peerName: "127.0.0.1")
        guard case .certificateRejected? = meet(client, server) else {
            Issue.record("it was accepted")
            return
        }
        #expect(client.phase == .failed)
    }

    @Test func theAddressHasToBeInIt() throws {
        let one = try acceptor(
            "1", TestCertificate(names: "DNS:db1,IP:10.0.0.1", issuer: authority),
            believing: authorityPath)
        for (name, isIn) in [
            ("db1", true), ("10.0.0.1", true), ("db2", false), ("10.0.0.2", false), ("::1", false),
        ] {
            let client = TLSSession(try #require(one.peerContext), peerName: name)
            let failure = meet(client, TLSSession(one.serverContext))
            #expect((failure == nil) == isIn, "\(name): \(String(describing: failure))")
            guard !isIn, case .certificateRejected(let reason)? = failure else { continue }
            #expect(reason == "name \(name) is not in it (it has: db1, 10.0.0.1)")
        }
    }

    @Test func oneThatHasExpiredSinceIsRejected() throws {
        let one = try acceptor("1", TestCertificate(issuer: authority), believing: authorityPath)
        let late = try acceptor(
            "late", TestCertificate(from: -9, until: -2, issuer: authority),
            believing: authorityPath, plusDays: -3)
        let server = TLSSession(one.serverContext)
        let client = TLSSession(try #require(late.peerContext), peerName: "127.0.0.1")
        #expect(meet(client, server) == nil)
        guard case .rejected(let reason) = server.peerCertificate else {
            Issue.record("\(server.peerCertificate)")
            return
        }
        #expect(reason.hasPrefix("expired since 20"), "\(reason)")
    }

    // A ticket holds what was shown when it was made, perhaps to other authorities.
    @Test func aResumedSessionProvesNothing() throws {
        let one = try acceptor("1", TestCertificate(issuer: authority), believing: authorityPath)
        let paths = try files.write("2", TestCertificate(issuer: authority))
        var ticket: OpaquePointer?
        // One that ends without a word takes its session with it.
        var peers: [RawTLSPeer] = []
        defer { SSL_SESSION_free(ticket) }
        for round in 0..<2 {
            let peer = RawTLSPeer(versions: TLS1_2_VERSION...TLS1_2_VERSION)
            peers.append(peer)
            #expect(SSL_use_certificate_file(peer.ssl, paths.certificate, SSL_FILETYPE_PEM) == 1)
            #expect(SSL_use_PrivateKey_file(peer.ssl, paths.key, SSL_FILETYPE_PEM) == 1)
            if let ticket { SSL_set_session(peer.ssl, ticket) }
            let server = TLSSession(one.serverContext)
            let scratch = TLSScratch()
            while !peer.handshake() || server.phase != .open {
                scratch.clear()
                let sent = peer.output()
                try #require(!sent.isEmpty || server.phase == .open)
                try sent.withUnsafeBytes { bytes -> Result<Void, TLSFailure> in
                    Result { () throws(TLSFailure) in try server.feed(bytes, scratch) }
                }.get()
                let count = scratch.ciphertext.readableBytes
                peer.feed(scratch.ciphertext.readBytes(length: count) ?? [])
            }
            #expect(SSL_session_reused(peer.ssl) == Int32(round))
            if round == 0 {
                #expect(server.peerCertificate == .verified)
                ticket = SSL_get1_session(peer.ssl)
            } else {
                guard case .rejected = server.peerCertificate else {
                    Issue.record("\(server.peerCertificate)")
                    return
                }
            }
        }
    }

    // MARK: Before a start

    @Test func whatOtherStoresWouldRefuseIsFoundFirst() throws {
        func expect(
            _ made: TestCertificate, _ use: String,
            sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            let error = #expect(throws: TLSFileError.self, sourceLocation: sourceLocation) {
                _ = try acceptor("x", made, believing: authorityPath)
            }
            guard case .notOfPeers(_, _, use, _)? = error else {
                Issue.record("\(String(describing: error))", sourceLocation: sourceLocation)
                return
            }
            #expect(
                error?.advice.contains("-purpose ssl\(use)") == true,
                sourceLocation: sourceLocation)
        }
        try expect(TestCertificate(issuer: foreign), "server")
        try expect(TestCertificate(), "server")
        try expect(TestCertificate(issuer: authority, uses: "clientAuth"), "server")
        try expect(TestCertificate(issuer: authority, uses: "serverAuth"), "client")
        _ = try acceptor(
            "x", TestCertificate(issuer: authority, uses: "serverAuth,clientAuth"),
            believing: authorityPath)
    }

    // Through an authority in between, whose certificate stands in the chain.
    @Test func aChainIsFollowed() throws {
        let between = TestCertificate(
            issuer: authority, isAuthority: true, title: "authority in between")
        let leaf = TestCertificate(issuer: between)
        let chain = try files.write("chain.crt", leaf.certificatePEM + between.certificatePEM)
        let key = try files.write("chain.key", leaf.keyPEM)
        let one = try TLSAcceptor(
            .init(certificate: chain, key: key, authorities: authorityPath), now: wallTime())
        let server = TLSSession(one.serverContext)
        let client = TLSSession(try #require(one.peerContext), peerName: "127.0.0.1")
        #expect(meet(client, server) == nil)
        #expect(server.peerCertificate == .verified)
    }

    @Test func authoritiesAreTakenAnewAndKeptIfTheNewOnesDoNotFit() throws {
        let path = try files.write("trust.crt", authority.certificatePEM)
        let one = try acceptor("1", TestCertificate(issuer: authority), believing: path)
        #expect(one.reload(now: wallTime()) == .unchanged)
        // Whom this node's own certificate is not of, nobody else who believes them would accept.
        try files.write("trust.crt", foreign.certificatePEM)
        guard case .kept(.notOfPeers) = one.reload(now: wallTime()) else {
            Issue.record("it was taken")
            return
        }
        try files.write("trust.crt", authority.certificatePEM + foreign.certificatePEM)
        guard case .replaced = one.reload(now: wallTime()) else {
            Issue.record("it was not taken")
            return
        }
        let stranger = try acceptor("f", TestCertificate(issuer: foreign), believing: bothPath)
        let server = TLSSession(one.serverContext)
        let client = TLSSession(try #require(stranger.peerContext), peerName: "127.0.0.1")
        #expect(meet(client, server) == nil)
        #expect(server.peerCertificate == .verified)
    }
}
