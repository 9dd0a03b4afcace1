/// The connection to one other store: what its `PeerLink` decides, done with sockets.
///
/// Each attempt has a receiver of its own, so that the last words of a connection that was given up
/// are not taken for those of the one after it.
internal import API
internal import Base
internal import HTTP
internal import Logging
internal import NIOCore
internal import Peers
internal import Regions

final class PeerClient {
    let store: StoreID
    private(set) var address: String
    private unowned let hub: PeerHub
    private var link: PeerLink
    private var attempt: PeerAttempt?
    private var timer: (at: Instant, task: Scheduled<Void>)?
    /// Said last of what keeps it from being reached; each reason is logged once in a row.
    private var complaint: String?

    init(_ store: StoreID, at address: String, hub: PeerHub, link: PeerLink) {
        self.store = store
        self.address = address
        self.hub = hub
        self.link = link
    }

    var isOpen: Bool { link.isOpen }

    func want() { step(.wanted) }

    /// For the next attempt.
    func move(to address: String) { self.address = address }

    func unsent(_ lane: PeerLane) -> Int { attempt?.unsent(lane) ?? 0 }

    func send(_ record: Bytes, _ lane: PeerLane) { attempt?.send(record, lane) }

    func flush() { attempt?.connection?.flush() }

    func stop() {
        timer?.task.cancel()
        let last = attempt
        attempt = nil
        last?.connection?.close()
    }

    // MARK: What the link decides

    private func step(_ event: PeerLink.Event) {
        var effects: [PeerLink.Effect] = []
        link.step(event, at: Clocks.monotonic(), into: &effects)
        for effect in effects { execute(effect) }
        schedule()
    }

    private func execute(_ effect: PeerLink.Effect) {
        switch effect {
        case .connect: connect()
        case .greet: attempt?.greet(hub, store)
        case .opened:
            complaint = nil
            hub.counters.connectionsOpened += 1
            hub.logger.notice(
                "connected to another store", metadata: metadata("peer_connected"))
        case .broke:
            hub.logger.warning(
                "the connection to another store broke", metadata: metadata("peer_lost"))
            hub.broke(store)
        case .close:
            let last = attempt
            attempt = nil
            last?.connection?.close()
        case .ping:
            attempt?.connection?.ping()
            attempt?.sendClock()
            flush()
        }
    }

    private func metadata(_ event: String) -> Logger.Metadata {
        ["event": "\(event)", "store": "\(store)", "address": "\(address)"]
    }

    private func connect() {
        let attempt = PeerAttempt(self)
        self.attempt = attempt
        let origin: Origin
        do throws(ClientError) {
            origin = try Origin.parse(address).origin
        } catch {
            return ended(attempt, "\(error)")
        }
        guard origin.scheme == .http else {
            return ended(attempt, "it has TLS, and stores talk in clear only")
        }
        var options = ClientOptions(version: .http2)
        options.connectTimeout = Limits.peerConnectTimeout
        let bound = NIOLoopBound((self, attempt), eventLoop: hub.loop)
        ClientConnection.connect(
            to: origin, options: options, tls: nil, on: hub.loop, receiver: attempt
        ).whenFailure { error in
            let (client, attempt) = bound.value
            client.ended(attempt, "\(error)")
        }
    }

    /// NIO takes a task that is due at once before it looks at sockets.
    private static let restMin: TimeAmount = .milliseconds(1)

    private func schedule() {
        guard let next = link.nextDeadline else { return }
        if let timer, timer.at <= next { return }
        timer?.task.cancel()
        let rest = next.since(Clocks.monotonic()).wholeNanoseconds
        let delay = max(.nanoseconds(Int64(clamping: rest)), Self.restMin)
        let bound = NIOLoopBound(self, eventLoop: hub.loop)
        let task = hub.loop.scheduleTask(in: delay) {
            bound.value.timer = nil
            bound.value.step(.deadlineReached)
        }
        timer = (next, task)
    }

    // MARK: What an attempt says

    func connected(_ attempt: PeerAttempt) {
        guard attempt === self.attempt else { return }
        step(.connected)
    }

    func heard(_ attempt: PeerAttempt) {
        guard attempt === self.attempt else { return }
        step(.heard)
    }

    func welcomed(_ attempt: PeerAttempt, _ lane: PeerLane) {
        guard attempt === self.attempt else { return }
        step(.welcomed(lane))
    }

    func received(_ attempt: PeerAttempt, _ record: Bytes) {
        guard attempt === self.attempt else { return }
        do throws(DecodeError) {
            try hub.received(record, from: store)
        } catch {
            complain("what it sent cannot be read: \(error)")
            attempt.connection?.close()
        }
    }

