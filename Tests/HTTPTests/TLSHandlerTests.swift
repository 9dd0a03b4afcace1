// The handler on a channel without a socket and with a clock of its own: events, buffers, promises,
// the handshake's time-out and the way a connection ends.
import Base
import COpenSSL
import HTTP
import NIOCore
import NIOEmbedded
import Testing

/// Behind the TLS handler: keeps what comes, and answers where a test wants it.
private final class Recorder: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    var text = ""
    var handshakes: [TLSProtocol?] = []
    var errors: [String] = []
    var inputEnds = 0

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        text += String(buffer: unwrapInboundIn(data))
    }
    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? TLSHandshakeCompleted { handshakes.append(event.selectedProtocol) }
        guard case ChannelEvent.inputClosed? = event as? ChannelEvent else { return }
        inputEnds += 1
        context.close(promise: nil)
    }
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        errors.append("\(error)")
        // As a front does: it gives the connection up at once.
        context.close(promise: nil)
    }
}

private struct Rig {
    let channel = EmbeddedChannel()
    let recorder = Recorder()
    let peer: RawTLSPeer

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

    init(scratch: TLSScratch = TLSScratch()) throws {
        peer = RawTLSPeer(offer: ["h2"])
        let handler = TLSHandler(TLSSession(Self.context), scratch: scratch)
        try channel.pipeline.syncOperations.addHandlers(handler, recorder)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    }

    /// What the server has sent by now.
    func sent() throws -> Bytes {
        var all: Bytes = []
        while let buffer = try channel.readOutbound(as: ByteBuffer.self) {
            all += Bytes(buffer.readableBytesView)
        }
        return all
    }

    func receive(_ bytes: Bytes) throws { try channel.writeInbound(ByteBuffer(bytes: bytes)) }

    func connect() throws {
        while !peer.isOpen {
            peer.handshake()
            try receive(peer.output())
            peer.feed(try sent())
        }
        peer.handshake()
    }
}

struct TLSHandlerTests {
    @Test func plaintextComesAfterTheHandshakeEvent() throws {
        let rig = try Rig()
        try rig.connect()
        #expect(rig.recorder.handshakes == [.http2])
        rig.peer.write("hello")
        try rig.receive(rig.peer.output())
        #expect(rig.recorder.text == "hello")
    }

    @Test func everyWriteIsEncryptedAtOnceAndItsPromiseKept() throws {
        let rig = try Rig()
        try rig.connect()
        for count in [0, 1, 5000, 65_536, 200_000] {
            let promise = rig.channel.eventLoop.makePromise(of: Void.self)
            let text = String(repeating: "y", count: count)
            rig.channel.writeAndFlush(ByteBuffer(string: text), promise: promise)
            rig.peer.feed(try rig.sent())
            #expect(rig.peer.read().text == text)
            try promise.futureResult.wait()
        }
    }

