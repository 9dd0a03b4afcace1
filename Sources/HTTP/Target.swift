/// Request targets and methods as both protocols deliver them (RFC 9112 §3.2).
internal import API
internal import Base

enum Target {
    /// An absolute path with an optional query, or `*` with OPTIONS: visible ASCII without a
    /// fragment.
    static func isLegal(_ target: Bytes, method: Method) -> Bool {
        guard let first = target.first else { return false }
        if first == UInt8(ascii: "*") { return target.count == 1 && method == .options }
        guard first == UInt8(ascii: "/") else { return false }
        return target.withUnsafeBufferPointer { bytes in
            for byte in bytes where byte <= 0x20 || byte >= 0x7F || byte == UInt8(ascii: "#") {
                return false
            }
            return true
        }
    }

    /// Splits the absolute form; nil if `target` does not have that form.
    static func absolute(_ target: Bytes) -> (authority: Bytes, target: Bytes)? {
        for scheme: StaticString in ["http://", "https://"] {
            let count = scheme.utf8CodeUnitCount
            let prefix = UnsafeBufferPointer(start: scheme.utf8Start, count: count)
            guard target.count > count, equalIgnoringCase(target.prefix(count), prefix) else {
                continue
            }
            let rest = target[count...]
            guard
                let end = rest.firstIndex(where: {
                    $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?")
                })
            else { return (Bytes(rest), [UInt8(ascii: "/")]) }
            let path = rest[end] == UInt8(ascii: "?") ? [UInt8(ascii: "/")] : []
            return (Bytes(rest[..<end]), path + rest[end...])
        }
        return nil
    }
}

extension Method {
    init(_ name: UnsafeBufferPointer<UInt8>) {
        func matches(_ other: StaticString) -> Bool {
            name.elementsEqual(
                UnsafeBufferPointer(start: other.utf8Start, count: other.utf8CodeUnitCount))
        }
        switch name.count {
        case 3 where matches("GET"): self = .get
        case 3 where matches("PUT"): self = .put
        case 4 where matches("HEAD"): self = .head
        case 4 where matches("POST"): self = .post
        case 6 where matches("DELETE"): self = .delete
        case 7 where matches("OPTIONS"): self = .options
        default: self = .other
        }
    }
}
