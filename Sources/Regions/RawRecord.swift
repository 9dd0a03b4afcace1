/// How a raw value stands in the store: the value, then a trailer.
///
///     value … | 0x00                          no expiry
///     value … | expiry, 8 bytes big-endian | 0x01      expires at that wall time, in milliseconds
///
/// The trailer comes last so that a read hands out its own buffer, cut short, instead of copying a
/// value of megabytes to take a header off its front. Frozen: the last byte is the record's
/// version, and a reader refuses one that it does not know.
package import Base

package enum RawRecord {
    private enum Trailer {
        static let plain: UInt8 = 0
        static let expiring: UInt8 = 1
        static let expiringCount = 9
    }

    package static func encode(_ value: Bytes, expiresAt: WallTime?) -> Bytes {
        var record = Bytes()
        record.reserveCapacity(value.count + Trailer.expiringCount)
        record.append(contentsOf: value)
        if let expiresAt {
            record.appendUInt64(expiresAt.milliseconds)
            record.append(Trailer.expiring)
        } else {
            record.append(Trailer.plain)
        }
        return record
    }

    /// Where the value ends and when it expires.
    package static func decode(
        _ record: UnsafeRawBufferPointer
    ) throws(DecodeError) -> (valueCount: Int, expiresAt: WallTime?) {
        guard let version = record.last else {
            throw DecodeError(expected: "a raw record's trailer", offset: 0)
        }
        switch version {
        case Trailer.plain:
            return (record.count - 1, nil)
        case Trailer.expiring where record.count >= Trailer.expiringCount:
            let valueCount = record.count - Trailer.expiringCount
            let word = record.loadUnaligned(fromByteOffset: valueCount, as: UInt64.self)
            return (valueCount, WallTime(milliseconds: UInt64(bigEndian: word)))
        default:
            throw DecodeError(expected: "a raw record's version 0 or 1", offset: record.count - 1)
        }
    }

    /// The value of a record read at `wall`; nil if it had expired by then.
    package static func value(
        of record: consuming Bytes, at wall: WallTime
    ) throws(DecodeError) -> RawValue? {
        let decoded = record.withUnsafeBytes { bytes in
            Result { () throws(DecodeError) in try decode(bytes) }
        }
        let (valueCount, expiresAt) = try decoded.get()
        if let expiresAt, expiresAt <= wall { return nil }
        var value = record
        value.removeLast(value.count - valueCount)
        return RawValue(value: value, expiresAt: expiresAt)
    }

    /// Whether a compaction may drop the record: expired before `wall`. What cannot be decoded is
    /// kept, so that a read can report it.
    package static func isExpired(_ record: UnsafeRawBufferPointer, at wall: WallTime) -> Bool {
        guard record.count >= Trailer.expiringCount, record.last == Trailer.expiring else {
            return false
        }
        let word = record.loadUnaligned(
            fromByteOffset: record.count - Trailer.expiringCount, as: UInt64.self)
        return UInt64(bigEndian: word) <= wall.milliseconds
    }
}

/// The raw space's part of the one ordered space of keys: `r`, then the user's key. Frozen.
package enum RawSpace {
    private static let prefix: UInt8 = 0x72

    package static func key(_ user: Key) -> Key {
        var bytes = Bytes()
        bytes.reserveCapacity(user.bytes.count + 1)
        bytes.append(prefix)
        bytes.append(contentsOf: user.bytes)
        return Key(bytes)
    }

    package static func range(_ user: KeyRange) -> KeyRange {
        KeyRange(start: key(user.start), end: user.end.map(key) ?? Key([prefix + 1]))
    }

    /// The user's key of a stored one.
    package static func userKey(_ stored: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: stored.dropFirst())
    }
}
