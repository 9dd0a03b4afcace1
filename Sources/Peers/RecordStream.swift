/// Records on a stream of bytes: each behind its length, four bytes, the least significant first.
///
/// A length is looked at before anything is kept for it, so that a stranger's four bytes cannot ask
/// for gigabytes.
package import Base

package struct RecordReader: Sendable {
    /// Of one record.
    package var limit: Int
    private var bytes: Bytes = []
    private var start = 0

    package init(limit: Int = Limits.peerRecordBytes) { self.limit = limit }

    /// Bytes that are here and of which no whole record has been taken.
    package var byteCount: Int { bytes.count - start }

    package mutating func append(_ more: Bytes) {
        if start == bytes.count {
            bytes = more
            start = 0
        } else {
            bytes.append(contentsOf: more)
        }
    }

    /// nil until the next one is all there.
    package mutating func next() throws(DecodeError) -> Bytes? {
        guard bytes.count - start >= 4 else { return nil }
        let length = (0..<4).reduce(0) { $0 | Int(bytes[start + $1]) << (8 * $1) }
        guard length <= limit else {
            throw DecodeError(expected: "a record of at most \(limit) bytes", offset: start)
        }
        guard bytes.count - start - 4 >= length else {
            drop()
            return nil
        }
        let record = Bytes(bytes[start + 4..<start + 4 + length])
        start += 4 + length
        return record
    }

    /// What was taken, before more comes behind what was not.
    private mutating func drop() {
        guard start > 0 else { return }
        bytes.removeFirst(start)
        start = 0
    }
}

extension Bytes {
    /// Bytes of the length before each record.
    package static let recordPrefixBytes = 4

    package mutating func appendRecord(_ write: (inout Bytes) -> Void) {
        let start = count
        append(contentsOf: [0, 0, 0, 0])
        write(&self)
        let length = count - start - 4
        invariant(length <= Limits.peerRecordBytes, "what is sent is what may be received")
        for place in 0..<4 {
            self[start + place] = UInt8(truncatingIfNeeded: length >> (8 * place))
        }
    }

    package static func record(_ bytes: Bytes) -> Bytes {
        var framed = Bytes()
        framed.reserveCapacity(bytes.count + recordPrefixBytes)
        framed.appendRecord { $0.append(contentsOf: bytes) }
        return framed
    }
}
