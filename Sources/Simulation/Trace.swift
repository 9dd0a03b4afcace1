/// What happened in a world: a running hash of all of it, and on demand the last part in full.
///
/// The hash goes over every event and effect with its true time and place. Two processes that run
/// one seed must agree on it (habits.md §2); `Hasher` is seeded anew in each process and so of no
/// use here. Lines are kept only where somebody will read them: to keep what no one does, with all
/// that it refers to, took a tenth of a world's time, and a world that went wrong can be run again.
internal import API
internal import Base
internal import Node
internal import Raft
internal import Regions
internal import Storage

package struct Trace {
    /// Whose line it is.
    enum Place: Sendable {
        case unit(UnitAddress.Unit, core: Int)
        case core(Int)
        case client(Int)
        case named(String)

        var shown: String {
            switch self {
            case .unit(let unit, let core): "\(unit) \(core)"
            case .core(let core): "core \(core)"
            case .client(let client): "client \(client)"
            case .named(let name): name
            }
        }
    }

    /// Kept as it is: of all the lines of a good run none is ever put into words.
    enum Content: Sendable {
        case event(Event)
        case effect(Effect)
        case learnt(ExchangeID, [RawCommand], [Answer])
        case text(String)

        var shown: String {
            switch self {
            case .event(let event): return event.shown
            case .effect(let effect): return "  " + effect.shown
            case .learnt(let exchange, let commands, let answers):
                let pairs = zip(commands, answers).map { "\($0.shown): \($1.shown)" }
                return exchange.shown + " " + pairs.joined(separator: "; ")
            case .text(let text): return text
            }
        }
    }

    private struct Line: Sendable {
        var at: Instant
        var node: Int
        var place: Place
        var content: Content
    }

    private(set) var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    private var recent: [Line] = []
    private var oldest = 0
    /// How many lines are kept.
    private let capacity: Int
    /// Gets every line as it happens.
    var sink: ((String) -> Void)?

    /// Enough for the last ones of each node of a group.
    static let linesOfReport = 400

    init(keeping capacity: Int) { self.capacity = capacity }

    mutating func note(_ now: Instant, node: Int, _ place: Place, _ content: Content) {
        var mixer = TraceHash(hash)
        mixer.mix(now.nanoseconds)
        mixer.mix(UInt64(truncatingIfNeeded: node))
        switch content {
        case .event(let event): mixer.mix(event)
        case .effect(let effect): mixer.mix(effect)
        case .learnt(let exchange, _, let answers): mixer.mix(exchange, answers)
        case .text(let text): mixer.mix(Bytes(text.utf8))
        }
        hash = mixer.value
        guard capacity > 0 || sink != nil else { return }
        let line = Line(at: now, node: node, place: place, content: content)
        if let sink { sink(Trace.columns(line)) }
        if recent.count < capacity {
            recent.append(line)
        } else if capacity > 0 {
            recent[oldest] = line
            oldest = oldest + 1 == capacity ? 0 : oldest + 1
        }
    }

    /// The last lines of a node (-1: the clients and the world), oldest first.
    func last(_ count: Int, ofNode node: Int) -> [String] {
        let ordered = recent[oldest...] + recent[..<oldest]
        return ordered.filter { $0.node == node }.suffix(count).map(Trace.columns)
    }

    private static func columns(_ line: Line) -> String {
        let microseconds = String(line.at.nanoseconds / 1_000)
        let padded = String(repeating: " ", count: max(0, 12 - microseconds.count)) + microseconds
        let name = line.place.shown
        let place = name + String(repeating: " ", count: max(0, 12 - name.count))
        let node = line.node < 0 ? "-" : String(line.node)
        return "\(padded) µs  \(node) \(place) \(line.content.shown)"
    }
}

struct TraceHash {
    private(set) var value: UInt64

    init(_ value: UInt64) { self.value = value }

    mutating func mix(_ word: UInt64) {
        value = (value ^ word) &* 0x9E37_79B9_7F4A_7C15
        value ^= value >> 29
    }

    mutating func mix(_ bytes: Bytes) {
        let fingerprint = Fingerprint(of: bytes)
        mix(fingerprint.low)
        mix(fingerprint.high)
    }

    /// What the answers say was hashed with the response; here, that this client learnt it.
    mutating func mix(_ exchange: ExchangeID, _ answers: [Answer]) {
        mix(50, UInt64(exchange.slot) << 32 | UInt64(UInt32(bitPattern: exchange.stream)))
        for answer in answers { mix(answer.isUnknown ? 51 : 52) }
    }

