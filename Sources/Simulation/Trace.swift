/// What happened in a world: a running hash of all of it, and the last part of it in full.
///
/// The hash goes over every event and effect with its true time and place. Two processes that run
/// one seed
/// must agree on it (habits.md §2); `Hasher` is seeded anew in each process and so of no use here.
internal import API
internal import Base
internal import Node
internal import Regions
internal import Storage

package struct Trace {
    struct Line: Sendable {
        var at: Instant
        var node: Int
        var place: String
        var text: @Sendable () -> String
    }

    private(set) var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    private(set) var recent: [Line] = []
    private var oldest = 0
    private let capacity: Int
    /// Gets every line as it happens.
    var sink: ((String) -> Void)?

    init(capacity: Int = 400) { self.capacity = capacity }

    mutating func note(
        _ now: Instant, node: Int, _ place: String, hashing digest: (inout TraceHash) -> Void,
        _ text: @escaping @Sendable () -> String
    ) {
        var mixer = TraceHash(hash)
        mixer.mix(now.nanoseconds)
        mixer.mix(UInt64(truncatingIfNeeded: node))
        digest(&mixer)
        hash = mixer.value
        let line = Line(at: now, node: node, place: place, text: text)
        if let sink { sink(Trace.columns(line)) }
        if recent.count < capacity {
            recent.append(line)
        } else {
            recent[oldest] = line
            oldest = (oldest + 1) % capacity
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
        let place = line.place + String(repeating: " ", count: max(0, 12 - line.place.count))
        return "\(padded) µs  \(place) \(line.text())"
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

    mutating func mix(_ event: Event) {
        switch event {
        case .received(let envelope): mix(envelope)
        case .persisted(let token): mix(1, token.number)
        case .persistFailed(let token, _): mix(2, token.number)
        case .readFinished(let token, let result):
            mix(3, token)
            if case .success(let outcome) = result { mix(outcome) }
        case .request(let exchange, let request):
            mix(4, UInt64(exchange.slot) << 32 | UInt64(UInt32(bitPattern: exchange.stream)))
            mix(request.target)
            if let body = request.body { mix(body) }
        case .cancelled(let exchange): mix(5, UInt64(UInt32(bitPattern: exchange.stream)))
        case .diskSpace(let space): mix(6, space.freeBytes)
        case .scraped(let token, _): mix(7, token)
        case .stopping: mix(8)
        case .turnEnded: mix(9)
        case .deadlineReached: mix(10)
        }
    }

    mutating func mix(_ effect: Effect) {
        switch effect {
        case .persist(let token, let batch):
            mix(20, token.number)
            mix(UInt64(batch.count))
            mix(batch.arena)
        case .read(let token, _, let wall): mix(21, token ^ wall.milliseconds)
        case .send(let envelope): mix(envelope)
        case .respond(let exchange, let response, _):
            mix(22, UInt64(exchange.slot) << 32 | UInt64(UInt32(bitPattern: exchange.stream)))
            mix(UInt64(response.status))
            mix(response.body)
        case .scrape(let token): mix(23, token)
        }
    }

    private mutating func mix(_ kind: UInt64, _ word: UInt64 = 0) {
        mix(kind)
        mix(word)
    }

    private mutating func mix(_ envelope: Envelope) {
        mix(UInt64(envelope.from.core) << 16 | UInt64(envelope.to.core))
        switch envelope.body {
        case .request(let request):
            mix(30, request.number)
            mix(UInt64(request.commands.count))
        case .reply(let reply):
            mix(31, reply.number)
            for outcome in reply.outcomes { mix(outcome) }
        case .expire(let number): mix(32, number)
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
        case .rangeDeleted(let count, _): mix(45, UInt64(count))
        case .refused: mix(46)
        }
    }
}
