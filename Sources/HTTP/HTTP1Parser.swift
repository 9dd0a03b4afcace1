/// Reads requests out of the bytes of an HTTP/1.1 connection (RFC 9112): where a head ends, how a
/// body is framed, where the next request begins.
///
/// It is our own because a general decoder hands out each header field as two strings, and of a
/// request's fields this server looks at one or two: that was a sixth of the time of a small GET.
/// It is strict where two readers of the same bytes could differ, for that is how requests are
/// smuggled: a line ends in CRLF and in nothing else, no white space stands before a colon, nothing
/// is folded, a chunk is followed by CRLF. What a head asks for is `HTTP1Head`'s to say; what is
/// done about it, the session's.
internal import Base
private import Glibc

struct HTTP1Parser: Sendable {
    enum Part {
        /// The end of a header section.
        case head(HTTP1Head)
        /// Bytes of the body; valid as long as the input is.
        case body(UnsafeRawBufferPointer)
        /// The request is complete.
        case end
    }

    enum Failure: Error, Hashable {
        case targetTooLong
        case headersTooLarge
        case bodyTooLarge(Int)
        case versionNotSupported
        /// A sentence that says what about the bytes is wrong.
        case malformed(String)
    }

    private enum State {
        case requestLine
        case fields
        case headEnded
        /// Bytes of the body that are to come.
        case body(Int)
        case chunkSize
        /// Bytes of the chunk that are to come.
        case chunk(Int)
        case chunkEnd
        case trailers
        case requestEnded
    }

    /// A target may be longer than allowed here, so that it gets its own answer.
    private static let requestLineBytes = Limits.headerBytes + Limits.targetBytes
    /// Of a chunk's line with its extensions, and of all extensions of a body: what they say is
    /// ignored, so nobody sends much of it but to keep a server busy.
    private static let chunkLineBytes = 1024
    private static let extensionBytes = 16 << 10

    private var state = State.requestLine
    private var head = HTTP1Head()
    /// A line whose end has not come.
    private var partial: Bytes = []
    /// Of the section that is being read.
    private var fieldBytes = 0
    private var fieldCount = 0
    private var extensionBytes = 0

    /// Of the head that has just ended: its target and its fields.
    var headBytes: Int { head.target.count + fieldBytes }

    /// Of the head that has begun and not ended, as far as it is there.
    var partBytes: Int {
        if case .fields = state { headBytes + partial.count } else { partial.count }
    }

    /// Part of a header section is there, and the rest is not.
    var isInHead: Bool {
        switch state {
        case .requestLine: !partial.isEmpty
        case .fields: true
        default: false
        }
    }

    /// The next part, taken off the front of `input`; nil if all of it was taken and more is
    /// needed. After a failure nothing more can be read: where the next request begins is unknown.
    // Hot path: every request.
    mutating func next(_ input: inout UnsafeRawBufferPointer) throws(Failure) -> Part? {
        while true {
            switch state {
            case .requestLine, .fields, .chunkSize, .chunkEnd, .trailers:
                guard try readLine(&input) else { return nil }
            case .headEnded:
                state = head.isChunked ? .chunkSize : .body(head.contentLength ?? 0)
                if case .body(0) = state { state = .requestEnded }
                return .head(head)
            case .body(let remaining):
                guard let bytes = take(&input, remaining) else { return nil }
                let rest = remaining - bytes.count
                state = rest == 0 ? .requestEnded : .body(rest)
                return .body(bytes)
            case .chunk(let remaining):
                guard let bytes = take(&input, remaining) else { return nil }
                let rest = remaining - bytes.count
                state = rest == 0 ? .chunkEnd : .chunk(rest)
                return .body(bytes)
            case .requestEnded:
                state = .requestLine
                // An idle connection keeps nothing of its last request.
                head = HTTP1Head()
                return .end
            }
        }
    }

    private func take(
        _ input: inout UnsafeRawBufferPointer, _ limit: Int
    ) -> UnsafeRawBufferPointer? {
        guard !input.isEmpty else { return nil }
        let count = min(limit, input.count)
        defer { input = UnsafeRawBufferPointer(rebasing: input[count...]) }
        return UnsafeRawBufferPointer(rebasing: input[..<count])
    }

    // MARK: Lines

