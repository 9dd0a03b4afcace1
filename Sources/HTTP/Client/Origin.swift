/// Where a client connects to: scheme, host and port, read from a URL.
///
/// A small own reader instead of Foundation's `URL`, which normalises paths: keys are bytes here,
/// and `a/../b` must reach the server as it was written. User information and fragments are
/// refused.
package import Base

package struct Origin: Hashable, Sendable, CustomStringConvertible {
    package enum Scheme: String, Hashable, Sendable {
        case http, https
    }

    package var scheme: Scheme
    /// Without the brackets of an IPv6 literal.
    package var host: String
    package var port: Int

    /// Martlet's own port, taken when a URL names none.
    package static let portDefault = 7171

    package init(scheme: Scheme, host: String, port: Int) {
        self.scheme = scheme
        self.host = host
        self.port = port
    }

    /// Reads `http://host:port/path?query`; what follows the authority is the target, `/` if
    /// nothing does. Without a scheme, `http` is meant.
    package static func parse(_ url: String) throws(ClientError) -> (origin: Origin, target: Bytes)
    {
        func refused(_ reason: String) -> ClientError { .invalidURL(url: url, reason: reason) }
        var scheme = Scheme.http
        var rest = Substring(url)
        if let separator = rest.firstRange(of: "://") {
            let name = rest[..<separator.lowerBound].lowercased()
            guard let known = Scheme(rawValue: name) else {
                throw refused("the scheme is \(name), not http or https")
            }
            scheme = known
            rest = rest[separator.upperBound...]
        }
        let authorityEnd = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
        let authority = rest[..<authorityEnd]
        let tail = rest[authorityEnd...]
        guard !tail.utf8.contains(UInt8(ascii: "#")) else { throw refused("it has a fragment") }
        guard tail.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
            throw refused("its path has white space or a control character; percent-encode it")
        }
        guard !authority.contains("@") else { throw refused("it has user information") }
        let (host, portText) = try split(authority, refused)
        guard !host.isEmpty else { throw refused("it has no host") }
        var port = portDefault
        if let portText {
            guard let number = Int(portText), (1...65535).contains(number) else {
                throw refused("the port is \"\(portText)\", not a number from 1 to 65535")
            }
            port = number
        }
        let target = tail.first == "/" ? Bytes(tail.utf8) : [UInt8(ascii: "/")] + Bytes(tail.utf8)
        return (Origin(scheme: scheme, host: String(host), port: port), target)
    }

    private static func split(
        _ authority: Substring, _ refused: (String) -> ClientError
    ) throws(ClientError) -> (host: Substring, port: Substring?) {
        if authority.first == "[" {
            guard let close = authority.firstIndex(of: "]") else {
                throw refused("the bracket around its IPv6 address is not closed")
            }
            let host = authority[authority.index(after: authority.startIndex)..<close]
            let after = authority[authority.index(after: close)...]
            if after.isEmpty { return (host, nil) }
            guard after.first == ":" else { throw refused("\"\(after)\" follows its address") }
            return (host, after.dropFirst())
        }
        guard let colon = authority.firstIndex(of: ":") else { return (authority, nil) }
        let port = authority[authority.index(after: colon)...]
        guard !port.contains(":") else {
            throw refused("an IPv6 address needs brackets, as in http://[::1]:7171")
        }
        return (authority[..<colon], port)
    }

    /// `host:port` as a Host field or an error message shows it.
    package var authority: String {
        host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    package var description: String { "\(scheme.rawValue)://\(authority)" }
}
