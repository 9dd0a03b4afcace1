/// Where `--file` puts a value.
///
/// A plain file is replaced whole, by a rename, if nobody can tell the new one from the old; if
/// somebody could (another owner, a second name, a mount, rights beyond the mode), it is written
/// where it is, as a shell does it. What is no plain file is never replaced: a pipe or a device is
/// written to, for no longer than the command may take. Extended attributes are not looked for.
internal import Base
internal import Glibc
internal import Settings
internal import Terminal

struct OutputFile {
    /// As the user gave it.
    let path: String

    /// Not less than a person notices, not so often that the machine does.
    private static let readerInterval = Duration.milliseconds(10)

    func write(
        _ bytes: Bytes, until deadline: ContinuousClock.Instant
    ) -> Result<Void, SystemError> {
        // Opened once more, a file would be cut off and a socket could not be opened at all.
        if let stream = standardStream {
            return fill(stream, bytes, until: deadline)
        }
        var facts = stat()
        guard stat(path, &facts) == 0 else {
            // A link to nothing makes what it points to, as with a shell.
            return lstat(path, &facts) == 0
                ? overwrite(path, bytes, O_CREAT) : replace(path, bytes, nil)
        }
        switch facts.st_mode & S_IFMT {
        case S_IFREG:
            // A link stays one.
            let target = resolvedPath(path) ?? path
            // Also what a rename would get past: a file that may not be written.
            guard faccessat(AT_FDCWD, target, W_OK, AT_EACCESS) == 0 else { return .failure(.last) }
            guard OutputFile.isReplaceable(facts) else { return overwrite(target, bytes) }
            return replace(target, bytes, facts)
        case S_IFDIR: return .failure(SystemError(number: EISDIR))
        case S_IFSOCK: return .failure(SystemError(number: ENOTSOCK))
        case S_IFIFO: return feed(bytes, untilRead: true, until: deadline)
        default: return feed(bytes, untilRead: false, until: deadline)
        }
    }

    private var standardStream: Int32? {
        switch path {
        case "-", "/dev/stdout": STDOUT_FILENO
        case "/dev/stderr": STDERR_FILENO
        default: path.hasPrefix("/dev/fd/") ? Int32(path.dropFirst(8)) : nil
        }
    }

    /// With an access control list the bits of the group are its mask: given to the group alone,
    /// they would be rights that it never had. Where the group has no more than everybody, there is
    /// nothing to give.
    private static func isReplaceable(_ facts: stat) -> Bool {
        let beyondOthers = facts.st_mode >> 3 & ~facts.st_mode & 0o7
        return facts.st_nlink == 1 && facts.st_uid == geteuid() && beyondOthers == 0
    }

    /// Whole or not at all: written beside it, then renamed into its place.
    private func replace(
        _ target: String, _ bytes: Bytes, _ old: stat?
    ) -> Result<Void, SystemError> {
        let folder = target.lastIndex(of: "/").map { target[...$0] } ?? ""
        let part = "\(folder).martlet-\(getpid())-\(UInt32.random(in: 0 ... .max)).part"
        let descriptor = open(
            part, O_WRONLY | O_CLOEXEC | O_CREAT | O_EXCL, old == nil ? 0o666 : 0o600)
        guard descriptor >= 0 else {
            let failure = SystemError.last
            // The file may be ours where the directory is not.
            return old == nil || failure.isShortOfSpace
                ? .failure(failure) : overwrite(target, bytes)
        }
        var failure: SystemError?
        if let old,
            fchown(descriptor, old.st_uid, old.st_gid) != 0
                || fchmod(descriptor, old.st_mode & 0o777) != 0
        {
            failure = .last
        }
        if failure == nil, !writeAll(bytes, to: descriptor) { failure = .last }
        if close(descriptor) != 0, failure == nil { failure = .last }
        if failure == nil, rename(part, target) != 0 { failure = .last }
        guard let failure else { return .success(()) }
        unlink(part)
        // A group that is not ours, a file that is a mount of its own, a sticky directory.
        return old == nil || failure.isShortOfSpace ? .failure(failure) : overwrite(target, bytes)
    }