    /// Reads one line off the front of `input`; false if its end is not there yet.
    private mutating func readLine(_ input: inout UnsafeRawBufferPointer) throws(Failure) -> Bool {
        guard let start = input.baseAddress, !input.isEmpty else { return false }
        let found = memchr(start, Int32(UInt8(ascii: "\n")), input.count)
        let count = found.map { start.distance(to: $0) } ?? input.count
        guard partial.count + count <= lineLimit else { throw tooLong(input[..<count]) }
        let piece = UnsafeRawBufferPointer(rebasing: input[..<count])
        input = UnsafeRawBufferPointer(rebasing: input[min(count + 1, input.count)...])
        guard found != nil else {
            partial.append(contentsOf: piece)
            return false
        }
        guard !partial.isEmpty else {
            try endLine(piece)
            return true
        }
        let line = partial + piece
        partial.removeAll(keepingCapacity: false)
        // Typed throws do not pass through `withUnsafeBytes`.
        try line.withUnsafeBytes { line -> Result<Void, Failure> in
            do throws(Failure) {
                return .success(try endLine(line))
            } catch {
                return .failure(error)
            }
        }.get()
        return true
    }

    private mutating func endLine(_ line: UnsafeRawBufferPointer) throws(Failure) {
        guard line.last == UInt8(ascii: "\r") else {
            // An empty line before a request is no part of it (RFC 9112 §2.2).
            if line.isEmpty, case .requestLine = state { return }
            throw .malformed("A line of the request does not end in CRLF.")
        }
        let text = UnsafeRawBufferPointer(rebasing: line.dropLast())
        switch state {
        case .requestLine: if !text.isEmpty { try beginHead(text) }
        case .fields: try takeField(text)
        case .chunkSize: try beginChunk(text)
        case .chunkEnd:
            guard text.isEmpty else { throw Self.chunkTooLong }
            state = .chunkSize
        case .trailers: try takeTrailer(text)
        case .headEnded, .body, .chunk, .requestEnded:
            invariant(false, "no line is read here")
        }
    }

    private static let chunkTooLong = Failure.malformed("A chunk is longer than its size says.")

    private var lineLimit: Int {
        switch state {
        case .requestLine: Self.requestLineBytes
        case .chunkSize: Self.chunkLineBytes
        case .chunkEnd: 1
        default: Limits.headerBytes
        }
    }

    private func tooLong(_ rest: Slice<UnsafeRawBufferPointer>) -> Failure {
        let space = UInt8(ascii: " ")
        switch state {
        case .requestLine:
            // How long the target is nobody knows: its end is not there.
            return partial.contains(space) || rest.contains(space)
                ? .targetTooLong
                : .malformed("The first line has no space: a method, a target and a version.")
        case .chunkSize: return .malformed("The line with a chunk's size is too long.")
        case .chunkEnd: return Self.chunkTooLong
        default: return .headersTooLarge
        }
    }

    // MARK: Sections

    private mutating func beginHead(_ line: UnsafeRawBufferPointer) throws(Failure) {
        head = try HTTP1Head(requestLine: line)
        fieldBytes = 0
        fieldCount = 0
        extensionBytes = 0
        state = .fields
    }

    private mutating func takeField(_ line: UnsafeRawBufferPointer) throws(Failure) {
        guard !line.isEmpty else {
            state = .headEnded
            return
        }
        try count(line)
        let (name, value) = try HTTP1Grammar.field(line)
        if let field = FieldName.recognise(name) { head.take(field, value) }
    }

    private mutating func count(_ line: UnsafeRawBufferPointer) throws(Failure) {
        fieldBytes += line.count
        fieldCount += 1
        guard fieldBytes <= Limits.headerBytes, fieldCount <= Limits.headerFields else {
            throw .headersTooLarge
        }
    }

    private mutating func beginChunk(_ line: UnsafeRawBufferPointer) throws(Failure) {
        let (size, digits) = try HTTP1Grammar.chunkSize(line)
        extensionBytes += line.count - digits
        guard extensionBytes <= Self.extensionBytes else {
            throw .malformed("The extensions of the chunks are too long.")
        }
        guard size <= Limits.bodyBytes else { throw .bodyTooLarge(size) }
        fieldBytes = 0
        fieldCount = 0
        state = size == 0 ? .trailers : .chunk(size)
    }

    /// Trailers say nothing that is used here; one that speaks of framing was meant for another
    /// reader of these bytes than the one that let it pass.
    private mutating func takeTrailer(_ line: UnsafeRawBufferPointer) throws(Failure) {
        guard !line.isEmpty else {
            state = .requestEnded
            return
        }
        try count(line)
        let field = try HTTP1Grammar.field(line)
        switch FieldName.recognise(field.name) {
        case .contentLength, .transferEncoding:
            throw .malformed("A trailer says how the request is framed.")
        default: break
        }
    }
}
