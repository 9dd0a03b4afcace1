/// Streams that other stores have opened here: judged by their first record, then read one envelope
/// after the other; answers go back by the stream that the request's connection has for them.
///
/// A stream's window opens again when the core that the envelopes were for has taken them, so that
/// what waits within the node is bounded by the windows.
internal import API
internal import Base
internal import HTTP
internal import Logging
internal import NIOCore
internal import Node
internal import Peers
internal import Raft
internal import Regions

struct InboundStream {
    var place: StreamPlace
    var connection: UInt32
    /// Where it comes from, for the log.
    var address: String
    var reader = RecordReader(limit: Limits.peerGreetingBytes)
    /// nil until its hello was welcome.
    var hello: PeerHello?
    var clock = ClockRate()
    /// Of a snapshot: it is with the thread that writes it.
    var hasChunkUnderWay = false
    var timer: Scheduled<Void>?
}

extension PeerHub {
    // MARK: From the fronts, on any loop

    func opened(core: Int, _ exchange: ExchangeID, from source: StreamSource) {
        let place = StreamPlace(core: core, exchange: exchange)
        onLoop { $0.begin(place, from: source) }
    }

    func received(_ bytes: Bytes, core: Int, _ exchange: ExchangeID) {
        let place = StreamPlace(core: core, exchange: exchange)
        onLoop { $0.read(bytes, from: place) }
    }

    func closed(core: Int, _ exchange: ExchangeID) {
        let place = StreamPlace(core: core, exchange: exchange)
        onLoop { $0.end(place) }
    }

    // MARK: A stream's life

    private func begin(_ place: StreamPlace, from source: StreamSource) {
        lastStream += 1
        let name = PeerTable.StreamID(lastStream)
        if connectionNumbers[place.connection] == nil {
            lastConnection &+= 1
            connectionNumbers[place.connection] = lastConnection
        }
        streamNames[place] = name
        var stream = InboundStream(
            place: place, connection: connectionNumbers[place.connection] ?? lastConnection,
            address: source.address)
        let hub = NIOLoopBound(self, eventLoop: loop)
        stream.timer = loop.scheduleTask(in: TimeAmount(Limits.peerGreetingTimeout)) {
            guard let stream = hub.value.inbound[name], stream.hello == nil else { return }
            hub.value.refuse(name, .silent)
        }
        inbound[name] = stream
        if let fault = settings.trust.fault(of: .init(source.certificate)) { refuse(name, fault) }
    }

    private func end(_ place: StreamPlace) {
        guard let name = streamNames.removeValue(forKey: place) else { return }
        inbound.removeValue(forKey: name)?.timer?.cancel()
        if !streamNames.keys.contains(where: { $0.connection == place.connection }) {
            connectionNumbers[place.connection] = nil
        }
        guard let store = table.close(name) else { return }
        logger.info(
            "a stream of another store has ended",
            metadata: ["event": "peer_stream_ended", "store": "\(store)"])
        switchboard.post(0, [Delivery(to: .shard, .peerLost(store))])
    }

    // MARK: What arrives

    private func read(_ bytes: Bytes, from place: StreamPlace) {
        counters.bytesReceived += UInt64(bytes.count)
        guard let name = streamNames[place], var stream = inbound.removeValue(forKey: name) else {
            return consume(bytes.count, of: place)
        }
        stream.reader.append(bytes)
        var deliveries: [Delivery] = []
        let fault = read(&stream, name, into: &deliveries)
        inbound[name] = stream
        if let fault { refuse(name, fault) }
        if !deliveries.isEmpty { switchboard.post(0, deliveries) }
        consume(bytes.count, of: place)
    }

    private func read(
        _ stream: inout InboundStream, _ name: PeerTable.StreamID,
        into deliveries: inout [Delivery]
    ) -> PeerFault? {
        let now = Clocks.monotonic()
        do throws(DecodeError) {
            while let record = try stream.reader.next() {
                let fault: PeerFault?
                if stream.hello?.lane == .snapshot {
                    fault = take(chunk: record, &stream, name)
                } else if let hello = stream.hello {
                    let envelope = try PeerEnvelope(decoding: record, at: now)
                    fault = take(envelope, from: hello.store, &stream, at: now, into: &deliveries)
                } else {
                    fault = judge(try PeerHello(decoding: record), &stream, name)
                }
                if let fault { return fault }
            }
            return nil
        } catch {
            return .malformed("\(error)")
        }
    }

    private func take(
        _ envelope: PeerEnvelope, from store: StoreID, _ stream: inout InboundStream,
        at now: Instant, into deliveries: inout [Delivery]
    ) -> PeerFault? {
        let shard = UnitAddress(core: 0, unit: .shard)
        var gateway = UnitAddress(core: envelope.core, unit: .gateway, store: store)
        gateway.connection = stream.connection
        let delivery: Envelope
        switch envelope.body {
        case .raft(let message):
            guard message.message.from.store == store else {
                return .malformed("a message of store \(message.message.from.store)")
            }
            // What is not here yet it would have to wait for; its leader sends it again.
            if case .snapshot(let identity, _) = message.message.body,
                !isForReplica(message) || !settings.depot.offer(identity)
            {
                return nil
            }
            let from = UnitAddress(core: 0, unit: .shard, store: store)
            delivery = Envelope(from: from, to: shard, body: .raft(message))
        case .request(let request):
            delivery = Envelope(from: gateway, to: shard, body: .request(request))
        case .expire(let number):
            delivery = Envelope(from: gateway, to: shard, body: .expire(number))
        case .clock(let theirs): return stream.clock.observe(theirs, at: now)
        case .reply, .farewell: return .malformed("an answer where requests come")
        }
        deliveries.append(Delivery(to: .shard, .received(delivery)))
        return nil
    }

