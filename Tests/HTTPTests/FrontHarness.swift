// A front without sockets or real time: NIO's embedded channels and loop, and a core that echoes.
import API
import Base
import HTTP
import Logging
import NIOCore
import NIOEmbedded

/// Answers `METHOD target` and the body; `/hold` waits until the test answers, `/big` is 4 MiB.
final class EchoCore: Serving {
    let front: Front
    var requests: [Request] = []
    var held: [ExchangeID] = []
    var cancelled: [ExchangeID] = []
    let big = Bytes(repeating: 0x42, count: 4 << 20)

    init(_ front: Front) { self.front = front }

    func serve(_ request: Request, _ exchange: ExchangeID) {
        requests.append(request)
        if request.target == Bytes("/hold".utf8) {
            held.append(exchange)
        } else if request.target == Bytes("/big".utf8) {
            front.respond(exchange, Response(status: 200, contentType: .bytes, body: big))
        } else if request.target == Bytes("/nothing".utf8) {
            front.respond(exchange, Response(status: 204, contentType: nil))
        } else if request.target == Bytes("/last".utf8) {
            front.respond(
                exchange,
                Response(status: 200, contentType: .text, body: [0x2E], closesConnection: true))
        } else {
            front.respond(exchange, Self.echo(request))
        }
    }

    static func echo(_ request: Request) -> Response {
        let line = Bytes("\(request.method.name) ".utf8) + request.target
        return Response(status: 200, contentType: .text, body: line + (request.body ?? []))
    }

    func cancel(_ exchange: ExchangeID) { cancelled.append(exchange) }

    var opened: [ExchangeID] = []
    var certificates: [TLSPeerCertificate] = []
    /// What came on streams of other stores.
    var streamed: [ExchangeID: Bytes] = [:]

    func open(_ exchange: ExchangeID, from source: StreamSource) {
        opened.append(exchange)
        certificates.append(source.certificate)
    }

    func receive(_ bytes: Bytes, _ exchange: ExchangeID) {
        streamed[exchange, default: []] += bytes
    }

    /// Answers what is held, in the order of `positions`, and sends it.
    func release(_ positions: [Int]) {
        for position in positions {
            let stream = Bytes("held \(position)".utf8)
            front.respond(
                held[position], Response(status: 200, contentType: .text, body: stream))
        }
        front.flush()
    }
}

extension RequestNames {
    static func seeded(_ seed: UInt64) -> RequestNames {
        var generator = SeededGenerator(seed: seed)
        return RequestNames(generator: &generator)
    }
}

final class FrontHarness {
    let loop = EmbeddedEventLoop()
    let front: Front
    let core: EchoCore

    init(
        _ settings: FrontSettings = FrontSettings(connections: 10),
        logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    ) {
        front = Front(loop: loop, settings: settings, names: .seeded(1), logger: logger)
        core = EchoCore(front)
        front.serving = core
    }

    func connect(from address: String = "127.0.0.1") throws -> EmbeddedClient {
        let channel = EmbeddedChannel(loop: loop)
        guard front.accept(channel) else { throw Refused() }
        try channel.connect(to: SocketAddress(ipAddress: address, port: 1)).wait()
        return EmbeddedClient(channel: channel)
    }

    struct Refused: Error {}

    func pass(seconds: Int64) { loop.advanceTime(by: .seconds(seconds)) }
}

final class EmbeddedClient {
    let channel: EmbeddedChannel
    private(set) var received: Bytes = []

    init(channel: EmbeddedChannel) { self.channel = channel }

    func send(_ bytes: Bytes) throws {
        guard channel.isActive else { return }
        _ = try channel.writeInbound(ByteBuffer(bytes: bytes))
        channel.embeddedEventLoop.run()
        try collect()
    }

    func send(_ text: String) throws { try send(Bytes(text.utf8)) }

    /// The bytes that arrived since the last time.
    func collect() throws {
        channel.embeddedEventLoop.run()
        while let buffer = try channel.readOutbound(as: ByteBuffer.self) {
            received.append(contentsOf: buffer.readableBytesView)
        }
    }

    func takeText() throws -> String {
        try collect()
        defer { received = [] }
        return String(decoding: received, as: UTF8.self)
    }

    func takeBytes() throws -> Bytes {
        try collect()
        defer { received = [] }
        return received
    }

    var isClosed: Bool { !channel.isActive }

    /// The client's FIN, for a socket that may be half closed.
    func endInput() {
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        channel.embeddedEventLoop.run()
    }

    func vanish() throws {
        channel.close(promise: nil)
        channel.embeddedEventLoop.run()
    }

    func setWritable(_ isWritable: Bool) {
        channel.isWritable = isWritable
        channel.pipeline.fireChannelWritabilityChanged()
        channel.embeddedEventLoop.run()
    }
}

extension String {
    /// The status codes of the HTTP/1.1 answers in this text, in order.
    var statuses: [Int] {
        components(separatedByText: "HTTP/1.1 ").dropFirst().compactMap { Int($0.prefix(3)) }
    }

    /// The `date` fields are the real time's.
    var withoutDates: String {
        let parts = components(separatedByText: "date: ")
        return parts[0] + parts.dropFirst().map { String($0.dropFirst(29)) }.joined()
    }

    func components(separatedByText separator: String) -> [String] {
        var parts: [String] = []
        var rest = self[...]
        while let range = rest.firstRange(of: separator) {
            parts.append(String(rest[..<range.lowerBound]))
            rest = rest[range.upperBound...]
        }
        return parts + [String(rest)]
    }
}
