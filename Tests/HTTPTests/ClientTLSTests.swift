// The client over TLS on loopback: ALPN, whom it trusts, and an error for each way in which a
// handshake fails.
import Base
import Foundation
import HTTP
import Testing

struct ClientTLSTests {
    private static let ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"
    private let files: TestFiles
    private let authority = TestCertificate(isAuthority: true)
    private let authorityPath: String

    init() throws {
        files = try TestFiles()
        authorityPath = try files.write("ca.crt", authority.certificatePEM)
    }

    private func acceptor(_ made: TestCertificate? = nil, at now: WallTime? = nil) throws
        -> TLSAcceptor
    {
        let paths = try files.write("server", made ?? TestCertificate(issuer: authority))
        return try TLSAcceptor(
            .init(certificate: paths.certificate, key: paths.key), now: now ?? wallTime())
    }

    private func client(
        _ origin: Origin, _ version: ClientOptions.Version = .automatic,
        trust: TLSContext.Trust? = nil
    ) -> HTTPClient {
        HTTPClient(
            origin,
            options: ClientOptions(
                version: version, trust: trust ?? .authorities(path: authorityPath)))
    }

    private func error(_ client: HTTPClient) async -> ClientError? {
        do throws(ClientError) {
            _ = try await client.send(ClientRequest("GET", "/"))
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: [ClientOptions.Version.automatic, .http2])
    func http2IsAgreedOnAndShared(_ version: ClientOptions.Version) async throws {
        let server = try await HTTP2EchoServer(tls: try acceptor())
        let client = client(server.origin, version)
        let first = try await client.send(ClientRequest("PUT", "/k", body: [0x76]))
        #expect(first.text == "PUT /k v")
        try await withThrowingTaskGroup(of: String.self) { group in
            for index in 0..<50 {
                group.addTask { try await client.send(ClientRequest("GET", "/\(index)")).text }
            }
            var all: Set<String> = []
            for try await text in group { all.insert(text) }
            #expect(all == Set((0..<50).map { "GET /\($0) " }))
        }
        await client.close()
        try await server.stop()
    }

    @Test func http2ByPriorKnowledgeNeedsNoTLS() async throws {
        let server = try await HTTP2EchoServer(tls: nil)
        let client = client(server.origin, .http2)
        let body = Bytes(repeating: 0x61, count: 1 << 20)
        let response = try await client.send(ClientRequest("POST", "/", body: body))
        #expect(response.body.count == body.count + "POST / ".utf8.count)
        await client.close()
        try await server.stop()
    }

    @Test func http1IsSpokenWhereItIsAskedFor() async throws {
        let server = try await ScriptedServer(tls: try acceptor()) { _ in .bytes(Self.ok) }
        let client = client(server.origin, .http1)
        for _ in 0..<3 {
            #expect(try await client.send(ClientRequest("GET", "/")).text == "hi")
        }
        #expect(server.accepted == 1)
        await client.close()
        try await server.stop()
    }

    @Test func anUnknownAuthorityIsRefusedUnlessAnyoneIsTrusted() async throws {
        let server = try await ScriptedServer(tls: try acceptor(TestCertificate())) { _ in
            .bytes(Self.ok)
        }
        let address = server.origin.authority
        #expect(
            await error(client(server.origin, .http1))
                == .certificateRejected(address: address, reason: "self-signed certificate"))
        #expect(await error(client(server.origin, .http1, trust: .system)) != nil)
        #expect(await error(client(server.origin, .http1, trust: .anyone)) == nil)
        try await server.stop()
    }

    @Test func aCertificateForAnotherNameIsRefusedWithItsNames() async throws {
        let made = TestCertificate(names: "DNS:db2,IP:10.0.0.5", issuer: authority)
        let server = try await ScriptedServer(tls: try acceptor(made)) { _ in .bytes(Self.ok) }
        #expect(
            await error(client(server.origin))
                == .certificateRejected(
                    address: server.origin.authority,
                    reason: "name 127.0.0.1 is not in it (it has: db2, 10.0.0.5)"))
        try await server.stop()
    }

    @Test func anExpiredCertificateIsRefused() async throws {
        let made = TestCertificate(from: -9, until: -2, issuer: authority)
        let acceptor = try acceptor(made, at: wallTime(plusDays: -5))
        let server = try await ScriptedServer(tls: acceptor) { _ in .bytes(Self.ok) }
        guard case .certificateRejected(_, let reason) = await error(client(server.origin)) else {
            Issue.record("an expired certificate is not accepted")
            return
        }
        #expect(reason.hasPrefix("expired since 20"))
        try await server.stop()
    }

    @Test func aCleartextServerIsRecognised() async throws {
        let server = try await ScriptedServer { _ in .bytes("HTTP/1.1 400 Bad\r\n\r\n") }
        var origin = server.origin
        origin.scheme = .https
        #expect(await error(client(origin)) == .peerSpeaksCleartext(address: origin.authority))
        try await server.stop()
    }

    @Test func aServerThatClosesDuringTheHandshakeIsTold() async throws {
        let server = try await ScriptedServer { _ in .close }
        var origin = server.origin
        origin.scheme = .https
        #expect(
            await error(client(origin))
                == .tlsFailed(
                    address: origin.authority, reason: "it closed during the handshake"))
        try await server.stop()
    }

    @Test func aSilentServerRunsIntoTheConnectTimeout() async throws {
        let server = try await ScriptedServer { _ in .silence }
        var origin = server.origin
        origin.scheme = .https
        var options = ClientOptions(trust: .anyone)
        options.connectTimeout = .milliseconds(50)
        #expect(
            await error(HTTPClient(origin, options: options))
                == .connectTimedOut(address: origin.authority, after: .milliseconds(50)))
        try await server.stop()
    }

    @Test func anAuthorityFileThatIsNoneIsTold() async throws {
        let server = try await ScriptedServer { _ in .silence }
        var origin = server.origin
        origin.scheme = .https
        let path = "\(files.path)/absent"
        #expect(
            await error(client(origin, trust: .authorities(path: path)))
                == .tlsFailed(
                    address: origin.authority, reason: "\(path): there is no such file"))
        try await server.stop()
    }
}
