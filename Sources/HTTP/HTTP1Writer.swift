/// Writes HTTP/1.1 response headers straight into the output buffer.
///
/// Hot path: one bounds computation, then plain copies; no `String`, no intermediate array.
internal import API
internal import Base
internal import NIOCore

enum HTTP1Writer {
    static func writeContinue(into buffer: inout ByteBuffer) {
        buffer.writeStaticString("HTTP/1.1 100 Continue\r\n\r\n")
    }

    static func writeSwitchingProtocols(into buffer: inout ByteBuffer) {
        buffer.writeStaticString(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: h2c\r\n\r\n")
    }

    /// `persists` is what the client is told; a client of HTTP/1.0 is told also if it is true.
    /// `length` is the body's, which a HEAD is told and not sent.
    static func writeHead(
        _ response: Response, length: Int, persists: Bool, isVersion10: Bool,
        date: UnsafePointer<UInt8>, into buffer: inout ByteBuffer
    ) {
        invariant((200...599).contains(response.status), "a final answer has a final status")
        var most = 480 + (response.requestID?.count ?? 0)
        for field in response.headers {
            most += field.name.wire.utf8CodeUnitCount + field.value.count + 4
        }
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: most) { room in
            let start = room.baseAddress!.assumingMemoryBound(to: UInt8.self)
            var cursor = Cursor(at: start, end: start + room.count)
            cursor.put("HTTP/1.1 ")
            cursor.put(response.status)
            cursor.put(" ")
            cursor.put(StatusLine.phrase(response.status))
            if let type = response.contentType {
                cursor.put("\r\ncontent-type: ")
                cursor.put(type.wire)
            }
            if response.mayHaveBody {
                cursor.put("\r\ncontent-length: ")
                cursor.put(length)
            }
            cursor.put("\r\ndate: ")
            cursor.put(date, HTTPDate.length)
            if let requestID = response.requestID {
                cursor.put("\r\nmartlet-request-id: ")
                cursor.put(requestID)
            }
            cursor.put("\r\nx-content-type-options: ")
            cursor.put(Response.noSniff)
            if !response.isStorable {
                cursor.put("\r\ncache-control: ")
                cursor.put(Response.noStore)
            }
            if response.isWholeOnly {
                cursor.put("\r\naccept-ranges: ")
                cursor.put(Response.none)
            }
            if let entityTag = response.entityTag {
                cursor.put("\r\netag: ")
                cursor.put(entityTag)
            }
            if let servedBy = response.servedBy {
                cursor.put("\r\nmartlet-served-by: ")
                cursor.put(servedBy)
            }
            for field in response.headers {
                assert(
                    field.value.allSatisfy { $0 >= 0x20 || $0 == 0x09 }, "values have no line ends")
                cursor.put("\r\n")
                cursor.put(field.name.wire)
                cursor.put(": ")
                cursor.put(field.value)
            }
            if !persists {
                cursor.put("\r\nconnection: close")
            } else if isVersion10 {
                cursor.put("\r\nconnection: keep-alive")
            }
            cursor.put("\r\n\r\n")
            return cursor.at - start
        }
    }

    private struct Cursor {
        private(set) var at: UnsafeMutablePointer<UInt8>
        private let end: UnsafeMutablePointer<UInt8>

        init(at start: UnsafeMutablePointer<UInt8>, end: UnsafeMutablePointer<UInt8>) {
            at = start
            self.end = end
        }

        @inline(__always)
        private func need(_ count: Int) {
            invariant(count <= end - at, "room was made for the whole head")
        }

        @inline(__always)
        mutating func put(_ text: StaticString) { put(text.utf8Start, text.utf8CodeUnitCount) }

        @inline(__always)
        mutating func put(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
            need(count)
            at.update(from: bytes, count: count)
            at += count
        }

        mutating func put(_ bytes: Bytes) {
            bytes.withUnsafeBufferPointer { if let base = $0.baseAddress { put(base, $0.count) } }
        }

        mutating func put(_ number: Int) {
            need(Decimal.maxLength)
            at += Decimal.write(number, to: at)
        }

        mutating func put(_ servedBy: ServedBy) {
            need(ServedBy.countMax)
            at += servedBy.write(to: at)
        }

        mutating func put(_ tag: Fingerprint) {
            need(Fingerprint.quotedCount)
            tag.writeQuoted(to: at)
            at += Fingerprint.quotedCount
        }
    }
}
