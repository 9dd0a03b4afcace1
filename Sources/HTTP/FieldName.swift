/// Recognises the request header fields that mean something, by bytes and without a `String`.
internal import API
internal import Base

enum FieldName {
    /// Passed on with the request.
    case kept(HeaderName)
    case host
    case origin
    case secFetchSite
    case contentLength
    // HTTP/1.1 only.
    case connection
    case transferEncoding
    case expect
    case upgrade
    case http2Settings

    private struct Entry {
        var name: Bytes
        var field: FieldName
    }

    /// Entries by length of name.
    private static let table: [[Entry]] = {
        var table: [[Entry]] = []
        func add(_ name: String, _ field: FieldName) {
            let bytes = Bytes(name.utf8)
            while table.count <= bytes.count { table.append([]) }
            table[bytes.count].append(Entry(name: bytes, field: field))
        }
        for name in HeaderName.allCases {
            switch name {
            case .host: add(name.rawValue, .host)
            case .origin: add(name.rawValue, .origin)
            case .secFetchSite: add(name.rawValue, .secFetchSite)
            default: add(name.rawValue, .kept(name))
            }
        }
        add("content-length", .contentLength)
        add("connection", .connection)
        add("transfer-encoding", .transferEncoding)
        add("expect", .expect)
        add("upgrade", .upgrade)
        add("http2-settings", .http2Settings)
        return table
    }()

    static func recognise(_ name: UnsafeBufferPointer<UInt8>) -> FieldName? {
        guard name.count < table.count else { return nil }
        for entry in table[name.count] where matches(name, entry.name) { return entry.field }
        return nil
    }

    private static func matches(_ name: UnsafeBufferPointer<UInt8>, _ entry: Bytes) -> Bool {
        for index in 0..<entry.count where lowered(name[index]) != entry[index] { return false }
        return true
    }
}

/// ASCII letters in lower case; everything else as it is.
func lowered(_ byte: UInt8) -> UInt8 {
    byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
}

func equalIgnoringCase(_ a: some Collection<UInt8>, _ b: some Collection<UInt8>) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { lowered($0) == lowered($1) }
}