    @Test func aWriteBeforeTheHandshakeOrAfterTheEndFails() throws {
        let rig = try Rig()
        #expect(throws: ChannelError.outputClosed) {
            try rig.channel.writeAndFlush(ByteBuffer(string: "early")).wait()
        }
        try rig.connect()
        rig.channel.close(promise: nil)
        #expect(throws: (any Error).self) {
            try rig.channel.writeAndFlush(ByteBuffer(string: "late")).wait()
        }
    }

    @Test func closingSendsCloseNotify() throws {
        let rig = try Rig()
        try rig.connect()
        let promise = rig.channel.eventLoop.makePromise(of: Void.self)
        rig.channel.close(promise: promise)
        rig.peer.feed(try rig.sent())
        #expect(rig.peer.read().end == "close_notify")
        try promise.futureResult.wait()
        #expect(!rig.channel.isActive)
    }

    /// A drain must not wait for idle clients to close, nor a stalled client get more time.
    @Test(arguments: [true, false])
    func closingWaitsForNobody(isWritable: Bool) throws {
        let rig = try Rig()
        try rig.connect()
        rig.channel.isWritable = isWritable
        rig.channel.close(promise: nil)
        rig.channel.embeddedEventLoop.run()
        #expect(!rig.channel.isActive)
        rig.peer.feed(try rig.sent())
        #expect(rig.peer.read().end == (isWritable ? "close_notify" : nil))
    }

    @Test func aPeersCloseNotifyIsAnsweredAndClosesTheConnection() throws {
        let rig = try Rig()
        try rig.connect()
        rig.peer.write("bye")
        SSL_shutdown(rig.peer.ssl)
        try rig.receive(rig.peer.output())
        #expect(rig.recorder.text == "bye")
        rig.peer.feed(try rig.sent())
        #expect(rig.peer.read().end == "close_notify")
        #expect(!rig.channel.isActive)
        #expect(rig.recorder.errors.isEmpty)
        #expect(rig.recorder.inputEnds == 1)
    }

    @Test func theSocketsEndOfInputIsPassedOnOnceAndOurOwnEndAnswersIt() throws {
        let rig = try Rig()
        try rig.connect()
        rig.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        rig.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(rig.recorder.inputEnds == 1)
        rig.peer.feed(try rig.sent())
        #expect(rig.peer.read().end == "close_notify")
        #expect(!rig.channel.isActive)
    }

    @Test func aSilentPeerIsClosedAfterTheHandshakeTimeout() throws {
        let rig = try Rig()
        let timeout = TimeAmount.nanoseconds(Int64(Limits.handshakeTimeout.wholeNanoseconds))
        rig.channel.embeddedEventLoop.advanceTime(by: timeout - .milliseconds(1))
        #expect(rig.recorder.errors.isEmpty)
        rig.channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(rig.recorder.errors == ["\(TLSFailure.handshakeTimedOut)"])
        rig.channel.embeddedEventLoop.advanceTime(by: .seconds(2))
        #expect(!rig.channel.isActive)
    }

    @Test func theTimeoutEndsWithTheHandshake() throws {
        let rig = try Rig()
        try rig.connect()
        rig.channel.embeddedEventLoop.advanceTime(by: .seconds(60))
        #expect(rig.channel.isActive)
        #expect(rig.recorder.errors.isEmpty)
    }

    @Test func aFaultSendsItsAlertAndWaitsForThePeerNoLongerThanTheLinger() throws {
        let rig = try Rig()
        try rig.connect()
        try rig.receive([0x17, 3, 3, 0, 32] + Bytes(repeating: 7, count: 32))
        #expect(rig.recorder.errors == ["decryption failed or bad record mac"])
        rig.peer.feed(try rig.sent())
        #expect(rig.peer.read().end == "sslv3 alert bad record mac")
        // More garbage is read and thrown away: an unread byte would turn the close into a reset.
        try rig.receive(Bytes(repeating: 9, count: 10_000))
        #expect(rig.recorder.text.isEmpty)
        rig.channel.embeddedEventLoop.advanceTime(by: .seconds(2))
        #expect(!rig.channel.isActive)
        #expect(rig.recorder.errors.count == 1)
    }

    @Test func whatCameBeforeAFaultInOneReadIsDropped() throws {
        let scratch = TLSScratch()
        let rig = try Rig(scratch: scratch)
        try rig.connect()
        rig.peer.write("half a request")
        let bytes = rig.peer.output() + [0x17, 3, 3, 0, 32] + Bytes(repeating: 7, count: 32)
        try rig.receive(bytes)
        #expect(rig.recorder.text.isEmpty)
        // The next connection on this loop must not find anything left.
        let other = try Rig(scratch: scratch)
        try other.connect()
        #expect(other.recorder.handshakes == [.http2])
    }

    @Test func manyChannelsShareOneScratch() throws {
        let scratch = TLSScratch()
        let rigs = try (0..<3).map { _ in try Rig(scratch: scratch) }
        for rig in rigs { try rig.connect() }
        for (index, rig) in rigs.enumerated() {
            rig.peer.write("from \(index)")
            try rig.receive(rig.peer.output())
            rig.channel.writeAndFlush(ByteBuffer(string: "to \(index)"), promise: nil)
        }
        for (index, rig) in rigs.enumerated() {
            #expect(rig.recorder.text == "from \(index)")
            rig.peer.feed(try rig.sent())
            #expect(rig.peer.read().text == "to \(index)")
        }
    }
}
