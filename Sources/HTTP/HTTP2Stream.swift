/// One HTTP/2 stream's place in its session's slab.
internal import API
internal import Base

struct HTTP2Stream {
    enum Phase: UInt8 {
        /// Not in use.
        case free
        /// Header or body still arriving.
        case receiving
        /// The whole request is with the core.
        case serving
        /// An answer is being sent.
        case answering
        /// The answer has left, and the client still sends what was refused.
        case answered
        /// Another store's, for as long as its connection lasts (`PeerStream`).
        case streaming
    }

    var id: Int32 = 0
    var phase = Phase.free
    /// The request has all arrived: END_STREAM was seen.
    var remoteClosed = false
    var resetByClient = false
    /// The front answers by itself; what still arrives is thrown away.
    var isRefused = false
    var expectation = Expectation.none
    var method = Method.get
    var target: Bytes = []
    var headers = RequestHeaders()
    var body: Bytes?
    /// Undoes the body, if it is in gzip.
    var decoder: GzipDecoder?
    /// Of the body as declared.
    var contentLength = 0
    /// nil while it equals the authority that this connection used last.
    var authority: Bytes?
    var hasAuthority = false
    var host: Bytes?
    var origin: Bytes?
    var secFetchSite: Bytes?
    /// Bytes of the request counted in `FrontState`: its body, and its head if that is large.
    var held = 0
    /// The answer may be in gzip.
    var takesGzip = false

    var answer: Bytes = []
    var answerSent = 0
    /// Of a stream that is answered as it goes on.
    var answerIsOpen = false
    /// No more of it comes.
    var answerEnds = false

    /// Bytes moved when the stall clock was last set, and the tick at which that was.
    var progress = 0
    var progressAt: UInt32 = 0
}

/// The slab: places are reused, so that a stream costs no allocation of its own.
///
/// Hot path: memory of its own instead of an array, because every access to an array inside a
/// class is checked for exclusivity at run time, dozens of times per request. The indices come
/// from nghttp2's stream data, which only this code sets, and are checked all the same.
final class HTTP2Slab {
    private var streams = UnsafeMutablePointer<HTTP2Stream>.allocate(capacity: 1)
    private var capacity = 1
    private var used = 0
    private var free: [Int] = []
    private(set) var live = 0

    deinit {
        streams.deinitialize(count: used)
        streams.deallocate()
    }

    func open(_ id: Int32, tick: UInt32) -> Int {
        let index: Int
        if let reused = free.popLast() {
            index = reused
        } else {
            if used == capacity { grow() }
            index = used
            (streams + index).initialize(to: HTTP2Stream())
            used += 1
        }
        live += 1
        streams[index].id = id
        streams[index].phase = .receiving
        streams[index].progressAt = tick
        return index
    }

    private func grow() {
        let larger = UnsafeMutablePointer<HTTP2Stream>.allocate(capacity: capacity * 2)
        larger.moveInitialize(from: streams, count: used)
        streams.deallocate()
        streams = larger
        capacity *= 2
    }

    func close(_ index: Int) {
        self[index] = HTTP2Stream()
        free.append(index)
        live -= 1
    }

    @inline(__always)
    subscript(_ index: Int) -> HTTP2Stream {
        unsafeAddress {
            precondition(index >= 0 && index < used)
            return UnsafePointer(streams + index)
        }
        unsafeMutableAddress {
            precondition(index >= 0 && index < used)
            return streams + index
        }
    }

    var indices: Range<Int> { 0..<used }
}

/// Stream ids that were skipped or are over, as far as one wants to remember them.
///
/// nghttp2 ignores a HEADERS frame with an id smaller than the newest, because it cannot tell a new
/// stream from one it has forgotten. RFC 9113 §5.1.1 demands a connection error for a stream that
/// was skipped, and §5.1 for one that the client itself had ended. What is forgotten here is
/// ignored as before.
struct StreamHistory {
    static let remembered = 64

    private(set) var newest: Int32 = 0
    private var skipped: [ClosedRange<Int32>] = []
    private var ended: [Int32] = []
    private var nextEnded = 0

    /// A HEADERS frame names a stream that is newer than all before; the ids between are skipped.
    mutating func open(_ id: Int32) {
        invariant(id > newest, "a stream is opened once, in the order of the ids")
        if newest == 0 ? id > 1 : id > newest + 2 {
            if skipped.count == Self.remembered { skipped.removeFirst() }
            skipped.append((newest == 0 ? 1 : newest + 2)...(id - 2))
        }
        newest = id
    }

    func wasSkipped(_ id: Int32) -> Bool { skipped.contains { $0.contains(id) } }

    /// The client ended the stream, or both sides did.
    mutating func end(_ id: Int32) {
        if ended.count < Self.remembered {
            ended.append(id)
        } else {
            ended[nextEnded] = id
            nextEnded = (nextEnded + 1) % Self.remembered
        }
    }

    func wasEnded(_ id: Int32) -> Bool { ended.contains(id) }
}
