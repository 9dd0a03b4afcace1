// Clients that do not read, over real sockets: what is held for them is bounded, and a fault does
// not wait for them.
import API
import Base
import Foundation
import HTTP
import Testing

@Suite struct SlowReaderTests {
    private let files: TestFiles
    private let acceptor: TLSAcceptor

    init() throws {
        files = try TestFiles()
        let paths = try files.write("server", TestCertificate())
        acceptor = try TLSAcceptor(
            .init(certificate: paths.certificate, key: paths.key), now: wallTime())
    }

    private static let getBig = "GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n"

    /// The alert waits behind an answer that is not read; the linger time is the most it gets, and
    /// not the stall time-out.
    @Test func aFaultReleasesTheSocketOfAPeerThatDoesNotRead() throws {
        let front = try LiveFront(tls: acceptor)
        let client = try TLSSocket(port: front.port)
        client.send("GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n")
        try #require(try holds { try front.run { !$0.held.isEmpty } })
        // The front is reading when its output becomes blocked.
        try front.run { core in
            core.front.respond(
                core.held[0], Response(status: 200, contentType: .bytes, body: core.big))
            core.front.flush()
        }
        client.socket.send([0x17, 3, 3, 0, 32] + Bytes(repeating: 7, count: 32))
        #expect(try holds { try front.counters.connectionsOpen == 0 })
        let counters = try front.counters
        #expect(counters.connectionsClosed[.tlsFailed] == 1)
        #expect(counters.timeouts[.write] == 0)
        #expect(counters.responseBytesHeld == 0)
        try front.drain()
    }

    /// Input that nobody reads turns the end of an answer into a reset, unless the server waits for
    /// its client to close (RFC 9112 §9.6).
    @Test func anAnswerIsWholeThoughMoreCameBehindItsRequest() throws {
        let front = try LiveFront()
        for _ in 0..<8 {
            let client = try RawSocket(port: front.port)
            let request = "GET /big HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            client.send(Bytes((request + "\r\nGET /a").utf8))
            var count = 0
            while let bytes = client.receive(), !bytes.isEmpty { count += bytes.count }
            #expect(count > 4 << 20)
        }
        try front.drain()
    }

    enum Transport: CaseIterable { case cleartext1, cleartext2, tls1, tls2 }

    /// Of 4 MiB, each gets what the kernel takes for it and two batches more; and beside them one
    /// that reads gets everything.
    @Test(arguments: Transport.allCases)
    func whatIsHeldForThemIsBounded(transport: Transport) throws {
        let front = try LiveFront(tls: acceptor)
        var open: [AnyObject] = []
        let count = 20
        for _ in 0..<count {
            switch transport {
            case .cleartext1, .cleartext2:
                let socket = try RawSocket(port: front.port)
                socket.send(transport == .cleartext1 ? Bytes(Self.getBig.utf8) : Self.getBig2)
                open.append(socket)
            case .tls1, .tls2:
                let socket = try TLSSocket(
                    port: front.port, offer: transport == .tls1 ? [] : ["h2"])
                socket.peer.write(
                    transport == .tls1
                        ? Self.getBig : String(decoding: Self.getBig2, as: UTF8.self))
                socket.socket.send(socket.peer.output())
                open.append(socket)
            }
        }
        #expect(try holds { try front.run { $0.requests.count } == count })
        let reader = try RawSocket(port: front.port, receiveBuffer: 1 << 20)
        reader.send(Bytes(Self.getBig.utf8))
        var read = 0
        while read < 4 << 20, let bytes = reader.receive() { read += bytes.count }
        #expect(read >= 4 << 20)
        let sent = Int(try front.counters.bytesSent) - read
        // Kernel: what TCP_NOTSENT_LOWAT leaves and the client's window; here: the watermark.
        #expect(sent <= count * 550_000, "\(sent / count) bytes each")
        #expect(sent >= count * 16_384, "\(sent / count) bytes each")
        #expect(try front.counters.connectionsOpen >= count)
        open = []
        try front.drain()
    }

    /// With a stream window of 16 MiB, so that it is the socket that is full. The bytes are ASCII,
    /// as they must be to pass for text.
    private static let getBig2 =
        Frames.preface + Frames.frame(.settings, [0, 4] + Frames.number(16 << 20))
        + Frames.window(0, 16 << 20) + Frames.get(1, "/big")
}
