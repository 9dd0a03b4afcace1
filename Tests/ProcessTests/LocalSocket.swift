// A TCP socket of the test's own on 127.0.0.1: to hold a port, or to answer like somebody else's
// server.
import Foundation

final class LocalSocket: Sendable {
    private let descriptor: Int32
    let port: UInt16

    /// Bound to a free port; listening only if asked.
    init(listening: Bool = true) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                let bound = bind(descriptor, $0, size)
                return bound == 0 ? getsockname(descriptor, $0, &size) : bound
            }
        }
        guard result == 0, !listening || listen(descriptor, 16) == 0 else {
            throw POSIXError(.EADDRINUSE)
        }
        port = UInt16(bigEndian: address.sin_port)
    }

    deinit { close(descriptor) }

    /// Takes one connection in the background, reads once and answers with `response`.
    func answer(with response: String) {
        let socket = self
        Thread.detachNewThread {
            let connection = accept(socket.descriptor, nil, nil)
            guard connection >= 0 else { return }
            var buffer = [UInt8](repeating: 0, count: 16 << 10)
            if read(connection, &buffer, buffer.count) > 0 {
                let bytes = Array(response.utf8)
                _ = write(connection, bytes, bytes.count)
            }
            close(connection)
        }
    }

    /// A port that nobody listens on, at least until now.
    static func freePort() throws -> UInt16 { try LocalSocket(listening: false).port }
}

/// A connection of the test's own to 127.0.0.1.
final class ClientSocket {
    private let descriptor: Int32

    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        // What is not read must stay with the sender.
        var window: Int32 = 16 << 10
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &window, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let descriptor = descriptor
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw POSIXError(.ECONNREFUSED) }
    }

    deinit { close(descriptor) }

    func send(_ text: String) {
        let bytes = Array(text.utf8)
        _ = write(descriptor, bytes, bytes.count)
    }

    /// Waits for the first bytes of an answer and leaves the rest unread.
    func receiveSome() -> String {
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = read(descriptor, &buffer, buffer.count)
        return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }
}
