/// One attempt at a connection to another store: its streams, and the answers that come by them.
///
/// Two streams stand as long as the connection; a snapshot has one of its own, and whatever happens
/// to that concerns nobody else.
internal import API
internal import Base
internal import HTTP
internal import Peers
internal import Regions

final class PeerAttempt: ClientReceiver {
    private struct Answer {
        var status = 0
        var reader = RecordReader(limit: Limits.peerGreetingBytes)
        var isWelcome = false
        /// Of a refusal.
        var body: Bytes = []
    }

    private weak var client: PeerClient?
    private(set) var connection: ClientConnection?
    /// By lane. The number of a stream is that of its lane, and for a snapshot one that no other
    /// stream had.
    private var answers = [Answer(), Answer(), Answer()]
    private var snapshotStream = Int(PeerLane.snapshot.rawValue)

    init(_ client: PeerClient) { self.client = client }

    let wantsHeaders = false

    func greet(_ hub: PeerHub, _ store: StoreID) {
        for lane in PeerLane.standing { open(lane, Int(lane.rawValue), hub, store) }
        connection?.flush()
    }

    private func open(_ lane: PeerLane, _ stream: Int, _ hub: PeerHub, _ store: StoreID) {
        guard let hello = hub.hello(to: store, lane) else { return }
        connection?.open(ClientRequest("POST", PeerStream.path), stream)
        connection?.send(.record(hello.encoded), stream)
    }

    func openSnapshot(_ hub: PeerHub, _ store: StoreID) {
        closeSnapshot()
        answers[Int(PeerLane.snapshot.rawValue)] = Answer()
        open(.snapshot, snapshotStream, hub, store)
        connection?.flush()
    }

    func sendChunk(_ record: Bytes) {
        connection?.send(record, snapshotStream)
        connection?.flush()
    }

    /// What comes by that stream from now on is of no interest.
    func closeSnapshot() {
        let last = snapshotStream
        snapshotStream += 1
        connection?.cancel(last, .streamReset(code: 0))
    }

    private func lane(_ stream: Int) -> Int? {
        if stream < PeerLane.standing.count { return stream }
        return stream == snapshotStream ? Int(PeerLane.snapshot.rawValue) : nil
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

    func received(status: Int, _ exchange: Int) {
        if let lane = lane(exchange) { answers[lane].status = status }
    }

    func received(
        header name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, _ exchange: Int
    ) {}

    func received(body bytes: UnsafeRawBufferPointer, _ exchange: Int) {
        guard let lane = lane(exchange) else { return }
        guard answers[lane].status == 200 else {
            if answers[lane].body.count < Limits.peerGreetingBytes {
                answers[lane].body.append(contentsOf: bytes)
            }
            return
        }
        client?.heard(self)
        answers[lane].reader.append(Bytes(bytes))
        do throws(DecodeError) {
            while lane == self.lane(exchange), let record = try answers[lane].reader.next() {
                try take(record, lane)
            }
        } catch {
            client?.ended(self, "what it sent cannot be read: \(error)")
            connection?.close()
        }
    }

    private func take(_ record: Bytes, _ lane: Int) throws(DecodeError) {
        let isSnapshot = lane == Int(PeerLane.snapshot.rawValue)
        guard answers[lane].isWelcome else {
            _ = try PeerWelcome(decoding: record)
            answers[lane].isWelcome = true
            answers[lane].reader.limit = Limits.peerRecordBytes
            if isSnapshot {
                client?.snapshot(self, .welcomed)
            } else if let lane = PeerLane(rawValue: UInt64(lane)) {
                client?.welcomed(self, lane)
            }
            return
        }
        if isSnapshot {
            client?.snapshot(self, .answered(try SnapshotAnswer(decoding: record)))
        } else {
            client?.received(self, record)
        }
    }

    func completed(_ exchange: Int) {
        guard let lane = lane(exchange) else { return }
        if lane == Int(PeerLane.snapshot.rawValue) {
            client?.snapshot(self, .lost)
        } else if answers[lane].status == 200 {
            client?.ended(self, "it ended the stream")
            connection?.close()
        } else {
            client?.refused(self, answers[lane].status, answers[lane].body)
        }
    }

    func failed(_ exchange: Int, _ error: ClientError) {
        guard let lane = lane(exchange) else { return }
        guard lane != Int(PeerLane.snapshot.rawValue) else {
            client?.snapshot(self, .lost)
            return
        }
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
        problem(body).detail ?? "it answered \(status), and not as a store of Martlet does"
    }

    static func problem(_ body: Bytes) -> (code: String?, detail: String?) {
        var (code, detail) = (nil as String?, nil as String?)
        do throws(Problem) {
            try JSONValue.read(body) { root throws(Problem) in
                try root.forEachMember { name, value throws(Problem) in
                    guard let text = value.text else { return }
                    let string = String(decoding: text, as: UTF8.self)
                    if name.elementsEqual("code".utf8) { code = string }
                    if name.elementsEqual("detail".utf8) { detail = string }
                }
            }
        } catch {
            // Not Martlet's.
            return (nil, nil)
        }
        return (code, detail)
    }
}
