/// What opening a data directory would find, asked without opening it: nothing is made, written or
/// waited for.
private import Glibc

extension DataDirectory {
    package enum Finding: Hashable, Sendable {
        /// A node that starts here begins a new cluster.
        case empty
        case store(StoreIdentity)
    }

    /// Whether anything was ever begun there, in a folder that exists.
    package static func holdsStore(_ path: String) throws(DataDirectoryError) -> Bool {
        try readIdentity(path) != nil
    }

    /// Of a folder that exists. Fails as opening would.
    package static func inspect(_ path: String) throws(DataDirectoryError) -> Finding {
        let identity = try readIdentity(path)
        try DirectoryLock.refuseHeld(path)
        if try readNext(path) != nil { throw .recovering(path: path) }
        return identity.map { .store($0) } ?? .empty
    }
}

extension DirectoryLock {
    /// Takes the lock for sharing and lets go at once: fails only while another process has it.
    fileprivate static func refuseHeld(_ folder: String) throws(DataDirectoryError) {
        let path = folder + "/" + name
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return }
            throw DataDirectoryError(SystemFailure("open", path))
        }
        defer { close(descriptor) }
        while flock(descriptor, LOCK_SH | LOCK_NB) != 0 {
            if errno == EINTR { continue }
            guard errno == EWOULDBLOCK else {
                throw DataDirectoryError(SystemFailure("lock", path))
            }
            throw .inUse(path: folder, holder: try readHolder(descriptor, path))
        }
    }
}
