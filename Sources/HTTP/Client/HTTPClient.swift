/// The plain way to send a request: one `async` call for commands, tests and peers.
///
/// A client belongs to one origin and keeps its connections: one for HTTP/2, as many as there are
/// requests at once for HTTP/1.1, of which a few stay open for reuse. Everything it owns lives on
/// one event loop. A safe request (GET, HEAD, OPTIONS) that meets a reused connection which the
/// server has just closed is sent once more on a new one; others are not, since they may have been
/// carried out.
private import Base
internal import NIOCore
private import NIOPosix

package final class HTTPClient: Sendable {
    package let origin: Origin
    private let loop: any EventLoop
    private let pool: NIOLoopBoundBox<ClientPool>

    package init(_ origin: Origin, options: ClientOptions = ClientOptions()) {
        self.origin = origin
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        self.loop = loop
        pool = .makeBoxSendingValue(
            ClientPool(origin: origin, options: options, loop: loop), eventLoop: loop)
    }

    package func send(_ request: ClientRequest) async throws(ClientError) -> ClientResponse {
        let pool = pool
        do {
            return try await loop.flatSubmit { pool.value.send(request) }.get()
        } catch let error as ClientError {
            throw error
        } catch {
            throw .connectFailed(address: origin.authority, reason: String(describing: error))
        }
    }

    deinit {
        let pool = pool
        loop.execute { pool.value.close() }
    }

    /// Closes the kept connections. The client may be used again; it connects anew.
    package func close() async {
        let pool = pool
        let done: EventLoopFuture<Void> = loop.submit { pool.value.close() }
        do { try await done.get() } catch { invariant(false, "closing cannot fail") }
    }
}

/// The connections of one client, on its loop.
private final class ClientPool {
    let origin: Origin
    let options: ClientOptions
    let loop: any EventLoop
    /// HTTP/1.1 connections with no exchange.
    private var idle: [PooledConnection] = []
    /// The HTTP/2 connection that all requests share.
    private var multiplexed: PooledConnection?
    /// It is being opened; only where HTTP/2 is certain, so that everybody may wait for it.
    private var opening: EventLoopFuture<NIOLoopBound<PooledConnection>>?

    private var tls: TLSContext?

    /// Idle HTTP/1.1 connections kept for reuse.
    private static let idleConnections = 8

    init(origin: Origin, options: ClientOptions, loop: any EventLoop) {
        self.origin = origin
        self.options = options
        self.loop = loop
    }

    func send(_ request: ClientRequest) -> EventLoopFuture<ClientResponse> {
        if let multiplexed, multiplexed.isOpen {
            return send(request, on: multiplexed, isReused: true)
        }
        while let connection = idle.popLast() {
            if connection.isOpen { return send(request, on: connection, isReused: true) }
        }
        let pool = NIOLoopBound(self, eventLoop: loop)
        return (opening ?? open()).flatMap { connection in
            pool.value.send(request, on: connection.value, isReused: false)
        }
    }

    func close() {
        for connection in idle { connection.close() }
        idle = []
        multiplexed?.close()
        multiplexed = nil
    }

    private func open() -> EventLoopFuture<NIOLoopBound<PooledConnection>> {
        if origin.scheme == .https, tls == nil {
            do throws(TLSFileError) {
                tls = try options.makeTLSContext()
            } catch {
                return loop.makeFailedFuture(
                    ClientError.tlsFailed(address: origin.authority, reason: error.description))
            }
        }
        let made = PooledConnection.open(origin, options, tls, loop)
        if options.version == .http2 { opening = made }
        let pool = NIOLoopBound(self, eventLoop: loop)
        made.whenComplete { result in
            pool.value.opening = nil
            if case .success(let connection) = result, connection.value.isHTTP2 {
                pool.value.multiplexed = connection.value
            }
        }
        return made
    }

    private func send(
        _ request: ClientRequest, on connection: PooledConnection, isReused: Bool
    ) -> EventLoopFuture<ClientResponse> {
        let pool = NIOLoopBound(self, eventLoop: loop)
        let bound = NIOLoopBound(connection, eventLoop: loop)
        return connection.send(request).always { _ in
            pool.value.finished(with: bound.value)
        }.flatMapError { error in
            let mayRepeat =
                switch error as? ClientError {
                case .closed: isReused && request.isSafe
                case .notProcessed: isReused
                default: false
                }
            guard mayRepeat else { return pool.value.loop.makeFailedFuture(error) }
            return pool.value.send(request)
        }
    }

