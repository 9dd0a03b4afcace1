/// Bytes and files set aside in the data directory, for when another program has taken the last.
///
/// `DiskGuard` stops writes long before the disk is full, but it does not stop other programs, and
/// RocksDB does not survive a file that it cannot write: not a flush of what it has taken, and not
/// a start, which begins new logs and manifests and may flush what it replays. So there are files
/// of zeros that hold blocks and inodes, to be given back when a flush no longer fits, or when a
/// start finds nothing free, and made again when there is plenty.
///
/// While there is not plenty, each write of the log looks first: between two looks of the watch
/// another program can take all there is, and it is writes that make RocksDB begin new files.
///
/// It does not make the end of the disk survivable: a program that takes the last byte while
/// RocksDB writes a table, and what is given back as well, still ends the node. What it gives is
/// that this is rare, and that the next start works.
internal import Base
private import Glibc
package import Storage
private import Synchronization

package final class DiskReserve: Sendable {
    package struct Held: Hashable, Sendable {
        package var bytes: UInt64 = 0
        package var files: UInt64 = 0
    }

    static let name = "reserve"

    private struct State: Sendable {
        /// Files that are there, of `DiskGuard.filesToFlush`: fewer after a crash that came while
        /// they were made or removed, and those are made whole or given back like all.
        var files: UInt64
        /// Given back, and nobody has said so.
        var isNews = false
    }

    private let folder: String
    private let state: Mutex<State>
    /// Bytes that must be free, or writes give the reserve back; 0 while there is plenty.
    private let floor = Atomic<UInt64>(0)

    init(in directory: String) {
        folder = directory + "/" + Self.name
        state = Mutex(State(files: Self.held(in: directory).files))
    }

    /// What a look has found: below what writes have to look out for.
    package func expect(_ disk: DiskGuard) {
        floor.store(disk.hasPlenty ? 0 : disk.flushFloor, ordering: .relaxed)
    }

    /// Gives it back if a flush no longer fits.
    package func lookBeforeWriting() throws(StorageError) {
        let floor = floor.load(ordering: .relaxed)
        guard floor > 0 else { return }
        let space: FileSystemSpace
        do throws(SystemFailure) {
            space = try fileSystemSpace(at: folder)
        } catch {
            // Where nothing could be set aside there is nothing to give back either; a disk that
            // does not answer is told by the watch, and by the write.
            return
        }
        guard space.free < floor || (space.freeFiles ?? .max) < DiskGuard.filesToFlush else {
            return
        }
        try giveBack()
    }

    /// Whether it was given back since this was asked last.
    package func wasGivenBack() -> Bool {
        state.withLock { state in
            defer { state.isNews = false }
            return state.isNews
        }
    }

    /// What giving it back would bring, in a directory that may not be there. What cannot be
    /// looked at counts as nothing.
    package static func held(in directory: String) -> Held {
        var held = Held()
        for number in 0..<DiskGuard.filesToFlush {
            var status = stat()
            guard stat(file(number, in: directory + "/" + name), &status) == 0 else { continue }
            // stat(2): in units of 512 bytes, whatever the file system's own are.
            held.bytes += UInt64(clamping: status.st_blocks) * 512
            held.files += 1
        }
        return held
    }

    package func giveBack() throws(StorageError) {
        try state.withLock { state throws(StorageError) in
            guard state.files > 0 else { return }
            state = State(files: 0, isNews: true)
            try removeFiles()
        }
    }

    /// - Parameter mayTake: whether there is room for so many bytes and as many files as a flush
    ///   needs. Without it, and if the system refuses, there is no reserve.
    package func make(_ byteCount: UInt64, if mayTake: Bool) throws(StorageError) {
        try state.withLock { state throws(StorageError) in
            guard state.files < DiskGuard.filesToFlush, mayTake else { return }
            do throws(SystemFailure) {
                try SystemFiles.makeFolders(folder)
                for number in 0..<DiskGuard.filesToFlush {
                    try allocate(
                        Self.file(number, in: folder), byteCount / DiskGuard.filesToFlush)
                }
                state.files = DiskGuard.filesToFlush
            } catch {
                state.files = 0
                try removeFiles()
                throw .unreadable("\(error.operation) \(error.path): \(error.reason)")
            }
        }
    }

    private static func file(_ number: UInt64, in folder: String) -> String {
        "\(folder)/\(number)"
    }

    private func allocate(_ path: String, _ byteCount: UInt64) throws(SystemFailure) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SystemFailure("create", path) }
        defer { close(descriptor) }
        // The error is its result and not in errno.
        errno = posix_fallocate(descriptor, 0, off_t(byteCount))
        guard errno == 0 else { throw SystemFailure("allocate", path) }
    }

    private func removeFiles() throws(StorageError) {
        for number in 0..<DiskGuard.filesToFlush {
            let path = Self.file(number, in: folder)
            guard unlink(path) == 0 || errno == ENOENT else {
                let failure = SystemFailure("remove", path)
                throw .unreadable("\(failure.operation) \(path): \(failure.reason)")
            }
        }
    }
}
