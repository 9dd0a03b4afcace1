/// gzip (RFC 1952) by zlib: answers whole, bodies of requests as they arrive.
///
/// A deflate state is 256 KiB, more than what it is used for: a front has one and resets it. An
/// inflate state is 40, and bodies arrive interleaved: each has its own, counted like the body.
/// Both work on the event loop, so what goes in has a bound for the first, and for the second what
/// comes out too, which a few bytes could else make endless.
package import Base
internal import CZlib

/// Level 1. Measured on the 2-core machine of ARCHITECTURE.md: 3 to 6.5 ns a byte of JSON or YAML
/// text, which becomes a quarter; 19 ns where base64 of noise is most of it, which becomes two
/// thirds. Level 6 took up to five times as long for a tenth less. A reset costs 0.7 µs.
package final class GzipEncoder {
    /// Apart from the object because zlib remembers its address.
    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    private let room: UnsafeMutableBufferPointer<UInt8>
    private let inputMax: Int

    package init(inputMax: Int) {
        self.inputMax = inputMax
        stream.initialize(to: z_stream())
        let code = deflateInit2_(
            stream, 1, Z_DEFLATED, Gzip.windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        invariant(code == Z_OK, "zlib has memory for a state")
        room = .allocate(capacity: Int(deflateBound(stream, UInt(inputMax))))
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
        room.deallocate()
    }

    /// One gzip member. The same bytes give the same member: it holds no time and no name.
    package func encode(_ bytes: Bytes) -> Bytes {
        invariant(bytes.count <= inputMax, "room was made for the largest message")
        var code = deflateReset(stream)
        invariant(code == Z_OK, "a state that was made can be reset")
        return bytes.withUnsafeBufferPointer { input in
            // zlib reads from there and does not write.
            stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
            stream.pointee.avail_in = UInt32(input.count)
            stream.pointee.next_out = room.baseAddress
            stream.pointee.avail_out = UInt32(room.count)
            code = deflate(stream, Z_FINISH)
            invariant(code == Z_STREAM_END, "what deflateBound says is enough")
            let count = room.count - Int(stream.pointee.avail_out)
            return Bytes(UnsafeBufferPointer(rebasing: room[..<count]))
        }
    }
}

/// Undoes one member, a piece at a time as it arrives: a state for each body.
///
/// The worst that may come, 16 MiB of spaces out of 16 KiB, costs a core 75 ms with the reading of
/// the JSON; the same body not coded costs 42. There is no limit on the ratio: values that are all
/// zeros are worth a thousand to one.
package final class GzipDecoder {
    package enum Failure: Error, Hashable {
        case malformed
        /// The input ends before the member does.
        case truncated
        /// Bytes follow the member, be it another one: two readers could differ on what counts.
        case trailing
    }

    package enum Outcome: Hashable {
        /// All of the piece is taken. Whether that was the end, `isDone` says.
        case taken
        /// `take` wanted no more.
        case stopped
        case failed(Failure)
    }

    /// Bytes that a state and its window take while a body arrives (zlib's own figure).
    package static let stateBytes = 40 << 10
    /// Bytes that come out at a time.
    package static let stepBytes = 32 << 10

    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    /// Bytes that went in. What comes out has a limit, and a member can go on for ever without
    /// putting anything out, so this needs one too.
    package private(set) var received = 0
    /// The member has ended and its checksum was right. Until then what came out is worth nothing.
    package private(set) var isDone = false

    package init() {
        stream.initialize(to: z_stream())
        let code = inflateInit2_(
            stream, Gzip.windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        invariant(code == Z_OK, "zlib has memory for a state")
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    /// Takes the next piece of the member; `take` gets what comes out until it says false.
    package func feed(
        _ piece: UnsafeRawBufferPointer, _ take: (UnsafeBufferPointer<UInt8>) -> Bool
    ) -> Outcome {
        received += piece.count
        guard !piece.isEmpty else { return .taken }
        if isDone { return .failed(.trailing) }
        let input = piece.assumingMemoryBound(to: UInt8.self)
        // zlib reads from there and does not write.
        stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
        stream.pointee.avail_in = UInt32(input.count)
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.stepBytes) { room in
            while true {
                stream.pointee.next_out = room.baseAddress
                stream.pointee.avail_out = UInt32(room.count)
                let code = inflate(stream, Z_NO_FLUSH)
                invariant(code != Z_MEM_ERROR, "zlib has memory for a window")
                let count = room.count - Int(stream.pointee.avail_out)
                if count > 0, !take(UnsafeBufferPointer(rebasing: room[..<count])) {
                    return .stopped
                }
                switch code {
                case Z_STREAM_END:
                    isDone = true
                    return stream.pointee.avail_in == 0 ? .taken : .failed(.trailing)
                case Z_OK where count == room.count: continue
                // There was room for more: all input is taken.
                case Z_OK, Z_BUF_ERROR: return .taken
                default: return .failed(.malformed)
                }
            }
        }
    }
}

private enum Gzip {
    /// A window of 32 KiB; 16 more say gzip and no other wrapper.
    static let windowBits: Int32 = 15 + 16
}
