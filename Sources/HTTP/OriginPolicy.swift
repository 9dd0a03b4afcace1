/// Keeps foreign web pages out: every request of every protocol passes here once.
///
/// DNS rebinding makes a browser send requests of a foreign page to this node under the page's own
/// name, so names are allowed one by one. IP literals are allowed all: a rebound page always
/// carries a name. Cross-site requests (CSRF) give themselves away by `Origin` or `Sec-Fetch-Site`;
/// programs send neither.
internal import API
internal import Base

struct OriginPolicy {
    private let names: Set<Bytes>
    /// Passed last: nearly every request has the same, and need not be looked at again.
    private var approved: Bytes?
    private let allowsEveryName: Bool

    init(allowedHosts: [String]) {
        names = Set(allowedHosts.map { Bytes($0.utf8).map(lowered) } + [Bytes("localhost".utf8)])
        allowsEveryName = allowedHosts.contains("*")
    }

    /// nil if the request may pass. `authority` is nil for a request that names none (HTTP/1.0).
    mutating func refusal(authority: Bytes?, origin: Bytes?, secFetchSite: Bytes?) -> Problem? {
        if let authority, authority != approved {
            guard let host = Self.host(of: authority) else {
                return Problem(
                    .malformedRequest,
                    "The authority (Host) is not a host name or an IP literal, with a port or not."
                )
            }
            guard allows(host) else {
                return Problem(
                    .hostForbidden,
                    "This node does not answer to that name in the Host field; use its address, "
                        + "localhost, or a name given with --allow-host.")
            }
            approved = authority
        }
        if let origin, !Self.isSame(origin, authority) {
            return Problem(
                .originForbidden,
                "A web page of another origin may not use this node (Origin field).")
        }
        if let secFetchSite, equalIgnoringCase(secFetchSite, "cross-site".utf8) {
            return Problem(
                .originForbidden,
                "A web page of another site may not use this node (Sec-Fetch-Site field).")
        }
        return nil
    }

    private func allows(_ host: Bytes) -> Bool {
        if allowsEveryName || Self.isAddress(host) || names.contains(host) { return true }
        return host.count > 10 && host.suffix(10).elementsEqual(".localhost".utf8)
    }

    /// The host of `host[:port]` in lower case without a final dot; nil if it is malformed.
    static func host(of authority: Bytes) -> Bytes? {
        var host = authority[...]
        if authority.first == UInt8(ascii: "[") {
            guard let end = authority.firstIndex(of: UInt8(ascii: "]")) else { return nil }
            host = authority[...end]
        } else if let colon = authority.firstIndex(of: UInt8(ascii: ":")) {
            host = authority[..<colon]
        }
        let port = authority[host.endIndex...]
        guard port.isEmpty || port.first == UInt8(ascii: ":"), port.count <= 6,
            port.dropFirst().allSatisfy(isDigit)
        else { return nil }
        if host.last == UInt8(ascii: "."), host.count > 1 { host = host.dropLast() }
        guard !host.isEmpty else { return nil }
        if host.first == UInt8(ascii: "[") {
            let inside = host.dropFirst().dropLast()
            return inside.isEmpty || !inside.allSatisfy(isAddressByte) ? nil : host.map(lowered)
        }
        return host.allSatisfy(isNameByte) ? host.map(lowered) : nil
    }

    /// `http://host[:port]` with the host and port of the request itself. `null` never is.
    static func isSame(_ origin: Bytes, _ authority: Bytes?) -> Bool {
        guard let authority else { return false }
        for scheme: StaticString in ["http://", "https://"] {
            let count = scheme.utf8CodeUnitCount
            let prefix = UnsafeBufferPointer(start: scheme.utf8Start, count: count)
            if origin.count > count, equalIgnoringCase(origin.prefix(count), prefix),
                equalIgnoringCase(origin.dropFirst(count), authority)
            {
                return true
            }
        }
        return false
    }

    private static func isAddress(_ host: Bytes) -> Bool {
        if host.first == UInt8(ascii: "[") { return true }
        let parts = host.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { part in
                (1...3).contains(part.count) && part.allSatisfy(isDigit)
                    && part.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) } <= 255
            }
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
    }

    private static func isAddressByte(_ byte: UInt8) -> Bool {
        let lower = lowered(byte)
        return isDigit(byte) || (lower >= UInt8(ascii: "a") && lower <= UInt8(ascii: "f"))
            || byte == UInt8(ascii: ":") || byte == UInt8(ascii: ".")
    }

    /// The bytes of a registered name (RFC 3986 §3.2.2) that occur in host names; no
    /// percent-encoding.
    private static func isNameByte(_ byte: UInt8) -> Bool {
        let lower = lowered(byte)
        return isDigit(byte) || (lower >= UInt8(ascii: "a") && lower <= UInt8(ascii: "z"))
            || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_")
    }
}
