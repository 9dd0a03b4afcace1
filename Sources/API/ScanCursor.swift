/// Where a scan goes on: an opaque string to clients, a record with a version, a checksum and
/// total decoding here.
///
/// A raw cursor pins no snapshot: each page shows the newest values. It holds what the scan was
/// (so that bounds given again can be compared) and where it stands; not the limit, which may
/// change from page to page. It is no secret and no capability: a client could name the same range
/// by bounds.
package import Base
internal import Regions

package struct ScanCursor: Hashable, Sendable {
    /// The range that the first page was asked for.
    package var origin: KeyRange
    /// Length of the prefix that named `origin`; 0 if bounds did.
    package var prefixCount: Int
    package var isReverse: Bool
    package var isKeysOnly: Bool
    package var delimiter: Bytes?
    /// What is still to be scanned.
    package var rest: KeyRange

    // Frozen: clients keep cursors over upgrades. Byte 0 is the version; then flags,
    // `origin.start`, [`origin.end`], position, [delimiter], prefix count, and four bytes of
    // checksum. The position is the bound that has moved, as the number of bytes it shares with
    // `origin.start` and the bytes that follow: under a long prefix a cursor is no longer than a
    // key.
    private static let formatVersion: UInt8 = 1

    private struct Flags: OptionSet {
        var rawValue: UInt8
        static let isReverse = Flags(rawValue: 1)
        static let isKeysOnly = Flags(rawValue: 2)
        /// `origin` is all keys with the prefix `origin.start`.
        static let isPrefix = Flags(rawValue: 4)
        static let hasEnd = Flags(rawValue: 8)
        static let hasPosition = Flags(rawValue: 16)
        static let hasDelimiter = Flags(rawValue: 32)
        static let known: UInt8 = 63
    }

    package init(
        origin: KeyRange, prefixCount: Int = 0, isReverse: Bool = false, isKeysOnly: Bool = false,
        delimiter: Bytes? = nil, rest: KeyRange? = nil
    ) {
        self.origin = origin
        self.prefixCount = prefixCount
        self.isReverse = isReverse
        self.isKeysOnly = isKeysOnly
        self.delimiter = delimiter
        self.rest = rest ?? origin
    }

    /// URL-safe base64.
    package var text: Bytes {
        let position = isReverse ? rest.end : rest.start
        var flags = Flags()
        if isReverse { flags.insert(.isReverse) }
        if isKeysOnly { flags.insert(.isKeysOnly) }
        let isPrefix = origin == KeyRange(prefix: origin.start)
        if isPrefix { flags.insert(.isPrefix) }
        if !isPrefix, origin.end != nil { flags.insert(.hasEnd) }
        if position != nil { flags.insert(.hasPosition) }
        if delimiter != nil { flags.insert(.hasDelimiter) }

        var record: Bytes = [Self.formatVersion, flags.rawValue]
        record.appendPrefixed(origin.start.bytes)
        if !isPrefix, let end = origin.end { record.appendPrefixed(end.bytes) }
        if let position {
            let shared = zip(position.bytes, origin.start.bytes).prefix { $0 == $1 }.count
            record.appendVarint(UInt64(shared))
            record.appendPrefixed(position.bytes[shared...])
        }
        if let delimiter { record.appendPrefixed(delimiter) }
        record.appendVarint(UInt64(prefixCount))
        Self.appendChecksum(to: &record)
        return Base64.encodeForURL(record)
    }

    private static func appendChecksum(to record: inout Bytes) {
        let checksum = Fingerprint(of: record).low
        for shift in [UInt64(24), 16, 8, 0] {
            record.append(UInt8(truncatingIfNeeded: checksum >> shift))
        }
    }

    package init(text: Bytes) throws(DecodeError) {
        let record = try Base64.decode(text)
        guard record.count > 4 else { throw DecodeError(expected: "a cursor", offset: 0) }
        var checked = Bytes(record.dropLast(4))
        Self.appendChecksum(to: &checked)
        guard checked == record else {
            throw DecodeError(expected: "the cursor's checksum", offset: record.count - 4)
        }
        var cursor = ByteCursor(Bytes(record.dropLast(4)))
        guard try cursor.readByte() == Self.formatVersion else {
            throw DecodeError(expected: "cursor version \(Self.formatVersion)", offset: 0)
        }
        let rawFlags = try cursor.readByte("flags")
        guard rawFlags <= Flags.known else { throw DecodeError(expected: "flags", offset: 1) }
        let flags = Flags(rawValue: rawFlags)
        isReverse = flags.contains(.isReverse)
        isKeysOnly = flags.contains(.isKeysOnly)

        let start = Key(try cursor.readPrefixed("the start"))
        if flags.contains(.isPrefix) {
            origin = KeyRange(prefix: start)
        } else {
            let end = flags.contains(.hasEnd) ? Key(try cursor.readPrefixed("the end")) : nil
            origin = KeyRange(start: start, end: end)
        }
        rest = origin
        if flags.contains(.hasPosition) {
            let shared = try cursor.readVarint("a shared length")
            guard shared <= UInt64(start.bytes.count) else {
                throw DecodeError(expected: "a shared length", offset: cursor.offset)
            }
            let moved = try cursor.readPrefixed("a position")
            let position = Key(start.bytes[..<Int(shared)] + moved)
            if isReverse { rest.end = position } else { rest.start = position }
        }
        delimiter = flags.contains(.hasDelimiter) ? try cursor.readPrefixed("a delimiter") : nil
        let prefixCount = try cursor.readVarint("a prefix length")
        guard prefixCount <= UInt64(start.bytes.count), delimiter?.isEmpty != true,
            rest.start >= origin.start, rest.intersection(origin) == rest
        else {
            throw DecodeError(expected: "a position within the bounds", offset: cursor.offset)
        }
        self.prefixCount = Int(prefixCount)
        try cursor.expectEnd()
    }

    /// The command that reads the next page.
    func scan(limit: Int) -> RawScan {
        RawScan(
            range: rest, reverse: isReverse, limit: limit, keysOnly: isKeysOnly,
            delimiter: delimiter, prefixCount: prefixCount)
    }
}

