/// The few questions to the operating system that the commands ask, each with its failure as a
/// value.
///
/// Glibc and not Foundation: these run before the port opens, and a start is measured in
/// milliseconds.
internal import Glibc
internal import Terminal

struct SystemError: Error, Hashable {
    var number: Int32

    static var last: SystemError { SystemError(number: errno) }

    /// In the words that this program uses for it.
    var reason: String {
        switch number {
        case ENOENT: "there is no such file"
        case EACCES, EPERM: "permission denied for user \(userName())"
        case EISDIR: "it is a directory"
        case ENOTDIR: "a part of the path is not a directory"
        case EROFS: "the file system is read-only"
        case ENAMETOOLONG: "the path is too long"
        case EFBIG: "it is larger than a configuration can be"
        default: String(cString: strerror(number)).lowercased()
        }
    }
}

/// The whole file, if it is no larger than `limit`.
func readFile(_ path: String, limit: Int) -> Result<[UInt8], SystemError> {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return .failure(.last) }
    defer { close(descriptor) }
    return readAll(descriptor, limit: limit)
}

/// With `deadline`, ETIMEDOUT if the end has not come by then.
func readAll(
    _ descriptor: Int32, limit: Int, until deadline: ContinuousClock.Instant? = nil
) -> Result<[UInt8], SystemError> {
    var content: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while true {
        if let deadline, !awaitReadiness(descriptor, POLLIN, until: deadline) {
            return .failure(SystemError(number: ETIMEDOUT))
        }
        let count = read(descriptor, &chunk, chunk.count)
        if count == 0 { return .success(content) }
        if count < 0 {
            if errno == EINTR { continue }
            return .failure(.last)
        }
        guard content.count + count <= limit else {
            return .failure(SystemError(number: EFBIG))
        }
        content.append(contentsOf: chunk[..<count])
    }
}

/// False if it is not so by then. What poll(2) does not like, read(2) and write(2) explain.
func awaitReadiness(
    _ descriptor: Int32, _ events: Int32, until deadline: ContinuousClock.Instant
) -> Bool {
    var wish = pollfd(fd: descriptor, events: Int16(events), revents: 0)
    while true {
        let rest = ContinuousClock.now.duration(to: deadline) / .milliseconds(1)
        guard rest > 0 else { return false }
        let ready = poll(&wish, 1, Int32(min(rest.rounded(.up), 1_000_000)))
        if ready > 0 || (ready < 0 && errno != EINTR) { return true }
    }
}

/// Of the effective user; its number if it has no name.
func userName() -> String {
    let user = geteuid()
    guard let entry = getpwuid(user), let name = entry.pointee.pw_name else { return "\(user)" }
    return String(cString: name)
}

/// Bytes an unprivileged process may still write to the file system of `path`, and files that it
/// may make, if they are counted there.
func freeSpace(_ path: String) -> Result<(bytes: Int, files: Int?), SystemError> {
    var status = statvfs()
    guard statvfs(path, &status) == 0 else { return .failure(.last) }
    return .success(
        (
            bytes: Int(clamping: status.f_bavail) * Int(clamping: status.f_frsize),
            files: status.f_files == 0 ? nil : Int(clamping: status.f_favail)
        ))
}

/// The size of the file system of `path`.
func capacityBytes(_ path: String) -> Result<Int, SystemError> {
    var status = statvfs()
    guard statvfs(path, &status) == 0 else { return .failure(.last) }
    return .success(Int(clamping: status.f_blocks) * Int(clamping: status.f_frsize))
}

/// Of the kernel's own making, as /proc and /sys are.
func isWithoutBlocks(_ path: String) -> Bool {
    var status = statvfs()
    return statvfs(path, &status) == 0 && status.f_blocks == 0
}

/// Made absolute and free of symbolic links, if it exists.
func resolvedPath(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
}
