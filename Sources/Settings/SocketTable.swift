/// Reads `/proc/net/tcp` and `/proc/net/tcp6` (proc(5)): which socket listens on an address.
///
/// Pure: the text comes in, the inode goes out. Who holds the inode is for the caller to find.

package struct SocketTable: Sendable {
    package struct Listener: Hashable, Sendable {
        /// In network order: 4 or 16 bytes.
        package var address: [UInt8]
        package var port: UInt16
        package var inode: UInt64
    }

    package private(set) var listeners: [Listener] = []

    package init() {}

    /// Adds the listening sockets of one of the two files; lines that are not entries are skipped.
    package mutating func read(_ text: String) {
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ")
            // 0A is TCP_LISTEN.
            guard fields.count > 9, fields[3] == "0A", let inode = UInt64(fields[9]) else {
                continue
            }
            let local = fields[1].split(separator: ":")
            guard local.count == 2, let port = UInt16(local[1], radix: 16),
                let address = SocketTable.address(local[0])
            else { continue }
            listeners.append(Listener(address: address, port: port, inode: inode))
        }
    }

    /// The sockets that keep `wanted` from being bound: the same address, or a wildcard on either
    /// side.
    package func holders(of wanted: ListenAddress) -> [UInt64] {
        listeners.filter { listener in
            listener.port == wanted.port
                && (listener.address == wanted.bytes || wanted.isWildcard
                    || listener.address.allSatisfy { $0 == 0 })
        }.map(\.inode)
    }

    /// The kernel prints 32-bit words in the machine's byte order, which is little-endian on all
    /// that this builds for.
    private static func address(_ hex: Substring) -> [UInt8]? {
        guard hex.utf8.count == 8 || hex.utf8.count == 32 else { return nil }
        var bytes: [UInt8] = []
        var rest = hex
        while !rest.isEmpty {
            guard let word = UInt32(rest.prefix(8), radix: 16) else { return nil }
            for shift in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: word >> shift)) }
            rest = rest.dropFirst(8)
        }
        return bytes
    }
}
