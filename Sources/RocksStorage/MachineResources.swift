/// What this process may use of the machine: the least of what the hardware, the control group and
/// the process's limits allow.
internal import Base
private import Glibc

package struct MachineResources: Hashable, Sendable {
    package var memoryBytes: Int
    package var cores: Int
    package var fileDescriptors: Int

    package init(memoryBytes: Int, cores: Int, fileDescriptors: Int) {
        self.memoryBytes = memoryBytes
        self.cores = cores
        self.fileDescriptors = fileDescriptors
    }

    package static func measured() -> MachineResources {
        let physical = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
        let cores = allowedCores() ?? sysconf(Int32(_SC_NPROCESSORS_ONLN))
        var limit = rlimit()
        let limited = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
        return MachineResources(
            memoryBytes: min(physical, controlGroupMemory() ?? .max), cores: max(1, cores),
            fileDescriptors: limited ? Int(clamping: limit.rlim_cur) : 1024)
    }

    /// Processors that this process may run on, where the system tells: `Cpus_allowed:
    /// ff,ffffffff`.
    private static func allowedCores() -> Int? {
        guard let status = text("/proc/self/status"),
            let line = status.split(separator: "\n").first(where: {
                $0.hasPrefix("Cpus_allowed:")
            })
        else { return nil }
        let count = line.dropFirst("Cpus_allowed:".count).reduce(0) { sum, digit in
            sum + (digit.hexDigitValue?.nonzeroBitCount ?? 0)
        }
        return count > 0 ? count : nil
    }

    /// The least limit of this process's control group and those above it, version 2 or 1.
    private static func controlGroupMemory() -> Int? {
        guard let groups = text("/proc/self/cgroup") else { return nil }
        var least: Int?
        for line in groups.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let (root, file): (String, String)
            if fields[0] == "0", fields[1].isEmpty {
                (root, file) = ("/sys/fs/cgroup", "memory.max")
            } else if fields[1].split(separator: ",").contains("memory") {
                (root, file) = ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            } else {
                continue
            }
            var group = String(fields[2])
            while true {
                // "max" is no number and means none; the root of version 2 has no such file.
                if let limit = text("\(root)\(group)/\(file)").flatMap({ Int($0) }) {
                    least = min(least ?? .max, limit)
                }
                guard group != "/", !group.isEmpty else { break }
                group = SystemFiles.parent(of: group)
            }
        }
        return least
    }

    /// Nil if there is no such file: not every system has control groups.
    private static func text(_ path: String) -> String? {
        do throws(SystemFailure) {
            var bytes = try SystemFiles.read(path)
            if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
            return String(decoding: bytes, as: UTF8.self)
        } catch {
            return nil
        }
    }
}
