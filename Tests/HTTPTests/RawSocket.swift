// A client's socket of its own: a small receive buffer, nothing read unless the test says so.
import Base
import Foundation
import Glibc

final class RawSocket {
    private let descriptor: Int32

    /// `receiveBuffer` in bytes is set before the connection is made, so that the window is small.
    init(port: Int, receiveBuffer: Int32 = 16 << 10) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var size = receiveBuffer
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0 else { throw Failure(errno: errno) }
    }

    deinit { Glibc.close(descriptor) }

    struct Failure: Error { var errno: Int32 }

    /// False once the server has reset the connection.
    @discardableResult
    func send(_ bytes: Bytes) -> Bool {
        var at = 0
        while at < bytes.count {
            let count = bytes[at...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            at += count
        }
        return true
    }

    func endOutput() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Some bytes; nil at the end.
    func receive() -> Bytes? {
        var bytes = Bytes(repeating: 0, count: 64 << 10)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        return count > 0 ? Bytes(bytes[..<count]) : nil
    }
}

/// TLS over such a socket.
final class TLSSocket {
    let socket: RawSocket
    let peer: RawTLSPeer

    init(port: Int, offer: [String] = []) throws {
        socket = try RawSocket(port: port)
        peer = RawTLSPeer(offer: offer)
        while !peer.handshake() {
            socket.send(peer.output())
            guard let bytes = socket.receive() else { throw RawSocket.Failure(errno: 0) }
            peer.feed(bytes)
        }
        socket.send(peer.output())
    }

    func send(_ text: String) {
        peer.write(text)
        socket.send(peer.output())
    }
}

/// True as soon as `condition` holds, false when it has not within `seconds`.
func holds(within seconds: Double = 20, _ condition: () throws -> Bool) rethrows -> Bool {
    let deadline = Date(timeIntervalSinceNow: seconds)
    while Date() < deadline {
        if try condition() { return true }
        usleep(10_000)
    }
    return try condition()
}
