/// The client's half of HTTP/1.1 (RFC 9112) without I/O: requests to bytes, bytes to answers.
///
/// An own reader because the load generator shares the machine with the server it measures: it
/// allocates nothing per answer, where NIO's decoder builds a header collection. A class and not a
/// value, since the receiver may submit the next request from within `feed`. Left out: upgrades,
/// and any transfer coding but `chunked`.
private import Base
internal import DequeModule
private import Glibc
package import NIOCore

package final class HTTP1ClientSession {
    private struct Exchange {
        var number: Int
        var isHead: Bool
    }

    private enum State {
        case head
        case body(remaining: Int)
        case chunkSize
        case chunk(remaining: Int)
        case chunkEnd
        case trailers
        case untilClose
    }

    private struct Head {
        var status = 0
        var length: Int?
        var chunked = false
    }

    private var waiting: Deque<Exchange> = []
    private var state = State.head
    /// The start of a line or head whose end has not arrived.
    private var pending: Bytes = []
    private let host: Bytes
    private let receiver: any ClientReceiver
    private let wantsHeaders: Bool

    /// The server has not said that it will close.
    package private(set) var isReusable = true
    /// Bytes of the answer now being read have arrived.
    package private(set) var hasPartialAnswer = false

    package init(authority: String, receiver: any ClientReceiver) {
        host = Bytes("\r\nhost: \(authority)\r\nuser-agent: martlet\r\n".utf8)
        self.receiver = receiver
        wantsHeaders = receiver.wantsHeaders
    }

    package var exchangesOpen: Int { waiting.count }

    // Hot path: once per request of the load generator.
    package func submit(
        _ request: borrowing ClientRequest, _ exchange: Int, into out: inout ByteBuffer
    ) {
        waiting.append(Exchange(number: exchange, isHead: request.method == "HEAD"))
        out.writeString(request.method)
        out.writeInteger(UInt8(ascii: " "))
        out.writeBytes(request.target)
        out.writeStaticString(" HTTP/1.1")
        out.writeBytes(host)
        for header in request.headers {
            out.writeString(header.name)
            out.writeStaticString(": ")
            out.writeString(header.value)
            out.writeStaticString("\r\n")
        }
        if let body = request.body {
            out.writeStaticString("content-length: ")
            out.writeString(String(body.count))
            out.writeStaticString("\r\n\r\n")
            out.writeBytes(body)
        } else {
            out.writeStaticString("\r\n")
        }
    }

    package func feed(_ input: UnsafeRawBufferPointer) throws(ClientError) {
        guard !pending.isEmpty else { return try consume(input) }
        var bytes = pending
        pending = []
        bytes.append(contentsOf: input)
        let outcome = bytes.withUnsafeBytes { bytes -> Result<Void, ClientError> in
            Result { () throws(ClientError) in try consume(bytes) }
        }
        try outcome.get()
    }

    /// The server will send nothing more. An answer delimited by the end is complete now.
    package func endOfInput() {
        if case .untilClose = state { finish() }
    }

    /// Every exchange that has no answer yet, in order; the session is of no use afterwards.
    package func failAll(_ error: (_ isFirst: Bool) -> ClientError) {
        var isFirst = true
        while let exchange = waiting.popFirst() {
            receiver.failed(exchange.number, error(isFirst))
            isFirst = false
        }
    }

    private func consume(_ input: UnsafeRawBufferPointer) throws(ClientError) {
        var rest = input
        while !rest.isEmpty {
            guard let exchange = waiting.first else {
                throw .malformedResponse(reason: "\(rest.count) bytes that nothing asked for")
            }
            let taken = try step(rest, exchange)
            guard taken > 0 else {
                guard rest.count <= 2 * Limits.headerBytes else {
                    throw .malformedResponse(reason: "a head of more than \(rest.count) bytes")
                }
                pending = Bytes(rest)
                return
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[taken...])
        }
    }

    /// Takes one piece of the answer and returns its size; 0 if its end has not arrived.
    private func step(
        _ input: UnsafeRawBufferPointer, _ exchange: Exchange
    ) throws(ClientError) -> Int {
        switch state {
        case .head:
            hasPartialAnswer = true
            guard let end = headEnd(input) else { return 0 }
            try readHead(UnsafeRawBufferPointer(rebasing: input[..<end]), exchange)
            return end
        case .body(let remaining), .chunk(let remaining):
            let count = min(remaining, input.count)
            receiver.received(
                body: UnsafeRawBufferPointer(rebasing: input[..<count]), exchange.number)
            advanceBody(to: remaining - count)
            return count
        case .untilClose:
            receiver.received(body: input, exchange.number)
            return input.count
        case .chunkSize, .chunkEnd, .trailers:
            guard let lineEnd = indexOfLineFeed(input, from: 0) else { return 0 }
            try readLine(trimmed(input, 0..<lineEnd))
            return lineEnd + 1
        }
    }

    private func advanceBody(to remaining: Int) {
        switch state {
        case .chunk: state = remaining == 0 ? .chunkEnd : .chunk(remaining: remaining)
        default:
            state = .body(remaining: remaining)
            if remaining == 0 { finish() }
        }
    }

    /// A line of the chunked framing (RFC 9112 §7.1).
    private func readLine(_ line: UnsafeRawBufferPointer) throws(ClientError) {
        switch state {
        case .chunkSize:
            let digits = line.prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: " ") }
            guard let size = hexadecimal(digits) else {
                throw .malformedResponse(reason: "a chunk size that is no number")
            }
            state = size == 0 ? .trailers : .chunk(remaining: size)
        case .chunkEnd:
            guard line.isEmpty else {
                throw .malformedResponse(reason: "a chunk that is longer than its size")
            }
            state = .chunkSize
        case .trailers where line.isEmpty: finish()
        default: break
        }
    }

    private func finish() {
        guard let exchange = waiting.popFirst() else { return }
        state = .head
        hasPartialAnswer = false
        receiver.completed(exchange.number)
    }

    private func readHead(
        _ head: UnsafeRawBufferPointer, _ exchange: Exchange
    ) throws(ClientError) {
        var parsed = Head()
        var offset = 0
        while let lineEnd = indexOfLineFeed(head, from: offset) {
            let line = trimmed(head, offset..<lineEnd)
            if offset == 0 {
                parsed.status = try readStatusLine(line)
                if parsed.status >= 200 {
                    receiver.received(status: parsed.status, exchange.number)
                }
            } else if !line.isEmpty {
                try readField(line, &parsed, exchange)
            }
            offset = lineEnd + 1
        }
        guard parsed.status >= 200 else { return }
        if exchange.isHead || parsed.status == 204 || parsed.status == 304 {
            finish()
        } else if parsed.chunked {
            state = .chunkSize
        } else if let length = parsed.length {
            state = .body(remaining: length)
            if length == 0 { finish() }
        } else {
            isReusable = false
            state = .untilClose
        }
    }

    private func readStatusLine(_ line: UnsafeRawBufferPointer) throws(ClientError) -> Int {
        guard line.count >= 12, line.starts(with: "HTTP/1.".utf8), line[8] == UInt8(ascii: " ")
        else {
            let start = String(decoding: line.prefix(24), as: UTF8.self)
            throw .malformedResponse(reason: "it starts with \"\(start)\"")
        }
        if line[7] == UInt8(ascii: "0") { isReusable = false }
        var status = 0
        for byte in line[9..<12] {
            guard let digit = decimal(byte) else {
                throw .malformedResponse(reason: "a status that is no number")
            }
            status = status * 10 + digit
        }
        guard status >= 100, status != 101 else {
            throw .malformedResponse(reason: "status \(status)")
        }
        return status
    }

    private func readField(
        _ line: UnsafeRawBufferPointer, _ head: inout Head, _ exchange: Exchange
    ) throws(ClientError) {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > 0 else {
            throw .malformedResponse(reason: "a header line without a name")
        }
        let name = UnsafeRawBufferPointer(rebasing: line[..<colon])
        let value = trimmed(line, colon + 1..<line.count)
        if equals(name, "content-length") {
            guard let length = number(value), head.length ?? length == length else {
                throw .malformedResponse(reason: "a content-length that is no number")
            }
            head.length = length
        } else if equals(name, "transfer-encoding") {
            guard equals(value, "chunked") else {
                throw .malformedResponse(reason: "a transfer coding other than chunked")
            }
            head.chunked = true
        } else if equals(name, "connection"), equals(value, "close") {
            isReusable = false
        }
        if wantsHeaders, head.status >= 200 {
            receiver.received(header: name, value: value, exchange.number)
        }
    }

    /// Past the empty line that ends a head; nil if it has not arrived.
    private func headEnd(_ input: UnsafeRawBufferPointer) -> Int? {
        var offset = 0
        while let lineEnd = indexOfLineFeed(input, from: offset) {
            if offset > 0, trimmed(input, offset..<lineEnd).isEmpty { return lineEnd + 1 }
            offset = lineEnd + 1
        }
        return nil
    }
}

