/// Whether an address is this machine's own.
internal import NIOCore

extension SocketAddress {
    /// 127.0.0.0/8, ::1, the former as the latter writes it, and sockets that are files.
    package var isLoopback: Bool {
        switch self {
        case .v4: ipAddress?.hasPrefix("127.") == true
        case .v6: ipAddress == "::1" || ipAddress?.hasPrefix("::ffff:127.") == true
        case .unixDomainSocket: true
        }
    }
}