    private func overwrite(
        _ target: String, _ bytes: Bytes, _ flags: Int32 = 0
    ) -> Result<Void, SystemError> {
        let descriptor = open(target, O_WRONLY | O_CLOEXEC | O_TRUNC | flags, 0o666)
        guard descriptor >= 0 else { return .failure(.last) }
        var failure: SystemError? = writeAll(bytes, to: descriptor) ? nil : .last
        if close(descriptor) != 0, failure == nil { failure = .last }
        return failure.map { .failure($0) } ?? .success(())
    }

    /// Into a pipe or a device.
    private func feed(
        _ bytes: Bytes, untilRead isPipe: Bool, until deadline: ContinuousClock.Instant
    ) -> Result<Void, SystemError> {
        var descriptor = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        // A pipe that nobody reads yet. To wait for a reader without an end is all that open(2)
        // offers.
        while isPipe, descriptor < 0, errno == ENXIO {
            let rest = ContinuousClock.now.duration(to: deadline)
            guard rest > .zero else { return .failure(SystemError(number: ETIMEDOUT)) }
            let pause = min(rest, OutputFile.readerInterval) / .microseconds(1)
            usleep(useconds_t(max(1, pause)))
            descriptor = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        }
        guard descriptor >= 0 else { return .failure(.last) }
        let result = fill(descriptor, bytes, until: deadline)
        guard close(descriptor) == 0 else { return .failure(.last) }
        return result
    }

    private func fill(
        _ descriptor: Int32, _ bytes: Bytes, until deadline: ContinuousClock.Instant
    ) -> Result<Void, SystemError> {
        // A reader that goes is told, and does not end the command in silence.
        signal(SIGPIPE, SIG_IGN)
        var rest = bytes[...]
        while !rest.isEmpty {
            guard awaitReadiness(descriptor, POLLOUT, until: deadline) else {
                return .failure(SystemError(number: ETIMEDOUT))
            }
            // A ready pipe takes PIPE_BUF without blocking, whoever set its mode.
            let piece = rest.prefix(Int(PIPE_BUF))
            let written = piece.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            if written < 0 {
                if errno == EINTR || errno == EAGAIN { continue }
                return .failure(.last)
            }
            rest = rest.dropFirst(written)
        }
        return .success(())
    }
}

extension SystemError {
    fileprivate var isShortOfSpace: Bool { [ENOSPC, EDQUOT, EFBIG, EIO].contains(number) }
}

extension OutputFile {
    func failure(_ error: SystemError, key: String) -> CommandFailure {
        func failed(_ code: String, _ fact: String, _ advice: String, _ status: ExitStatus)
            -> CommandFailure
        {
            let name = path == "-" ? "standard output" : shellQuoted(path)
            return CommandFailure(
                Diagnosis(.error, code, "\(name): \(fact)", advice: advice), status)
        }
        let elsewhere = "martlet get \(key) > FILE"
        switch error.number {
        case ETIMEDOUT:
            return failed(
                "timeout", "nobody read it in time", "--timeout 60s   # and a reader", .tryAgain)
        case EPIPE:
            return failed(
                "output_unwritable", "its reader left before the end", elsewhere, .disk)
        case ENOTSOCK:
            return failed("output_unwritable", "it is a socket", elsewhere, .usage)
        case ENOENT:
            return failed("output_unwritable", "there is no such directory", elsewhere, .usage)
        case EISDIR, ENOTDIR, ENAMETOOLONG, EBADF:
            return failed("output_unwritable", error.reason, elsewhere, .usage)
        case EACCES, EPERM, EROFS:
            return failed("output_unwritable", error.reason, elsewhere, .notAllowed)
        default: return failed("output_unwritable", error.reason, elsewhere, .disk)
        }
    }
}