private func indexOfLineFeed(_ input: UnsafeRawBufferPointer, from offset: Int) -> Int? {
    guard offset < input.count, let base = input.baseAddress,
        let found = memchr(base + offset, 0x0A, input.count - offset)
    else { return nil }
    return UnsafeRawPointer(found) - base
}

/// Without spaces, tabs and the carriage return at either end.
private func trimmed(
    _ input: UnsafeRawBufferPointer, _ range: Range<Int>
) -> UnsafeRawBufferPointer {
    func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D }
    var lower = range.lowerBound
    var upper = range.upperBound
    while lower < upper, isBlank(input[lower]) { lower += 1 }
    while upper > lower, isBlank(input[upper - 1]) { upper -= 1 }
    return UnsafeRawBufferPointer(rebasing: input[lower..<upper])
}

/// ASCII letters compared without their case; `name` is in lower case.
private func equals(_ bytes: UnsafeRawBufferPointer, _ name: StaticString) -> Bool {
    guard bytes.count == name.utf8CodeUnitCount else { return false }
    for index in 0..<bytes.count {
        let byte = bytes[index]
        let lower = byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte
        if lower != name.utf8Start[index] { return false }
    }
    return true
}

private func decimal(_ byte: UInt8) -> Int? {
    byte >= 0x30 && byte <= 0x39 ? Int(byte) - 0x30 : nil
}

private func number(_ bytes: UnsafeRawBufferPointer) -> Int? {
    guard !bytes.isEmpty, bytes.count <= 15 else { return nil }
    var value = 0
    for byte in bytes {
        guard let digit = decimal(byte) else { return nil }
        value = value * 10 + digit
    }
    return value
}

private func hexadecimal(_ bytes: Slice<UnsafeRawBufferPointer>) -> Int? {
    guard !bytes.isEmpty, bytes.count <= 12 else { return nil }
    var value = 0
    for byte in bytes {
        let letter = byte | 0x20
        if let digit = decimal(byte) {
            value = value * 16 + digit
        } else if letter >= 0x61, letter <= 0x66 {
            value = value * 16 + Int(letter) - 0x61 + 10
        } else {
            return nil
        }
    }
    return value
}
