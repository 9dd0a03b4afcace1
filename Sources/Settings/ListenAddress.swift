/// An address to listen on: an IP address and a port, as written after `--listen`.
///
/// No host names: which address a name means can change between two starts, and then a node that
/// was private is public. `localhost` alone is taken, and is 127.0.0.1.
private import Glibc

package struct ListenAddress: Hashable, Sendable, CustomStringConvertible {
    /// Numeric, without brackets.
    package let host: String
    package let port: UInt16
    package let isIPv6: Bool
    /// The address in network order: 4 or 16 bytes.
    package let bytes: [UInt8]

    /// Nil if it is not an address; `advice(for:)` then says what would be right.
    package init?(_ text: String) {
        guard let (host, port) = ListenAddress.split(text) else { return nil }
        let name = host == "localhost" ? "127.0.0.1" : host
        guard let bytes = ListenAddress.addressBytes(name) else { return nil }
        self.host = name
        self.port = port
        self.bytes = bytes
        isIPv6 = bytes.count == 16
        // `[10.0.0.1]:80` and `::1:80` are slips that would be read as something else.
        guard isIPv6 == text.hasPrefix("[") else { return nil }
    }

    package func with(port: UInt16) -> ListenAddress {
        ListenAddress(host: host, port: port, isIPv6: isIPv6, bytes: bytes)
    }

    private init(host: String, port: UInt16, isIPv6: Bool, bytes: [UInt8]) {
        self.host = host
        self.port = port
        self.isIPv6 = isIPv6
        self.bytes = bytes
    }

    /// With the brackets that an IPv6 address has in a URL.
    package var urlHost: String { isIPv6 ? "[\(host)]" : host }

    package var description: String { "\(urlHost):\(port)" }

    /// Only programs on this machine can reach it: 127.0.0.0/8, ::1, and the former mapped into
    /// IPv6.
    package var isLoopback: Bool {
        if !isIPv6 { return bytes[0] == 127 }
        if bytes.dropLast().allSatisfy({ $0 == 0 }) { return bytes[15] == 1 }
        return bytes.starts(with: ListenAddress.mappedPrefix) && bytes[12] == 127
    }

    /// Every address of the machine: 0.0.0.0 or ::.
    package var isWildcard: Bool { bytes.allSatisfy { $0 == 0 } }

    /// RFC 4291 §2.5.5.2.
    private static let mappedPrefix: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]

    /// The address that the writer of a wrong text probably meant, as an example.
    package static func example(for text: String) -> String {
        if let port = UInt16(text) { return "127.0.0.1:\(port)" }
        if text.hasPrefix(":"), let port = UInt16(text.dropFirst()) { return "127.0.0.1:\(port)" }
        if let bytes = addressBytes(text) {
            return bytes.count == 16 ? "[\(text)]:7171" : "\(text):7171"
        }
        if let colon = text.lastIndex(of: ":"), !text.hasPrefix("["),
            addressBytes(String(text[..<colon]))?.count == 16
        {
            return "[\(text[..<colon])]\(text[colon...])"
        }
        return "127.0.0.1:7171"
    }

    private static func split(_ text: String) -> (host: String, port: UInt16)? {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = UInt16(digits)
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        return (String(host), port)
    }

    private static func addressBytes(_ text: String) -> [UInt8]? {
        var four = in_addr()
        if inet_pton(AF_INET, text, &four) == 1 { return withUnsafeBytes(of: four) { Array($0) } }
        var sixteen = in6_addr()
        if inet_pton(AF_INET6, text, &sixteen) == 1 {
            return withUnsafeBytes(of: sixteen) { Array($0) }
        }
        return nil
    }
}