    private func finished(with connection: PooledConnection) {
        guard connection.isIdle, connection !== multiplexed else { return }
        if !connection.isHTTP2, connection.isOpen, idle.count < Self.idleConnections {
            idle.append(connection)
        } else {
            connection.close()
        }
    }
}

/// One connection and the answers being collected on it.
private final class PooledConnection: ClientReceiver {
    private struct Exchange {
        var promise: EventLoopPromise<ClientResponse>
        var response = ClientResponse(status: 0)
        var timer: Scheduled<Void>
    }

    private var exchanges: [Int: Exchange] = [:]
    private var nextExchange = 0
    private var connection: ClientConnection?
    private let options: ClientOptions
    private let origin: Origin
    private let loop: any EventLoop

    private init(_ origin: Origin, _ options: ClientOptions, _ loop: any EventLoop) {
        self.origin = origin
        self.options = options
        self.loop = loop
    }

    static func open(
        _ origin: Origin, _ options: ClientOptions, _ tls: TLSContext?, _ loop: any EventLoop
    ) -> EventLoopFuture<NIOLoopBound<PooledConnection>> {
        let pooled = PooledConnection(origin, options, loop)
        let bound = NIOLoopBound(pooled, eventLoop: loop)
        return ClientConnection.connect(
            to: origin, options: options, tls: tls, on: loop, receiver: pooled
        ).map { bound }
    }

    let wantsHeaders = true
    var isOpen: Bool { connection?.isOpen ?? false }
    var isIdle: Bool { exchanges.isEmpty }
    var isHTTP2: Bool { connection?.isHTTP2 ?? false }

    func close() { connection?.close() }

    func send(_ request: ClientRequest) -> EventLoopFuture<ClientResponse> {
        let number = nextExchange
        nextExchange += 1
        let promise = loop.makePromise(of: ClientResponse.self)
        let timeout = request.timeout ?? options.responseTimeout
        let bound = NIOLoopBound(self, eventLoop: loop)
        let timer = loop.scheduleTask(in: TimeAmount(timeout)) {
            bound.value.expire(number, timeout)
        }
        exchanges[number] = Exchange(promise: promise, timer: timer)
        guard let connection else {
            failed(number, .notProcessed(address: origin.authority))
            return promise.futureResult
        }
        connection.submit(request, number)
        connection.flush()
        return promise.futureResult
    }

    private func expire(_ number: Int, _ timeout: Duration) {
        let error = ClientError.responseTimedOut(address: origin.authority, after: timeout)
        if exchanges[number] != nil { connection?.cancel(number, error) }
    }

    func connected(_ connection: ClientConnection) {
        self.connection = connection
    }

    func received(status: Int, _ exchange: Int) {
        exchanges[exchange]?.response.status = status
    }

    func received(
        header name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, _ exchange: Int
    ) {
        exchanges[exchange]?.response.headers.append(
            ClientHeader(
                String(decoding: name, as: UTF8.self).lowercased(),
                String(decoding: value, as: UTF8.self)))
    }

    func received(body: UnsafeRawBufferPointer, _ exchange: Int) {
        exchanges[exchange]?.response.body.append(contentsOf: body)
        let count = exchanges[exchange]?.response.body.count ?? 0
        if count > options.responseBytesMax {
            connection?.cancel(exchange, .responseTooLarge(limit: options.responseBytesMax))
        }
    }

    func completed(_ exchange: Int) {
        guard let ended = end(exchange) else { return }
        ended.promise.succeed(ended.response)
    }

    func failed(_ exchange: Int, _ error: ClientError) {
        end(exchange)?.promise.fail(error)
    }

    private func end(_ exchange: Int) -> Exchange? {
        let ended = exchanges.removeValue(forKey: exchange)
        ended?.timer.cancel()
        return ended
    }

    func disconnected(_ connection: ClientConnection, _ error: ClientError?) {
        self.connection = nil
    }
}
