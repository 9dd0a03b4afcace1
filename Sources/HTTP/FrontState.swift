/// What all connections of one front share: settings, counters, the coarse clock, the date, the
/// bytes held.
///
/// A class of its own so that the sessions can be driven by tests and fuzzers without a loop or a
/// socket. Used on one event loop only, like everything that refers to it.
package import API
internal import Base
internal import CNghttp2
internal import Failpoints
internal import Glibc
internal import Injection
package import Logging
internal import NIOCore

package final class FrontState {
    package let settings: FrontSettings
    let failpoints: FailpointRegistry
    var origins: OriginPolicy
    var names: RequestNames
    var log: RefusalLog
    /// Memory of its own for the same reason as `HTTP2Slab`: a request touches it a dozen times.
    private let counted = UnsafeMutablePointer<FrontCounters>.allocate(capacity: 1)
    var responses: HeldResponses {
        didSet { counters.responseBytesHeld = responses.bytes }
    }
    /// Seconds of the coarse clock: one scan of the connections each. Time-outs are counted in it,
    /// so that a request reads no clock and a loop that was held up does not time out everybody at
    /// once.
    package private(set) var tick: UInt32 = 0
    /// `HTTPDate.length` bytes.
    let date: UnsafeMutablePointer<UInt8>
    /// Where an answer's fields are laid out for nghttp2, which copies what it is not told to
    /// borrow.
    let fields = FieldBuffer()
    /// Made for the first answer that needs it, then kept.
    lazy var gzipEncoder = GzipEncoder(inputMax: Limits.gzipBytes.upperBound)
    /// The buffer that output is made in: reused by all connections as long as none still holds it.
    private var scratch = ByteBuffer()

    package init(settings: FrontSettings, names: RequestNames, logger: Logger) {
        self.settings = settings
        failpoints = settings.failpoints
        self.names = names
        log = RefusalLog(logger: logger)
        responses = HeldResponses(limit: settings.responseBytes)
        origins = OriginPolicy(allowedHosts: settings.allowedHosts)
        date = .allocate(capacity: HTTPDate.length)
        counted.initialize(to: FrontCounters())
        refreshDate()
    }

    deinit {
        date.deallocate()
        counted.deinitialize(count: 1)
        counted.deallocate()
    }

    package internal(set) var counters: FrontCounters {
        unsafeAddress { UnsafePointer(counted) }
        unsafeMutableAddress { counted }
    }

    package func advanceTick() {
        tick &+= 1
        log.passSecond()
        refreshDate()
    }

    func refreshDate() {
        HTTPDate.write(time(nil), to: date)
    }

    /// Seconds since `since`.
    func seconds(since: UInt32) -> Int { Int(tick &- since) }

    func has(_ timeout: Duration, passedSince since: UInt32) -> Bool {
        seconds(since: since) >= Int(timeout.components.seconds)
    }

    // MARK: Bytes of requests

    /// True while reading may go on; past it, connections pause.
    package var requestBytesFit: Bool { counters.requestBytesHeld < settings.requestBytes }

    /// False if the request has to be refused: reading has stopped, yet what was on its way goes
    /// far beyond.
    func holdRequestBytes(_ count: Int) -> Bool {
        let limit = settings.requestBytes + settings.requestBytes / 4
        guard counters.requestBytesHeld + count <= limit else { return false }
        counters.requestBytesHeld += count
        return true
    }

    func releaseRequestBytes(_ count: Int) {
        counters.requestBytesHeld -= count
        invariant(counters.requestBytesHeld >= 0, "request bytes are released once")
    }

    /// Bytes to reserve for a body of that length before it is there. What is reserved is counted
    /// nowhere, so a length that is only claimed gets no more than one window.
    func roomAhead(ofBody length: Int) -> Int { min(length, Limits.streamWindowBytes) }

    // MARK: Output

    /// An empty buffer with room for a batch. Give it back with `putBack`.
    func takeBuffer() -> ByteBuffer {
        var taken = ByteBuffer()
        swap(&taken, &scratch)
        taken.clear(minimumCapacity: Limits.outputBatchBytes + (20 << 10))
        return taken
    }

    func putBack(_ buffer: ByteBuffer) {
        scratch = buffer
    }
}

