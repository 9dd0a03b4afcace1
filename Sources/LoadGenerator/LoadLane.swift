/// A connection of a run: tells its answers apart by slot, and connects again when it is lost.
internal import Base
internal import HTTP
internal import NIOCore

final class LoadLane: ClientReceiver {
    private unowned let run: LoadRun
    private let number: Int
    private let tls: TLSContext?
    private var connection: ClientConnection?
    private var isClosed = false
    /// Slots that found the lane closed.
    var parked: [Int] = []

    /// After a lost connection; a server that refuses everybody must not make us spin.
    private static let reconnectDelay = TimeAmount.milliseconds(100)

    init(_ run: LoadRun, number: Int, tls: TLSContext?) {
        self.run = run
        self.number = number
        self.tls = tls
    }

    func connect() -> EventLoopFuture<Void> {
        ClientConnection.connect(
            to: run.plan.origin, options: run.plan.options, tls: tls, on: run.loop, receiver: self)
    }

    let wantsHeaders = false
    var isOpen: Bool { connection?.isOpen ?? false }

    func submit(_ request: borrowing ClientRequest, _ slot: Int) {
        connection?.submit(request, slot)
    }

    func flush() { connection?.flush() }

    func close() {
        isClosed = true
        connection?.close()
        connection = nil
    }

    /// Gives up what is older than the time-out of an answer.
    func expire(before now: Instant, _ timeout: Duration) {
        let age = timeout.wholeNanoseconds
        guard now.nanoseconds > age else { return }
        let limit = Instant(nanoseconds: now.nanoseconds - age)
        let error = ClientError.responseTimedOut(
            address: run.plan.origin.authority, after: timeout)
        for slot in run.stale(number, before: limit) { connection?.cancel(slot, error) }
    }

    private func reconnect() {
        guard !isClosed else { return }
        let lane = NIOLoopBound(self, eventLoop: run.loop)
        run.loop.scheduleTask(in: Self.reconnectDelay) {
            guard !lane.value.isClosed else { return }
            lane.value.connect().whenComplete { result in
                switch result {
                case .success: if !lane.value.isClosed { lane.value.run.laneReturned(lane.value) }
                case .failure: lane.value.reconnect()
                }
            }
        }
    }

    // MARK: From the connection

    func connected(_ connection: ClientConnection) {
        if isClosed { connection.close() } else { self.connection = connection }
    }

    func received(status: Int, _ exchange: Int) {
        run.received(status: status, slot(exchange))
    }

    func received(
        header name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, _ exchange: Int
    ) {}

    func received(body: UnsafeRawBufferPointer, _ exchange: Int) { run.received(bytes: body.count) }

    func completed(_ exchange: Int) { run.completed(slot(exchange), self) }

    func failed(_ exchange: Int, _ error: ClientError) { run.failed(slot(exchange), self, error) }

    func disconnected(_ connection: ClientConnection, _ error: ClientError?) {
        self.connection = nil
        reconnect()
    }

    private func slot(_ exchange: Int) -> Int { number * run.plan.streams + exchange }
}
