// The `async` client against servers of a few lines on loopback: reuse, repetition of safe
// requests, time-outs, and an error that names the fact for each way in which a connection fails.
import Base
import HTTP
import Synchronization
import Testing

struct ClientTests {
    private static let ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"

    @Test func oneConnectionServesRequestsInTurn() async throws {
        let server = try await ScriptedServer { _ in .bytes(Self.ok) }
        let client = HTTPClient(server.origin)
        for _ in 0..<3 {
            let response = try await client.send(ClientRequest("GET", "/"))
            #expect(response.status == 200)
            #expect(response.text == "hi")
            #expect(response["content-length"] == "2")
        }
        #expect(server.accepted == 1)
        await client.close()
        try await server.stop()
    }

    @Test func requestsAtOnceHaveTheirOwnConnections() async throws {
        let server = try await ScriptedServer { _ in .bytes(Self.ok) }
        let client = HTTPClient(server.origin)
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<20 {
                group.addTask { try await client.send(ClientRequest("GET", "/")).status }
            }
            for try await status in group { #expect(status == 200) }
        }
        #expect(server.accepted <= 20)
        await client.close()
        try await server.stop()
    }

    @Test func aSafeRequestIsRepeatedOnANewConnectionAndAWriteIsNot() async throws {
        let asked = Atomic<Int>(0)
        let server = try await ScriptedServer { _ in
            asked.wrappingAdd(1, ordering: .relaxed).newValue % 2 == 0 ? .close : .bytes(Self.ok)
        }
        let client = HTTPClient(server.origin)
        let address = server.origin.authority
        _ = try await client.send(ClientRequest("GET", "/"))
        #expect(try await client.send(ClientRequest("GET", "/")).status == 200)
        #expect(server.accepted == 2)
        await #expect(throws: ClientError.closed(address: address)) {
            _ = try await client.send(ClientRequest("PUT", "/", body: [1]))
        }
        try await server.stop()
    }

    @Test func aNewConnectionThatClosesIsAnError() async throws {
        let server = try await ScriptedServer { _ in .close }
        let client = HTTPClient(server.origin)
        await #expect(throws: ClientError.closed(address: server.origin.authority)) {
            _ = try await client.send(ClientRequest("GET", "/"))
        }
        #expect(server.accepted == 1)
        try await server.stop()
    }

    @Test func anAnswerCutShortIsAnError() async throws {
        let server = try await ScriptedServer { _ in
            .bytesThenClose("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
        }
        let client = HTTPClient(server.origin)
        await #expect(throws: ClientError.malformedResponse(reason: "it ends in the middle")) {
            _ = try await client.send(ClientRequest("GET", "/"))
        }
        try await server.stop()
    }

    @Test func silenceRunsIntoTheTimeout() async throws {
        let server = try await ScriptedServer { _ in .silence }
        let client = HTTPClient(server.origin)
        let timeout = Duration.milliseconds(50)
        await #expect(
            throws: ClientError.responseTimedOut(address: server.origin.authority, after: timeout)
        ) {
            _ = try await client.send(ClientRequest("GET", "/", timeout: timeout))
        }
        try await server.stop()
    }

    @Test func aTLSServerIsRecognised() async throws {
        let server = try await ScriptedServer { _ in .bytes("\u{15}\u{3}\u{1}\0\u{2}\u{2}\n") }
        let client = HTTPClient(server.origin)
        await #expect(throws: ClientError.peerSpeaksTLS(address: server.origin.authority)) {
            _ = try await client.send(ClientRequest("GET", "/"))
        }
        try await server.stop()
    }

    @Test func anAnswerOverTheLimitIsRefused() async throws {
        let server = try await ScriptedServer { _ in
            .bytes("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")
        }
        var options = ClientOptions()
        options.responseBytesMax = 4
        let client = HTTPClient(server.origin, options: options)
        await #expect(throws: ClientError.responseTooLarge(limit: 4)) {
            _ = try await client.send(ClientRequest("GET", "/"))
        }
        try await server.stop()
    }

    @Test(arguments: [ClientOptions.Version.http1, .http2])
    func refusedConnectionsAndUnknownNamesAreNamed(_ version: ClientOptions.Version) async throws {
        let server = try await ScriptedServer { _ in .silence }
        try await server.stop()
        let options = ClientOptions(version: version)
        let refused = HTTPClient(server.origin, options: options)
        await #expect(throws: ClientError.connectionRefused(address: server.origin.authority)) {
            _ = try await refused.send(ClientRequest("GET", "/"))
        }
        let origin = Origin(scheme: .http, host: "no-such-host.invalid", port: 7171)
        let unknown = HTTPClient(origin, options: options)
        await #expect(throws: ClientError.nameHasNoAddress(host: "no-such-host.invalid")) {
            _ = try await unknown.send(ClientRequest("GET", "/"))
        }
        #expect(
            ClientError.connectionRefused(address: "127.0.0.1:7171").description
                == "connection refused 127.0.0.1:7171")
    }
}
