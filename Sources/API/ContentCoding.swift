/// Content codings (RFC 9110 §8.4): which one a body has, and which one a client takes.
///
/// Says only what is asked for and allowed. The HTTP front does and undoes gzip; a request that
/// gets here still coded is refused.
///
/// BREACH: who sees only the lengths of coded answers in TLS, and has a say in what stands in one,
/// can guess at the rest of it. Answers hold no credentials and repeat next to nothing of their
/// request, and a foreign page cannot make a browser ask (`OriginPolicy`). What is left is a page
/// of entries of which some are the attacker's: clients that fear it ask for no gzip.
package import Base

package enum ContentCoding: Hashable, Sendable {
    case identity
    case gzip
    /// One that is not known here, or several.
    case other

    /// Of all Content-Encoding fields together; `identity` is not to be sent there and says
    /// nothing.
    package static func of(_ headers: RequestHeaders) -> ContentCoding {
        var coding = ContentCoding.identity
        for field in headers.fields where field.name == .contentEncoding {
            forEachPart(of: field.value[...], by: UInt8(ascii: ",")) { name in
                if name.isEmpty || equals(name, "identity") { return }
                coding = coding == .identity && isGzip(name) ? .gzip : .other
            }
        }
        return coding
    }

    /// Whether the front undoes the coding of such a request's body.
    package static func isUndone(
        _ method: Method, _ target: Bytes, _ headers: RequestHeaders
    ) -> Bool {
        switch method {
        case .post, .put: of(headers) == .gzip && takesGzip(method, target)
        case .get, .head, .delete, .options, .other: false
        }
    }

    /// JSON bodies may be in gzip. A value has to come back as it was sent.
    static func takesGzip(_ method: Method, _ target: Bytes) -> Bool {
        switch method {
        case .post: true
        case .put: Route.of(target.prefix { $0 != UInt8(ascii: "?") }).route == .rawEntry
        case .get, .head, .delete, .options, .other: false
        }
    }

    /// `x-gzip` is the same (RFC 9110 §8.4.1.3).
    fileprivate static func isGzip(_ name: ArraySlice<UInt8>) -> Bool {
        equals(name, "gzip") || equals(name, "x-gzip")
    }

    /// The parts of a list, without surrounding space. Clients send Accept-Encoding with every
    /// request: nothing is allocated.
    fileprivate static func forEachPart(
        of text: ArraySlice<UInt8>, by separator: UInt8, _ take: (ArraySlice<UInt8>) -> Void
    ) {
        var rest = text
        while let end = rest.firstIndex(of: separator) {
            take(trimmed(rest[..<end]))
            rest = rest[(end + 1)...]
        }
        take(trimmed(rest))
    }

    private static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var text = text.drop { $0 == 0x20 || $0 == 0x09 }
        while text.last == 0x20 || text.last == 0x09 { text = text.dropLast() }
        return text
    }

    /// `text` is in lower case.
    fileprivate static func equals(_ name: ArraySlice<UInt8>, _ text: StaticString) -> Bool {
        guard name.count == text.utf8CodeUnitCount else { return false }
        return zip(name, UnsafeBufferPointer(start: text.utf8Start, count: name.count))
            .allSatisfy { byte, letter in
                byte == letter || (0x41...0x5A).contains(byte) && byte | 0x20 == letter
            }
    }
}

package enum AcceptEncoding {
    /// Whether gzip is allowed, and not liked less than no coding at all (RFC 9110 §12.5.3). A
    /// client that says nothing gets no coding: it may be one that cannot undo it. So does one
    /// whose weight for gzip cannot be read, and one that takes neither: nothing ends in 406.
    package static func takesGzip(_ headers: RequestHeaders) -> Bool {
        var gzip: Int?
        var identity: Int?
        var anything: Int?
        for field in headers.fields where field.name == .acceptEncoding {
            ContentCoding.forEachPart(of: field.value[...], by: UInt8(ascii: ",")) { member in
                var name: ArraySlice<UInt8> = []
                var weight = 1000
                var parts = 0
                ContentCoding.forEachPart(of: member, by: UInt8(ascii: ";")) { part in
                    parts += 1
                    switch parts {
                    case 1: name = part
                    case 2: weight = Self.weight(part)
                    default: weight = 0  // a coding has no other parameter
                    }
                }
                if ContentCoding.isGzip(name) {
                    gzip = max(gzip ?? 0, weight)
                } else if ContentCoding.equals(name, "identity") {
                    identity = max(identity ?? 0, weight)
                } else if ContentCoding.equals(name, "*") {
                    anything = max(anything ?? 0, weight)
                }
            }
        }
        guard let gzip = gzip ?? anything, gzip > 0 else { return false }
        return gzip >= identity ?? 0
    }

    /// Thousandths; 0 if it is no weight (RFC 9110 §12.4.2: at most three places).
    private static func weight(_ parameter: ArraySlice<UInt8>) -> Int {
        let start = parameter.startIndex
        let count = parameter.count
        guard count >= 3, count <= 7, parameter[start] | 0x20 == UInt8(ascii: "q"),
            parameter[start + 1] == UInt8(ascii: "="),
            count == 3 || parameter[start + 3] == UInt8(ascii: ".")
        else { return 0 }
        var weight = 0
        for place in 0..<4 {
            let offset = place == 0 ? 2 : place + 3
            let digit = offset < count ? parameter[start + offset] : UInt8(ascii: "0")
            guard (0x30...0x39).contains(digit) else { return 0 }
            weight = weight * 10 + Int(digit - 0x30)
        }
        return weight <= 1000 ? weight : 0
    }
}

extension Response {
    /// Whether the client's Accept-Encoding decides on this answer's form.
    ///
    /// An answer with an entity tag keeps its one form: the tag is a strong one, that of the value,
    /// and a coded form would need another (RFC 9110 §8.8.3.3), with which no write could then be
    /// made conditional.
    package var mayBeCoded: Bool {
        guard let contentType, contentType.isCodable else { return false }
        return Limits.gzipBytes.contains(body.count) && entityTag == nil
    }
}