    /// The replica passes over whatever else there is, and would never say what is to become of it.
    private func isForReplica(_ message: PeerMessage) -> Bool {
        message.group == Store.group
            && message.message.to == ReplicaID(on: settings.identity.store)
    }

    /// Lets more come once the shard has taken what came.
    private func consume(_ count: Int, of place: StreamPlace) {
        let cores = switchboard.all
        guard place.core < cores.count else { return }
        let core = cores[place.core]
        loop.execute {
            core.loop.execute { core.front.consume(place.exchange, count) }
        }
    }

    // MARK: Greetings

    private func judge(
        _ hello: PeerHello, _ stream: inout InboundStream, _ name: PeerTable.StreamID
    ) -> PeerFault? {
        let isRemoved = hasRemoved(hello.store)
        if isRemoved { forget(hello.store) }
        let now = Clocks.monotonic()
        switch table.open(
            name, on: stream.connection, hello, isRemoved: isRemoved, at: now
        ) {
        case .refused(let fault): return fault
        case .welcome(let ending):
            for old in ending { cut(old, "A newer stream of this store took its place.") }
            stream.timer?.cancel()
            stream.timer = nil
            stream.hello = hello
            stream.reader.limit = Limits.peerRecordBytes
            addresses.learn(hello.store, hello.address)
            let welcome = PeerWelcome(
                incarnation: settings.identity.incarnation, wall: Clocks.wall())
            answer(.record(welcome.encoded), by: stream.place)
            if hello.lane == .urgent {
                logger.info(
                    "another store has connected",
                    metadata: [
                        "event": "peer_stream_opened", "store": "\(hello.store)",
                        "address": "\(hello.address)",
                    ])
                call(hello.store)
            }
            return nil
        }
    }

    /// By what this store has of the cluster's data: it may not have heard of that yet. Who is no
    /// member itself, as a joiner before its first entry, knows nothing of others.
    private func hasRemoved(_ store: StoreID) -> Bool {
        guard let status = switchboard.all.first?.groupStatus,
            status.membership.everyone.contains(status.replica),
            !status.membership.everyone.contains(where: { $0.store == store })
        else { return false }
        return addresses.hasRemoved(store)
    }

    /// Answers with the reason, which the other side logs too.
    private func refuse(_ name: PeerTable.StreamID, _ fault: PeerFault) {
        let stream = inbound[name]
        note(refusal: fault, of: stream?.hello?.store, at: stream?.address)
        guard let stream else { return }
        if let hello = stream.hello {
            table.holdBack(hello.store, for: fault, at: Clocks.monotonic())
            say(farewell: fault.sentence, stream, hello.lane)
        } else {
            let problem = fault.problem
            with(stream.place) { core in core.front.refuse(stream.place.exchange, problem) }
        }
        end(stream.place)
    }

    /// The last record of an answer that has begun: a problem cannot be said there any more.
    private func say(farewell sentence: String, _ stream: InboundStream, _ lane: PeerLane) {
        guard PeerLane.standing.contains(lane) else {
            return with(stream.place) { $0.front.finish(stream.place.exchange) }
        }
        var record = Bytes()
        let now = Clocks.monotonic()
        record.appendRecord {
            PeerEnvelope(core: 0, body: .farewell(sentence)).encode(into: &$0, at: now)
        }
        counters.bytesSent += UInt64(record.count)
        let bytes = record
        with(stream.place) { core in
            core.front.answer(stream.place.exchange, bytes)
            core.front.finish(stream.place.exchange)
        }
    }

    /// For whoever looks after this side.
    func note(refusal fault: PeerFault, of store: StoreID? = nil, at address: String? = nil) {
        counters.refused[fault.label, default: 0] += 1
        var metadata: Logger.Metadata = [
            "event": "peer_refused", "reason": "\(fault.label)",
            "store": "\(store.map { "\($0)" } ?? "unknown")",
        ]
        if let address { metadata["from"] = "\(address)" }
        logger.warning("\(fault.sentence)", metadata: metadata)
    }

    func cut(_ name: PeerTable.StreamID, _ reason: String) {
        guard let place = inbound[name]?.place else { return }
        let problem = Problem(.storeConflict, reason)
        with(place) { core in
            core.front.refuse(place.exchange, problem)
        }
        end(place)
    }

    func with(_ place: StreamPlace, _ body: @escaping @Sendable (Core) -> Void) {
        let cores = switchboard.all
        guard place.core < cores.count else { return }
        let core = cores[place.core]
        if core.loop.inEventLoop { body(core) } else { core.loop.execute { body(core) } }
    }
}

extension PeerTrust.Shown {
    init(_ certificate: TLSPeerCertificate) {
        switch certificate {
        // Whoever comes over TLS is asked, if anybody could be believed.
        case .unasked: self = .clear
        case .absent: self = .nothing
        case .rejected(let reason): self = .rejected(reason)
        case .verified: self = .certificate
        }
    }
}

extension PeerTrust.Shown {
    init(_ shown: ShownCertificate) {
        switch shown {
        case .none: self = .nothing
        case .clear: self = .clear
        case .rejected: self = .rejected("the log of the store that it came to says why")
        case .verified: self = .certificate
        }
    }
}

extension PeerFault {
    var problem: Problem { Problem(code, sentence) }

    var code: ProblemCode {
        switch self {
        case .wrongCluster, .leftBehind: .wrongCluster
        case .removed: .storeRemoved
        case .wrongStore, .itself: .wrongStore
        case .duplicate: .storeConflict
        case .version: .peerVersion
        case .clocks: .clocksDiffer
        case .unauthenticated: .peerUnauthenticated
        case .malformed: .malformedRequest
        case .silent: .requestTimeout
        }
    }
}
