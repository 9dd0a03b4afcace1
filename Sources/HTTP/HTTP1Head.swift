/// What the header section of an HTTP/1.1 request asks for, and what about it is wrong.
///
/// llhttp, inside NIO's decoder, has already refused what cannot be parsed. This checks what it
/// lets pass: framing that two servers could read differently (request smuggling), the authority,
/// the expectation.
internal import API
internal import Base
internal import NIOHTTP1

struct HTTP1Head {
    var method = Method.other
    var target: Bytes = []
    var headers = RequestHeaders()
    var persists = true
    var isVersion10 = false
    var expectsContinue = false
    /// nil without a length and without chunks.
    var contentLength: Int?
    var isChunked = false
    /// The client asks for another protocol; NIO's decoder reads no further then.
    var wantsUpgrade = false
    /// The client's settings, if the other protocol is HTTP/2 and it may be.
    var http2Settings: Bytes?

    var hasBody: Bool { isChunked || (contentLength ?? 0) > 0 }

    private var hosts: [Bytes] = []
    private var origin: Bytes?
    private var secFetchSite: Bytes?
    private var contentLengths = 0
    private var transferEncodings: [Bytes] = []
    private var expectation: Bytes?
    private var connectionTokens: [Bytes] = []
    private var upgrades: [Bytes] = []
    private var settingsFields: [Bytes] = []

    init(_ head: HTTPRequestHead) {
        method = Method(head.method)
        target = Bytes(head.uri.utf8)
        isVersion10 = head.version.minor == 0
        persists = head.isKeepAlive
        for (name, value) in head.headers {
            let field = name.utf8.withContiguousStorageIfAvailable { FieldName.recognise($0) }
            if let field, let field { take(field, Self.trimmed(Bytes(value.utf8))) }
        }
        isChunked = !transferEncodings.isEmpty
        expectsContinue =
            !isVersion10 && expectation.map { equalIgnoringCase($0, "100-continue".utf8) } ?? false
        if !upgrades.isEmpty { noteUpgrade() }
    }

    private mutating func take(_ field: FieldName, _ value: Bytes) {
        switch field {
        case .kept(let name): headers.append(name, value)
        case .host: hosts.append(value)
        case .origin: origin = value
        case .secFetchSite: secFetchSite = value
        case .contentLength:
            contentLengths += 1
            contentLength = Self.number(value)
        case .connection: connectionTokens += Self.tokens(value)
        case .transferEncoding: transferEncodings.append(value)
        case .expect: expectation = value
        case .upgrade: upgrades += Self.tokens(value)
        case .http2Settings: settingsFields.append(value)
        }
    }

    private mutating func noteUpgrade() {
        func has(_ token: String, in tokens: [Bytes]) -> Bool {
            tokens.contains { $0.elementsEqual(token.utf8) }
        }
        wantsUpgrade = has("upgrade", in: connectionTokens)
        if wantsUpgrade, !isVersion10, !hasBody, has("h2c", in: upgrades),
            has("http2-settings", in: connectionTokens), settingsFields.count == 1
        {
            http2Settings = Base64URL.decode(settingsFields[0])
        }
    }

    /// The first thing that is wrong; nil if the request may go on. Each ends the connection but
    /// for those that say nothing about where the request ends.
    mutating func problem(_ origins: inout OriginPolicy) -> Problem? {
        if let problem = framingProblem() { return problem }
        if method == .other, target.first != UInt8(ascii: "/"), Target.absolute(target) == nil {
            return Refusal.methodUnknown()  // CONNECT
        }
        if target.count > Limits.targetBytes { return Refusal.targetTooLong(target.count) }
        if hosts.count > 1 || (hosts.isEmpty && !isVersion10) {
            return Refusal.malformed("A request has exactly one Host field.")
        }
        var authority = hosts.first
        if let absolute = Target.absolute(target) {
            (authority, target) = absolute
        }
        guard Target.isLegal(target, method: method) else {
            return Refusal.malformed(
                "The request target is not an absolute path of visible ASCII bytes.")
        }
        if let problem = origins.refusal(
            authority: authority, origin: origin, secFetchSite: secFetchSite)
        {
            return problem
        }
        if expectation != nil, !expectsContinue, !isVersion10 { return Refusal.expectation() }
        if let contentLength, contentLength > Limits.bodyBytes {
            return Refusal.bodyTooLarge(contentLength)
        }
        return nil
    }

    private func framingProblem() -> Problem? {
        if isChunked {
            if contentLengths > 0 {
                return Refusal.malformed(
                    "A request has Transfer-Encoding or Content-Length, not both.")
            }
            guard !isVersion10, transferEncodings.count == 1,
                equalIgnoringCase(transferEncodings[0], "chunked".utf8)
            else { return Refusal.malformed("The only Transfer-Encoding is chunked, in HTTP/1.1.") }
        }
        if contentLengths > 1 {
            return Refusal.malformed("A request has one Content-Length field.")
        }
        return nil
    }

    /// The decoder leaves white space at the end of a value.
    private static func trimmed(_ value: Bytes) -> Bytes {
        guard let last = value.last, last == 0x20 || last == 0x09 else { return value }
        let end = value.lastIndex { $0 != 0x20 && $0 != 0x09 }
        return end.map { Bytes(value[...$0]) } ?? []
    }

    /// Saturates; the decoder has checked that these are digits.
    private static func number(_ digits: Bytes) -> Int {
        digits.reduce(0) { $0 > Int.max / 100 ? $0 : $0 * 10 + Int($1 &- UInt8(ascii: "0")) }
    }

    /// The members of a list in lower case, without white space.
    private static func tokens(_ value: Bytes) -> [Bytes] {
        value.split(separator: UInt8(ascii: ",")).map { member in
            member.filter { $0 != 0x20 && $0 != 0x09 }.map(lowered)
        }
    }
}

extension Method {
    init(_ method: HTTPMethod) {
        switch method {
        case .GET: self = .get
        case .HEAD: self = .head
        case .PUT: self = .put
        case .POST: self = .post
        case .DELETE: self = .delete
        case .OPTIONS: self = .options
        default: self = .other
        }
    }
}

enum Base64URL {
    /// RFC 4648 §5 without padding; nil if it is anything else.
    static func decode(_ text: Bytes) -> Bytes? {
        var bytes = Bytes()
        var bits: UInt32 = 0
        var count = 0
        for byte in text {
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit = byte - UInt8(ascii: "A")
            case UInt8(ascii: "a")...UInt8(ascii: "z"): digit = byte - UInt8(ascii: "a") + 26
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0") + 52
            case UInt8(ascii: "-"): digit = 62
            case UInt8(ascii: "_"): digit = 63
            default: return nil
            }
            bits = bits << 6 | UInt32(digit)
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return text.count % 4 == 1 ? nil : bytes
    }
}
