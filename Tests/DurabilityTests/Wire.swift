// A blocking TCP connection to a node: HTTP/1.1 for what is ordinary, any bytes for what is not.
import Foundation

struct WireError: Error, CustomStringConvertible {
    var description: String
}

final class Wire {
    struct Answer {
        var status: Int
        var head: String
        var body: [UInt8]

        var isSuccess: Bool { (200..<300).contains(status) }
        var text: String { String(decoding: body, as: UTF8.self) }
    }

    private var descriptor: Int32
    private var received: [UInt8] = []

    /// `limit` bounds each wait, so that a server that hangs is a failure and not a hang.
    init(port: UInt16, receiveBuffer: Int32? = nil, limit: Int = 30) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw WireError(description: "socket: errno \(errno)") }
        if var size = receiveBuffer {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(4))
        }
        var wait = timeval(tv_sec: limit, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &wait, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &wait, size)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let descriptor = descriptor
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Foundation.connect(
                    descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw WireError(description: "connect: errno \(errno)") }
    }

    deinit { end() }

    /// Closes; `resets` throws away what is under way, as a client does that crashed.
    func end(resets: Bool = false) {
        guard descriptor >= 0 else { return }
        if resets {
            var now = linger(l_onoff: 1, l_linger: 0)
            let size = socklen_t(MemoryLayout<linger>.size)
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, size)
        }
        close(descriptor)
        descriptor = -1
    }

    /// False if the other end is gone.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    @discardableResult
    func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    enum Reading: Equatable {
        case bytes, nothing, end
    }

    /// Takes what has arrived; `isWaiting` waits for it.
    func receive(isWaiting: Bool) -> Reading {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        let flags = isWaiting ? 0 : Int32(MSG_DONTWAIT)
        let count = recv(descriptor, &buffer, buffer.count, flags)
        if count > 0 {
            received += buffer[..<count]
            return .bytes
        }
        return count < 0 && (errno == EAGAIN || errno == EINTR) ? .nothing : .end
    }

    /// All that comes until the server closes; nil if it does not.
    func untilClosed() -> [UInt8]? {
        while true {
            switch receive(isWaiting: true) {
            case .bytes: continue
            case .nothing: return nil
            case .end: return received
            }
        }
    }

    /// Leaves everything but a few bytes with the server.
    func receiveFirstBytes() -> String {
        var buffer = [UInt8](repeating: 0, count: 12)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }

    func request(_ method: String, _ target: String, _ body: [UInt8] = []) throws -> Answer {
        let type = method == "POST" ? "Content-Type: application/json\r\n" : ""
        let head = "\(method) \(target) HTTP/1.1\r\nHost: localhost\r\n\(type)"
        let length = method == "GET" ? "\r\n" : "Content-Length: \(body.count)\r\n\r\n"
        guard send(Array((head + length).utf8) + body) else {
            throw WireError(description: "closed while sending")
        }
        return try answer()
    }

    func answer() throws -> Answer {
        var answer = try head()
        let field = answer.head.lowercased().split(separator: "\r\n").first {
            $0.hasPrefix("content-length:")
        }
        let length = field.flatMap { Int($0.filter(\.isNumber)) } ?? 0
        while received.count < length { try more() }
        answer.body = Array(received.prefix(length))
        received.removeFirst(length)
        return answer
    }

    private func head() throws -> Answer {
        var searched = 0
        while true {
            let end = Array("\r\n\r\n".utf8)
            var at = searched
            while at + 4 <= received.count {
                if received[at] == 13, received[at..<at + 4].elementsEqual(end) {
                    let head = String(decoding: received[..<at], as: UTF8.self)
                    received.removeFirst(at + 4)
                    let status = head.split(separator: " ").dropFirst().first.flatMap { Int($0) }
                    guard let status else { throw WireError(description: "no status: \(head)") }
                    return Answer(status: status, head: head, body: [])
                }
                at += 1
            }
            searched = max(0, received.count - 3)
            try more()
        }
    }

    private func more() throws {
        guard receive(isWaiting: true) == .bytes else {
            throw WireError(description: "no answer")
        }
    }
}
