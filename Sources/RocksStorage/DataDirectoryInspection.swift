/// What opening a data directory would find, asked without opening it: nothing is made, written or
/// waited for.

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
        _ = try DirectoryLock(sharing: path)
        if try readNext(path) != nil { throw .recovering(path: path) }
        return identity.map { .store($0) } ?? .empty
    }
}
