/// How full a file system is.
private import Glibc

package struct FileSystemSpace: Hashable, Sendable {
    /// Bytes that a process without privileges may still write.
    package var free: UInt64
    package var capacity: UInt64
    /// Files that can still be made (inodes); nil where there is no limit, as on btrfs.
    package var freeFiles: UInt64?
}

func fileSystemSpace(at path: String) throws(SystemFailure) -> FileSystemSpace {
    var status = statvfs()
    guard statvfs(path, &status) == 0 else { throw SystemFailure("statvfs", path) }
    let unit = UInt64(status.f_frsize)
    return FileSystemSpace(
        free: UInt64(status.f_bavail) * unit, capacity: UInt64(status.f_blocks) * unit,
        freeFiles: status.f_files == 0 ? nil : UInt64(status.f_favail))
}
