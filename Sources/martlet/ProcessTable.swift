/// Who holds a port: `/proc/net/tcp` gives the socket's inode, `/proc/*/fd` the process that has it
/// open (proc(5)).
///
/// Other users' processes keep their descriptors to themselves unless we are root; then the holder
/// stays unknown. Without `/proc` likewise.
internal import Glibc
internal import Settings

enum ProcessTable {
    static func holder(of address: ListenAddress) -> PortHolder? {
        var table = SocketTable()
        for path in ["/proc/net/tcp", "/proc/net/tcp6"] {
            // No such file without IPv6, or without /proc: then there is less to know.
            guard case .success(let bytes) = readFile(path, limit: 64 << 20) else { continue }
            table.read(String(decoding: bytes, as: UTF8.self))
        }
        let inodes = Set(table.holders(of: address))
        guard !inodes.isEmpty else { return nil }
        for pid in numericEntries("/proc") where holds(pid, anyOf: inodes) {
            return name(of: pid)
        }
        return nil
    }

    /// The program's file name, with the subcommand if it is one of ours.
    static func name(of pid: Int) -> ProcessName {
        guard case .success(let bytes) = readFile("/proc/\(pid)/cmdline", limit: 1 << 20) else {
            return ProcessName(pid: pid, program: nil)
        }
        let words = bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
        guard let program = words.first?.split(separator: "/").last else {
            return ProcessName(pid: pid, program: nil)
        }
        let isOurs = program == "martlet" && words.count > 1
        // A program may write anything into its command line, such as Redis its address.
        let shown = program.split(separator: " ").first ?? program
        return ProcessName(pid: pid, program: isOurs ? "\(shown) \(words[1])" : String(shown))
    }

    private static func holds(_ pid: Int, anyOf inodes: Set<UInt64>) -> Bool {
        let directory = "/proc/\(pid)/fd"
        for descriptor in numericEntries(directory) {
            var target = [CChar](repeating: 0, count: 64)
            let count = readlink("\(directory)/\(descriptor)", &target, target.count)
            guard count > 0 else { continue }
            let bytes = target[..<count].map(UInt8.init(bitPattern:))
            let link = String(decoding: bytes, as: UTF8.self)
            if link.hasPrefix("socket:["), let inode = UInt64(link.dropFirst(8).dropLast()),
                inodes.contains(inode)
            {
                return true
            }
        }
        return false
    }

    private static func numericEntries(_ path: String) -> [Int] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var numbers: [Int] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if let number = Int(name) { numbers.append(number) }
        }
        return numbers
    }
}
