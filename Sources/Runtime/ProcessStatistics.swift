/// The `process_*` metrics that every Prometheus client library exposes, read from /proc.
///
/// What cannot be read is left out of the scrape: a missing series says so better than a zero.
internal import Base
private import Glibc
internal import Telemetry

enum ProcessStatistics {
    static func measure(into scrape: inout Scrape) {
        if let fields = statFields() {
            let ticks = UInt64(sysconf(Int32(_SC_CLK_TCK)))
            // proc(5): utime and stime are fields 14 and 15, starttime 22, rss 24; the list begins
            // at 3.
            scrape.add(.processCPU, real: Double(fields[11] + fields[12]) / Double(ticks))
            scrape.add(.processResidentMemory, fields[21] * UInt64(getpagesize()))
            scrape.add(.processStartTime, real: bootTime + Double(fields[19]) / Double(ticks))
        }
        if let count = openFiles() { scrape.add(.processOpenFiles, count) }
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            scrape.add(.processMaxFiles, UInt64(limit.rlim_cur))
        }
    }

    /// Fields from the third on: the second, the program's name, may hold spaces.
    private static func statFields() -> [UInt64]? {
        guard let text = contents("/proc/self/stat"), let end = text.lastIndex(of: ")") else {
            return nil
        }
        let fields = text[text.index(after: end)...].split(separator: " ").map { UInt64($0) ?? 0 }
        return fields.count > 22 ? fields : nil
    }

    /// By two clocks and not from /proc/stat, which a service with `ProcSubset=pid` does not see;
    /// and once, so that a clock that is corrected does not look like a restart.
    private static let bootTime: Double = {
        var now = timespec()
        var sinceBoot = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        clock_gettime(CLOCK_BOOTTIME, &sinceBoot)
        return Double(now.tv_sec - sinceBoot.tv_sec)
            + Double(now.tv_nsec - sinceBoot.tv_nsec) / 1e9
    }()

    private static func openFiles() -> UInt64? {
        guard let directory = opendir("/proc/self/fd") else { return nil }
        defer { closedir(directory) }
        var count: UInt64 = 0
        while readdir(directory) != nil { count += 1 }
        // `.`, `..` and the descriptor of the directory itself.
        return count > 3 ? count - 3 : 0
    }

    private static func contents(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        let count = fread(&buffer, 1, buffer.count, file)
        return String(decoding: buffer[..<count], as: UTF8.self)
    }
}
