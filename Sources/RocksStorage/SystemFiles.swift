/// The few file operations that the data directory needs, with the error number kept.
///
/// Straight on the C library: Foundation reports neither the number nor lets a file be synced by
/// name.
internal import Base
private import Glibc
internal import Storage

/// A system call that failed: which one, on what, and why.
struct SystemFailure: Error, Hashable, Sendable {
    var operation: String
    var path: String
    var number: Int32

    init(_ operation: String, _ path: String) {
        self.operation = operation
        self.path = path
        number = errno
    }

    init(_ operation: String, _ path: String, number: Int32) {
        self.operation = operation
        self.path = path
        self.number = number
    }

    var reason: String { String(cString: strerror(number)) }
    var isAbsence: Bool { number == ENOENT }
    var isDenial: Bool { number == EACCES || number == EPERM || number == EROFS }
    var isFull: Bool { number == ENOSPC || number == EDQUOT }
}

extension StorageError {
    /// Want of space is no broken disk: whoever is told has something to do about it.
    init(_ failure: SystemFailure) {
        let reason = "\(failure.operation) \(failure.path): \(failure.reason)"
        self = failure.isFull ? .full(reason) : .failed(reason)
    }
}

/// With the file and the reason, where it is not told apart any more what failed.
func naming<Result>(
    _ body: () throws(SystemFailure) -> Result
) throws(StorageError) -> Result {
    do throws(SystemFailure) {
        return try body()
    } catch {
        throw StorageError(error)
    }
}

enum SystemFiles {
    /// The whole file; one that is too large is nothing that was written here.
    static func read(_ path: String) throws(SystemFailure) -> Bytes {
        let bytes = try readBeginning(path, bytesMax: Limits.wholeFileBytes + 1)
        guard bytes.count <= Limits.wholeFileBytes else {
            throw SystemFailure("read", path, number: EFBIG)
        }
        return bytes
    }

    static func readBeginning(_ path: String, bytesMax: Int) throws(SystemFailure) -> Bytes {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemFailure("open", path) }
        defer { close(descriptor) }
        return try readAll(descriptor, path, bytesMax)
    }

    static func readAll(
        _ descriptor: Int32, _ path: String, _ bytesMax: Int
    ) throws(SystemFailure) -> Bytes {
        var bytes = Bytes()
        var buffer = Bytes(repeating: 0, count: 4096)
        while bytes.count < bytesMax {
            let count = Glibc.read(descriptor, &buffer, min(buffer.count, bytesMax - bytes.count))
            if count == 0 { break }
            if count < 0 {
                if errno == EINTR { continue }
                throw SystemFailure("read", path)
            }
            bytes += buffer[..<count]
        }
        return bytes
    }

    static func writeAll(
        _ descriptor: Int32, _ path: String, _ bytes: Bytes
    ) throws(SystemFailure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                throw SystemFailure("write", path)
            }
            rest = rest.dropFirst(count)
        }
    }

    /// Replaces `folder/name` as one durable step: a new file, synced, renamed over the old one,
    /// and the folder synced. A crash leaves the old contents or the new.
    static func replace(
        _ name: String, in folder: String, with bytes: Bytes
    ) throws(SystemFailure) {
        let path = folder + "/" + name
        let fresh = path + freshSuffix
        let descriptor = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SystemFailure("create", fresh) }
        defer { close(descriptor) }
        try writeAll(descriptor, fresh, bytes)
        guard fsync(descriptor) == 0 else { throw SystemFailure("fsync", fresh) }
        guard Glibc.rename(fresh, path) == 0 else { throw SystemFailure("rename", fresh) }
        try sync(folder: folder)
    }

    static let freshSuffix = ".new"

    static func sync(folder: String) throws(SystemFailure) {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemFailure("open", folder) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw SystemFailure("fsync", folder) }
    }

    /// Makes the folder and those above it that are missing, readable by the owner alone.
    static func makeFolders(_ path: String) throws(SystemFailure) {
        if mkdir(path, 0o700) == 0 {
            try sync(folder: parent(of: path))
            return
        }
        if errno == EEXIST { return }
        let parent = parent(of: path)
        guard errno == ENOENT, parent != path else { throw SystemFailure("create", path) }
        try makeFolders(parent)
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
            throw SystemFailure("create", path)
        }
        try sync(folder: parent)
    }

    static func parent(of path: String) -> String {
        var path = path[...]
        while path.count > 1, path.last == "/" { path.removeLast() }
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// The names in a folder, sorted, without "." and "..".
    static func names(in folder: String) throws(SystemFailure) -> [String] {
        guard let stream = opendir(folder) else { throw SystemFailure("open", folder) }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else { break }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        guard errno == 0 else { throw SystemFailure("list", folder) }
        return names.sorted()
    }

    /// The folder with all that is in it; nothing if it is not there.
    static func removeFolder(_ path: String) throws(SystemFailure) {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            let failure = SystemFailure("stat", path)
            if failure.isAbsence { return }
            throw failure
        }
        guard status.st_mode & S_IFMT == S_IFDIR else { return try removeFile(path) }
        for name in try names(in: path) { try removeFolder(path + "/" + name) }
        guard rmdir(path) == 0 else { throw SystemFailure("remove", path) }
    }

    static func removeFile(_ path: String) throws(SystemFailure) {
        guard unlink(path) == 0 else { throw SystemFailure("remove", path) }
    }

    static func rename(_ path: String, to other: String) throws(SystemFailure) {
        guard Glibc.rename(path, other) == 0 else { throw SystemFailure("rename", path) }
    }

    static func link(_ path: String, as other: String) throws(SystemFailure) {
        guard Glibc.link(path, other) == 0 else { throw SystemFailure("link", other) }
    }

    /// By how many names a file is reached.
    static func linkCount(of path: String) throws(SystemFailure) -> Int {
        var status = stat()
        guard lstat(path, &status) == 0 else { throw SystemFailure("stat", path) }
        return Int(status.st_nlink)
    }

    static func isFolder(_ path: String) throws(SystemFailure) -> Bool {
        var status = stat()
        guard stat(path, &status) == 0 else { throw SystemFailure("open", path) }
        return status.st_mode & S_IFMT == S_IFDIR
    }

    /// Bytes of all files below a folder. A file that goes away meanwhile counts as nothing.
    static func bytes(in folder: String) throws(SystemFailure) -> UInt64 {
        var sum: UInt64 = 0
        for name in try names(in: folder) { sum += try bytes(of: folder + "/" + name) }
        return sum
    }

    /// Of a file, or of all in a folder; one that has just gone has none.
    static func bytes(of path: String) throws(SystemFailure) -> UInt64 {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            let failure = SystemFailure("stat", path)
            if failure.isAbsence { return 0 }
            throw failure
        }
        return status.st_mode & S_IFMT == S_IFDIR ? try bytes(in: path) : UInt64(status.st_size)
    }
}