    func refused(_ attempt: PeerAttempt, _ status: Int, _ body: Bytes) {
        guard attempt === self.attempt else { return }
        hub.counters.refusedByOthers += 1
        complain(PeerAttempt.sentence(status, body))
        step(.refused)
    }

    func ended(_ attempt: PeerAttempt, _ reason: String) {
        guard attempt === self.attempt else { return }
        self.attempt = nil
        if !link.isOpen {
            hub.counters.connectionsFailed += 1
            complain(reason)
        }
        step(.lost)
    }

    private func complain(_ reason: String) {
        guard complaint != reason else { return }
        complaint = reason
        var metadata = metadata("peer_unreachable")
        metadata["reason"] = "\(reason)"
        hub.logger.warning("another store cannot be talked to", metadata: metadata)
    }
}

/// One connection and the answers to its two streams.
final class PeerAttempt: ClientReceiver {
    private weak var client: PeerClient?
    private(set) var connection: ClientConnection?
    private var statuses = [0, 0]
    private var readers = [
        RecordReader(limit: Limits.peerGreetingBytes),
        RecordReader(limit: Limits.peerGreetingBytes),
    ]
    private var isWelcome = [false, false]
    /// Of a refusal.
    private var body: Bytes = []

    init(_ client: PeerClient) { self.client = client }

    let wantsHeaders = false

    func greet(_ hub: PeerHub, _ store: StoreID) {
        let request = ClientRequest("POST", PeerStream.path)
        for lane in PeerLane.allCases {
            guard let hello = hub.hello(to: store, lane) else { return }
            connection?.open(request, Int(lane.rawValue))
            connection?.send(.record(hello.encoded), Int(lane.rawValue))
        }
        connection?.flush()
    }

    func unsent(_ lane: PeerLane) -> Int { connection?.unsent(Int(lane.rawValue)) ?? 0 }

    func send(_ record: Bytes, _ lane: PeerLane) { connection?.send(record, Int(lane.rawValue)) }

    func sendClock() {
        let now = Clocks.monotonic()
        var record = Bytes()
        record.appendRecord { PeerEnvelope(core: 0, body: .clock(now)).encode(into: &$0, at: now) }
        send(record, .urgent)
    }

    // MARK: ClientReceiver

    func connected(_ connection: ClientConnection) {
        self.connection = connection
        client?.connected(self)
    }

    func received(status: Int, _ exchange: Int) { statuses[exchange] = status }

    func received(
        header name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, _ exchange: Int
    ) {}

    func received(body bytes: UnsafeRawBufferPointer, _ exchange: Int) {
        guard statuses[exchange] == 200 else {
            if body.count < Limits.peerGreetingBytes { body.append(contentsOf: bytes) }
            return
        }
        client?.heard(self)
        readers[exchange].append(Bytes(bytes))
        do throws(DecodeError) {
            while let record = try readers[exchange].next() {
                if isWelcome[exchange] {
                    client?.received(self, record)
                } else {
                    _ = try PeerWelcome(decoding: record)
                    isWelcome[exchange] = true
                    readers[exchange].limit = Limits.peerRecordBytes
                    if let lane = PeerLane(rawValue: UInt64(exchange)) {
                        client?.welcomed(self, lane)
                    }
                }
            }
        } catch {
            client?.ended(self, "what it sent cannot be read: \(error)")
            connection?.close()
        }
    }

    func completed(_ exchange: Int) {
        if statuses[exchange] == 200 {
            client?.ended(self, "it ended the stream")
            connection?.close()
        } else {
            client?.refused(self, statuses[exchange], body)
        }
    }

    func failed(_ exchange: Int, _ error: ClientError) {
        client?.ended(self, "\(error)")
        connection?.close()
    }

    func ponged() { client?.heard(self) }

    func disconnected(_ connection: ClientConnection, _ error: ClientError?) {
        client?.ended(self, error.map { "\($0)" } ?? "it closed the connection")
        self.connection = nil
    }

    /// What a problem says, or what there is instead of one.
    static func sentence(_ status: Int, _ body: Bytes) -> String {
        var detail: String?
        do throws(Problem) {
            try JSONValue.read(body) { root throws(Problem) in
                try root.forEachMember { name, value throws(Problem) in
                    guard name.elementsEqual("detail".utf8), let text = value.text else { return }
                    detail = String(decoding: text, as: UTF8.self)
                }
            }
        } catch {
            return "it answered \(status), and not as a store of Martlet does"
        }
        return detail ?? "it answered \(status)"
    }
}
