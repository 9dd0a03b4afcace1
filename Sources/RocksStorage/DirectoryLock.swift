/// The lock of a data directory: flock(2) on the file `LOCK`, whose text says who holds it.
///
/// The kernel drops the lock with the process, however that ends, so a text left behind means
/// nothing by itself. Its name, purpose and fields are frozen: a later release must be able to say
/// who is in the way.
internal import Base
private import Glibc

final class DirectoryLock: Sendable {
    static let name = "LOCK"
    private static let commandBytesMax = 256

    /// -1 if there is nothing to hold.
    private let descriptor: Int32

    /// Locks at once or says who has it; never waits.
    init(_ folder: String, now: WallTime) throws(DataDirectoryError) {
        let path = folder + "/" + Self.name
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw DataDirectoryError(SystemFailure("create", path)) }
        try Self.take(descriptor, LOCK_EX, in: folder)
        do throws(SystemFailure) {
            guard ftruncate(descriptor, 0) == 0 else { throw SystemFailure("truncate", path) }
            let command = try Self.command()
            let text = "pid: \(getpid())\nsince: \(now.milliseconds)\ncommand: \(command)\n"
            try SystemFiles.writeAll(descriptor, path, Bytes(text.utf8))
        } catch {
            throw DataDirectoryError(error)
        }
    }

    /// For whoever only looks: beside others that do, and without a word in the file, so that
    /// nothing of the directory changes. Where no process ever was nobody is kept out.
    init(sharing folder: String) throws(DataDirectoryError) {
        let path = folder + "/" + Self.name
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return }
            throw DataDirectoryError(SystemFailure("open", path))
        }
        try Self.take(descriptor, LOCK_SH, in: folder)
    }

    private static func take(
        _ descriptor: Int32, _ kind: Int32, in folder: String
    ) throws(DataDirectoryError) {
        let path = folder + "/" + name
        while flock(descriptor, kind | LOCK_NB) != 0 {
            if errno == EINTR { continue }
            guard errno == EWOULDBLOCK else {
                throw DataDirectoryError(SystemFailure("lock", path))
            }
            throw .inUse(path: folder, holder: try readHolder(descriptor, path))
        }
    }

    /// Unlocked by name, not only by closing: a child that is being started holds a copy of the
    /// descriptor until it has become another program, and the lock with it.
    deinit {
        guard descriptor >= 0 else { return }
        _ = flock(descriptor, LOCK_UN)
        close(descriptor)
    }

    /// Nil if the holder has not written itself down yet, or is no Martlet.
    private static func readHolder(
        _ descriptor: Int32, _ path: String
    ) throws(DataDirectoryError) -> DataDirectoryError.Holder? {
        let bytes: Bytes
        do throws(SystemFailure) {
            bytes = try SystemFiles.readAll(descriptor, path, 4096)
        } catch {
            throw DataDirectoryError(error)
        }
        var fields: [Substring: Substring] = [:]
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            let parts = line.split(separator: " ", maxSplits: 1)
            if parts.count == 2 { fields[parts[0]] = parts[1] }
        }
        guard let pid = fields["pid:"].flatMap({ Int32($0) }),
            let since = fields["since:"].flatMap({ UInt64($0) })
        else { return nil }
        return DataDirectoryError.Holder(
            pid: pid, since: WallTime(milliseconds: since),
            command: fields["command:"].map(String.init) ?? "")
    }

    /// This process's command line as one printable line.
    private static func command() throws(SystemFailure) -> String {
        let bytes = try SystemFiles.readBeginning(
            "/proc/self/cmdline", bytesMax: commandBytesMax)
        let words = bytes.map { $0 < 0x20 || $0 == 0x7F ? UInt8(ascii: " ") : $0 }
        return String(decoding: words.reversed().drop { $0 == 0x20 }.reversed(), as: UTF8.self)
    }
}
