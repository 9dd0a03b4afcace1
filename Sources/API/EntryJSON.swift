/// Entries and pages of the raw space as JSON.
internal import Base
internal import Regions

extension RawPage {
    struct EntryBytes {
        var key: UnsafeRawBufferPointer
        var value: UnsafeRawBufferPointer
        var expiresAt: WallTime?
    }

    func forEachEntry(_ body: (EntryBytes) -> Void) {
        arena.withUnsafeBytes { arena in
            for entry in entries {
                body(
                    EntryBytes(
                        key: UnsafeRawBufferPointer(rebasing: arena[entry.key]),
                        value: UnsafeRawBufferPointer(rebasing: arena[entry.value]),
                        expiresAt: entry.expiresAt))
            }
        }
    }
}

extension ScanCursor {
    func continued(at rest: KeyRange) -> ScanCursor {
        var next = self
        next.rest = rest
        return next
    }
}

extension JSONWriter {
    /// One key with its value, its tag and its end.
    mutating func writeEntry(_ key: Key, _ value: RawValue, forcesBase64: Bool) {
        beginObject()
        writeEntryMembers(key, value, forcesBase64: forcesBase64)
        endObject()
    }

    mutating func writeEntryMembers(_ key: Key, _ value: RawValue, forcesBase64: Bool) {
        twin("key", "key_base64", key.bytes, alwaysBase64: forcesBase64)
        twin("value", "value_base64", value.value, alwaysBase64: forcesBase64)
        member("etag", Fingerprint(of: value.value).tag)
        if let expiresAt = value.expiresAt { member("expires_at", expiresAt.rfc3339) }
    }

    // Hot path: a thousand times per page. No tag: it would add 43 bytes to each entry.
    mutating func writeEntry(_ entry: RawPage.EntryBytes, keysOnly: Bool, forcesBase64: Bool) {
        beginObject()
        twin("key", "key_base64", entry.key, alwaysBase64: forcesBase64)
        if !keysOnly {
            twin("value", "value_base64", entry.value, alwaysBase64: forcesBase64)
        }
        if let expiresAt = entry.expiresAt { member("expires_at", expiresAt.rfc3339) }
        endObject()
    }

    mutating func writePrefix(_ prefix: Key, forcesBase64: Bool) {
        beginObject()
        twin("prefix", "prefix_base64", prefix.bytes, alwaysBase64: forcesBase64)
        endObject()
    }

    mutating func writePage(_ page: RawPage, _ cursor: ScanCursor, forcesBase64: Bool) {
        name("entries")
        beginArray()
        page.forEachEntry {
            writeEntry($0, keysOnly: cursor.isKeysOnly, forcesBase64: forcesBase64)
        }
        endArray()
        if cursor.delimiter != nil {
            name("common_prefixes")
            beginArray()
            for prefix in page.commonPrefixes { writePrefix(prefix, forcesBase64: forcesBase64) }
            endArray()
        }
        if let rest = page.rest { member("next_cursor", cursor.continued(at: rest).text) }
    }
}