    mutating func mix(_ event: Event) {
        switch event {
        case .received(let envelope): mix(envelope)
        case .logged(_, let token): mix(1, token.number)
        case .applied(_, let index): mix(2, index)
        case .flushed(_, let index): mix(12, index)
        case .peerLost(let store): mix(13, UInt64(store.number))
        case .removed: mix(71)
        case .change(_, let id, _, _): mix(14, id.number)
        case .snapshotEnded(_, let id, let index): mix(15, id.number << 32 ^ (index ?? .max))
        case .readFinished(let token, let result):
            mix(3, token)
            if case .success(let outcome) = result { mix(outcome) }
        case .request(let exchange, let request):
            mix(4, UInt64(exchange.slot) << 32 | UInt64(UInt32(bitPattern: exchange.stream)))
            mix(request.target)
            if let body = request.body { mix(body) }
        case .refused(let exchange, let request, _):
            mix(13, UInt64(UInt32(bitPattern: exchange.stream)))
            mix(request.target)
        case .cancelled(let exchange): mix(5, UInt64(UInt32(bitPattern: exchange.stream)))
        case .diskSpace(let space): mix(6, space.space.freeBytes)
        case .scraped(let token, _): mix(7, token)
        case .failpoints(let token, _): mix(14, token)
        case .stores(let token, _): mix(70, token)
        case .stopping: mix(8)
        case .turnEnded: mix(9)
        case .deadlineReached: mix(10)
        case .storeFailed: mix(11)
        }
    }

    mutating func mix(_ effect: Effect) {
        switch effect {
        case .append(let append):
            mix(20, append.write.token.number)
            for record in append.records { mix(record) }
        case .apply(let apply):
            mix(26, apply.through)
            mix(apply.batch.arena)
        case .compact(_, let base): mix(27, base.index)
        case .damaged: mix(28)
        case .refusedForSpace: mix(29)
        case .read(let token, _, _, let wall): mix(21, token ^ wall.milliseconds)
        case .send(let envelope): mix(envelope)
        case .respond(let exchange, let response, _):
            mix(22, UInt64(exchange.slot) << 32 | UInt64(UInt32(bitPattern: exchange.stream)))
            mix(UInt64(response.status))
            mix(response.body)
        case .sendFromLog(_, let message): mix(29, message.term)
        case .sendSnapshot(_, let id, let term, _, _): mix(60, id.number << 32 ^ term)
        case .stopSnapshots: mix(63)
        case .discardSnapshot(_, let position): mix(61, position.index)
        case .changed(let id, _): mix(62, id.number)
        case .scrape(let token): mix(23, token)
        case .commandFailpoints(let token, _): mix(29, token)
        case .commandStores(let token, _): mix(72, token)
        case .stopRead(let token): mix(25, token)
        case .released(let exchange):
            mix(24, UInt64(exchange.slot) << 32 | UInt64(UInt32(bitPattern: exchange.stream)))
        }
    }

    private mutating func mix(_ kind: UInt64, _ word: UInt64 = 0) {
        mix(kind)
        mix(word)
    }

    private mutating func mix(_ envelope: Envelope) {
        mix(UInt64(envelope.from.core) << 16 | UInt64(envelope.to.core))
        mix(UInt64(envelope.from.store?.number ?? 0) << 32 | UInt64(envelope.to.store?.number ?? 0))
        switch envelope.body {
        case .request(let request):
            mix(30, request.number)
            mix(UInt64(request.commands.count))
        case .reply(let reply):
            mix(31, reply.number)
            for outcome in reply.outcomes { mix(outcome) }
        case .expire(let number): mix(32, number)
        case .serving(let isServing, let number): mix(33, number << 1 | (isServing ? 1 : 0))
        case .servingSeen(let number): mix(34, number)
        case .caughtUp: mix(38)
        case .drained: mix(39)
        case .leader(.here): mix(35)
        case .leader(.unknown): mix(36)
        case .leader(.store(let store)): mix(37, UInt64(store.number))
        case .raft(let message): mix(message.encoded)
        }
    }

    private mutating func mix(_ outcome: RawOutcome) {
        switch outcome {
        case .found(let value): mix(value.value)
        case .missing: mix(40)
        case .written, .deleted, .swapped: mix(41)
        case .conditionFailed, .notSwapped: mix(42)
        case .page(let page):
            mix(43, UInt64(page.count))
            mix(page.arena)
        case .counted(let count): mix(44, UInt64(count))
        case .measured(let live, let weight): mix(47, UInt64(live) << 32 | UInt64(weight.byteCount))
        case .rangeDeleted(let count, _): mix(45, UInt64(count))
        case .refused: mix(46)
        }
    }
}
