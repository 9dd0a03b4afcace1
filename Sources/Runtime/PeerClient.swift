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

    /// That store has called this one.
    func called() { step(.called) }

    /// For the next attempt.
    func move(to address: String) { self.address = address }

    func unsent(_ lane: PeerLane) -> Int { attempt?.unsent(lane) ?? 0 }

    func send(_ record: Bytes, _ lane: PeerLane) { attempt?.send(record, lane) }

    func flush() { attempt?.connection?.flush() }

    /// A stream of its own beside the two; an earlier one is given up.
    func openSnapshot() -> Bool {
        guard let attempt, link.isOpen else { return false }
        attempt.openSnapshot(hub, store)
        return true
    }

    func sendChunk(_ record: Bytes) { attempt?.sendChunk(record) }

    func closeSnapshot() { attempt?.closeSnapshot() }

    func snapshot(_ attempt: PeerAttempt, _ event: SnapshotSending.Event) {
        guard attempt === self.attempt else { return }
        hub.snapshot(to: store, event)
    }

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
            hub.snapshot(to: store, .lost)
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
        var origin: Origin
        do throws(ClientError) {
            origin = try Origin.parse(address).origin
        } catch {
            return ended(attempt, "\(error)")
        }
        guard hub.settings.trust != .nobody else {
            return ended(attempt, "this store has TLS and no --peer-ca; start it with one")
        }
        let tls = hub.settings.makeContext()
        // What it said of itself may be from before all of them were given certificates.
        origin.scheme = tls == nil ? .http : .https
        var options = ClientOptions(version: .http2)
        options.connectTimeout = Limits.peerConnectTimeout
        let bound = NIOLoopBound((self, attempt), eventLoop: hub.loop)
        ClientConnection.connect(
            to: origin, options: options, tls: tls, on: hub.loop, receiver: attempt
        ).whenFailure { error in
            let (client, attempt) = bound.value
            client.failed(attempt, error)
        }
    }

    private func failed(_ attempt: PeerAttempt, _ error: any Error) {
        guard attempt === self.attempt, let error = error as? ClientError else {
            return ended(attempt, "\(error)")
        }
        if case .certificateRejected = error {
            hub.counters.refused[PeerFault.unauthenticated("").label, default: 0] += 1
        }
        ended(attempt, error.sentenceAboutStore)
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
            guard let farewell = try hub.received(record, from: store) else { return }
            refused(attempt, because: farewell)
        } catch {
            complain("what it sent cannot be read: \(error)")
            attempt.connection?.close()
        }
    }

    func refused(_ attempt: PeerAttempt, _ status: Int, _ body: Bytes) {
        guard attempt === self.attempt else { return }
        let problem = PeerAttempt.problem(body)
        if problem.code == ProblemCode.storeRemoved.rawValue, let detail = problem.detail {
            hub.isRemoved(detail)
        }
        refused(attempt, because: PeerAttempt.sentence(status, body))
    }

    private func refused(_ attempt: PeerAttempt, because sentence: String) {
        hub.counters.refusedByOthers += 1
        complain(sentence)
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

extension ClientError {
    /// What is so, and what to do, where both sides are stores.
    var sentenceAboutStore: String {
        switch self {
        case .peerSpeaksTLS:
            "it talks over TLS and this store in clear; start this one with --tls-cert, --tls-key "
                + "and --peer-ca"
        case .peerSpeaksCleartext:
            "it talks in clear and this store over TLS; start it with --tls-cert, --tls-key and "
                + "--peer-ca"
        case .certificateRejected(_, let reason):
            "its certificate is not accepted (\(reason)); give it one for that address, signed by "
                + "an authority of --peer-ca here"
        default: description
        }
    }
}