extension Fields {
    static let scanNames: FieldNames = [
        boundNames,
        FieldNames(.limit, .cursor, .reverse, .keysOnly, .delimiter, .delimiterBase64),
    ]

    /// A scan's first page from its bounds, or its next one from a cursor, against which
    /// everything else that is given must agree.
    func scan() throws(Problem) -> (RawScan, ScanCursor) {
        let limit = try integer(.limit, in: 1...UInt64(Limits.entriesPerPage))
        let bounds = try bounds()
        let reverse = try flag(.reverse)
        let keysOnly = try flag(.keysOnly)
        let delimiter = try bytes(.delimiter)
        if let delimiter, delimiter.isEmpty || delimiter.count > Limits.keyBytes {
            throw mistake(
                .invalidArgument, given(.delimiter),
                "A delimiter has 1 to \(Limits.keyBytes) bytes, such as /.")
        }
        let pageLimit = limit.map { Int($0) } ?? Limits.entriesPerPageDefault
        guard let text = try text(.cursor, { Bytes($0) }) else {
            let cursor = ScanCursor(
                origin: bounds?.range ?? .all, prefixCount: bounds?.prefixCount ?? 0,
                isReverse: reverse ?? false, isKeysOnly: keysOnly ?? false, delimiter: delimiter)
            return (cursor.scan(limit: pageLimit), cursor)
        }
        let cursor: ScanCursor
        do {
            cursor = try ScanCursor(text: text)
        } catch {
            throw mistake(
                .cursorInvalid, .cursor,
                "Not a cursor of this service (\(error)); take next_cursor of a page unchanged.")
        }
        let stray: FieldName? =
            if let bounds,
                bounds.range != cursor.origin || bounds.prefixCount != cursor.prefixCount
            {
                names.intersection(Self.boundNames).names.first
            } else if reverse ?? cursor.isReverse != cursor.isReverse {
                .reverse
            } else if keysOnly ?? cursor.isKeysOnly != cursor.isKeysOnly {
                .keysOnly
            } else if delimiter != nil, delimiter != cursor.delimiter {
                given(.delimiter)
            } else {
                nil
            }
        if let stray {
            throw mistake(
                .cursorMismatch, stray,
                "Differs from the scan that the cursor continues; the cursor alone is enough.")
        }
        return (cursor.scan(limit: pageLimit), cursor)
    }
}