/// Room for one answer's header fields.
final class FieldBuffer {
    private(set) var fields = UnsafeMutablePointer<nghttp2_nv>.allocate(capacity: 8)
    private(set) var values = UnsafeMutablePointer<UInt8>.allocate(capacity: 256)
    private var fieldCapacity = 8
    private var valueCapacity = 256
    private(set) var count = 0
    private var used = 0

    deinit {
        fields.deallocate()
        values.deallocate()
    }

    /// Empties it and makes room: `add` does not check, because pointers into it must not move.
    func reset(fields fieldCount: Int, valueBytes: Int) {
        count = 0
        used = 0
        if fieldCount > fieldCapacity {
            fields.deallocate()
            fields = .allocate(capacity: fieldCount)
            fieldCapacity = fieldCount
        }
        if valueBytes > valueCapacity {
            values.deallocate()
            values = .allocate(capacity: valueBytes)
            valueCapacity = valueBytes
        }
    }

    func add(
        _ name: StaticString, _ value: UnsafeMutablePointer<UInt8>, _ length: Int, flags: Int = 0
    ) {
        invariant(count < fieldCapacity, "room was made for every field")
        fields[count] = nghttp2_nv(
            name: UnsafeMutablePointer(mutating: name.utf8Start), value: value,
            namelen: name.utf8CodeUnitCount, valuelen: length,
            flags: UInt8(flags) | UInt8(NGHTTP2_NV_FLAG_NO_COPY_NAME.rawValue))
        count += 1
    }

    func add(_ name: StaticString, _ value: StaticString) {
        add(
            name, UnsafeMutablePointer(mutating: value.utf8Start), value.utf8CodeUnitCount,
            flags: Int(NGHTTP2_NV_FLAG_NO_COPY_VALUE.rawValue))
    }

    func add(_ name: StaticString, _ value: Bytes, neverIndexed: Bool) {
        invariant(used + value.count <= valueCapacity, "room was made for every value")
        let start = values + used
        value.withUnsafeBufferPointer { bytes in
            if let base = bytes.baseAddress { start.update(from: base, count: bytes.count) }
        }
        used += value.count
        add(
            name, start, value.count,
            flags: neverIndexed ? Int(NGHTTP2_NV_FLAG_NO_INDEX.rawValue) : 0)
    }

    /// Out of HPACK's table, which a tag that hardly comes twice would only churn.
    func add(_ name: StaticString, _ tag: Fingerprint) {
        invariant(used + Fingerprint.quotedCount <= valueCapacity, "room was made for a tag")
        let start = values + used
        tag.writeQuoted(to: start)
        used += Fingerprint.quotedCount
        add(name, start, Fingerprint.quotedCount, flags: Int(NGHTTP2_NV_FLAG_NO_INDEX.rawValue))
    }

    /// The same for one answer after another, so HPACK's table soon has it.
    func add(_ name: StaticString, _ servedBy: ServedBy) {
        invariant(used + ServedBy.countMax <= valueCapacity, "room was made for a store")
        let start = values + used
        let length = servedBy.write(to: start)
        used += length
        add(name, start, length)
    }

    func add(_ name: StaticString, _ number: Int) {
        invariant(used + Decimal.maxLength <= valueCapacity, "room was made for a number")
        let start = values + used
        let length = Decimal.write(number, to: start)
        used += length
        add(name, start, length)
    }
}

enum Decimal {
    /// Bytes that `write` may need.
    static let maxLength = 20

    /// Writes a number that is not negative; returns how many digits.
    static func write(_ number: Int, to bytes: UnsafeMutablePointer<UInt8>) -> Int {
        invariant(number >= 0, "lengths are not negative")
        var length = 1
        var rest = number
        while rest >= 10 {
            rest /= 10
            length += 1
        }
        rest = number
        for index in stride(from: length - 1, through: 0, by: -1) {
            bytes[index] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        }
        return length
    }
}
