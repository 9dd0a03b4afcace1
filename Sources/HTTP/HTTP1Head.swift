/// What the header section of an HTTP/1.1 request asks for, and what about it is wrong.
///
/// The parser has already refused what is not in the grammar. This checks what the fields say
/// together: framing that two servers could read differently (request smuggling), the authority,
/// the expectation.
internal import API
internal import Base

struct HTTP1Head: Sendable {
    var method = Method.other
    var target: Bytes = []
    var headers = RequestHeaders()
    var isVersion10 = false
    /// nil without a length.
    private(set) var contentLength: Int?

    /// What the list of a Connection field may hold and means something here.
    private struct ConnectionOptions: OptionSet {
        var rawValue: UInt8
        static let close = Self(rawValue: 1)
        static let keepAlive = Self(rawValue: 2)
        static let upgrade = Self(rawValue: 4)
        static let http2Settings = Self(rawValue: 8)
    }

    private var host: Bytes?
    private var hostCount = 0
    private var origin: Bytes?
    private var secFetchSite: Bytes?
    private var contentLengthCount = 0
    private var isLengthMalformed = false
    private var codingCount = 0
    private var isCodingChunked = false
    private var expectation = Expectation.none
    private var isOriginRepeated = false
    private var options: ConnectionOptions = []
    private var offersH2C = false
    private var settings: Bytes?
    private var settingsCount = 0

    /// Holds nothing.
    init() {}

    init(requestLine: UnsafeRawBufferPointer) throws(HTTP1Parser.Failure) {
        let line = try HTTP1Grammar.requestLine(requestLine)
        method = Method(line.method)
        target = Bytes(line.target)
        isVersion10 = line.isVersion10
    }

    var isChunked: Bool { codingCount > 0 }
    var hasBody: Bool { isChunked || (contentLength ?? 0) > 0 }
    /// Whether the client expects the connection to go on (RFC 9112 §9.3).
    var persists: Bool {
        !options.contains(.close) && (!isVersion10 || options.contains(.keepAlive))
    }
    var expectsContinue: Bool { expectation == .proceed && !isVersion10 }

    /// Whether the client wants to go on in HTTP/2 and may (RFC 7540 §3.2). Any other upgrade is
    /// not taken up, which needs no answer.
    private var offersUpgrade: Bool {
        offersH2C && options.isSuperset(of: [.upgrade, .http2Settings]) && settingsCount == 1
            && !isVersion10 && !hasBody
    }

    /// The client's settings of an upgrade that is to be taken up.
    var http2Settings: Bytes? {
        offersUpgrade ? settings.flatMap(UpgradeSettings.decode) : nil
    }

    mutating func take(_ field: FieldName, _ value: HTTP1Grammar.Text) {
        switch field {
        case .kept(let name): headers.append(name, Bytes(value))
        case .host:
            host = host ?? Bytes(value)
            hostCount += 1
        case .origin:
            if origin != nil { isOriginRepeated = true }
            origin = Bytes(value)
        case .secFetchSite:
            if secFetchSite != nil { isOriginRepeated = true }
            secFetchSite = Bytes(value)
        case .contentLength:
            contentLengthCount += 1
            contentLength = HTTP1Grammar.number(value)
            if contentLength == nil { isLengthMalformed = true }
        case .connection: takeOptions(value)
        case .transferEncoding:
            codingCount += 1
            isCodingChunked = equalIgnoringCase(value, "chunked".utf8)
        case .expect: expectation.take(value)
        case .upgrade:
            HTTP1Grammar.forEachMember(value) { member in
                if equalIgnoringCase(member, "h2c".utf8) { offersH2C = true }
            }
        case .http2Settings:
            settings = Bytes(value)
            settingsCount += 1
        }
    }

    private mutating func takeOptions(_ list: HTTP1Grammar.Text) {
        HTTP1Grammar.forEachMember(list) { member in
            if equalIgnoringCase(member, "close".utf8) {
                options.insert(.close)
            } else if equalIgnoringCase(member, "keep-alive".utf8) {
                options.insert(.keepAlive)
            } else if equalIgnoringCase(member, "upgrade".utf8) {
                options.insert(.upgrade)
            } else if equalIgnoringCase(member, "http2-settings".utf8) {
                options.insert(.http2Settings)
            }
        }
    }

    /// The first thing that is wrong; nil if the request may go on. Each ends the connection: what
    /// is refused by its head is not read any further.
    mutating func problem(_ origins: inout OriginPolicy) -> Problem? {
        if let problem = framingProblem() { return problem }
        if method == .other, target.first != UInt8(ascii: "/"), Target.absolute(target) == nil {
            return Refusal.noTunnel()
        }
        if target.count > Limits.targetBytes { return Refusal.targetTooLong(target.count) }
        if hostCount > 1 || (hostCount == 0 && !isVersion10) {
            return Refusal.malformed("A request has exactly one Host field.")
        }
        var authority = host
        if let absolute = Target.absolute(target) {
            (authority, target) = absolute
        }
        guard Target.isLegal(target, method: method) else {
            return Refusal.malformed(
                "The request target is not an absolute path of visible ASCII bytes.")
        }
        if isOriginRepeated { return Refusal.repeatedOrigin() }
        if let problem = origins.refusal(
            authority: authority, origin: origin, secFetchSite: secFetchSite)
        {
            return problem
        }
        if expectation == .unknown, !isVersion10 { return Refusal.expectation() }
        if offersUpgrade, http2Settings == nil { return Refusal.upgradeSettings() }
        if let contentLength, contentLength > Limits.bodyBytes {
            return Refusal.bodyTooLarge(contentLength)
        }
        return nil
    }

    private func framingProblem() -> Problem? {
        if isChunked {
            if contentLengthCount > 0 {
                return Refusal.malformed(
                    "A request has Transfer-Encoding or Content-Length, not both.")
            }
            guard !isVersion10, codingCount == 1, isCodingChunked else {
                return Refusal.malformed("The only Transfer-Encoding is chunked, in HTTP/1.1.")
            }
        }
        if contentLengthCount > 1 || isLengthMalformed {
            return Refusal.malformed("A request has one Content-Length field, a number of bytes.")
        }
        return nil
    }
}
