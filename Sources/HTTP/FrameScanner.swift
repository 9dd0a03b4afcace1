/// Reads the headers of HTTP/2 frames and skips their payloads, across any split of the bytes.
///
/// nghttp2 throws some frames away without a word to its user (types that it does not know, DATA of
/// streams that it has forgotten), which a budget must see all the same. Whether a frame is legal
/// is for nghttp2 to say.
struct FrameScanner {
    struct Header {
        var length: Int
        var type: UInt8
        var stream: Int32
    }

    static let headerBytes = 9

    /// Bytes of the client's preface, later of a payload, that are still to come.
    private var skipping: Int
    private var taken = 0
    /// Length, type and flags: the first five bytes.
    private var start: UInt64 = 0
    private var stream: UInt32 = 0

    init(prefaceBytes: Int) { skipping = prefaceBytes }

    /// The next frame whose header ends within `bytes[position...]`, which moves behind it; nil
    /// when all bytes are used up.
    mutating func next(in bytes: UnsafeRawBufferPointer, from position: inout Int) -> Header? {
        let skipped = min(skipping, bytes.count - position)
        skipping -= skipped
        position += skipped
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            if taken < 5 {
                start = start << 8 | UInt64(byte)
            } else {
                stream = stream << 8 | UInt32(byte)
            }
            taken += 1
            if taken == Self.headerBytes { return complete() }
        }
        return nil
    }

    private mutating func complete() -> Header {
        let header = Header(
            length: Int(start >> 16), type: UInt8(truncatingIfNeeded: start >> 8),
            stream: Int32(stream & 0x7FFF_FFFF))
        skipping = header.length
        taken = 0
        start = 0
        stream = 0
        return header
    }
}
