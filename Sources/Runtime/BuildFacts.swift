/// What the compiler knows about this build.
enum BuildFacts {
    #if swift(>=6.4)
        static let swiftVersion = "6.4 or newer"
    #elseif swift(>=6.3)
        static let swiftVersion = "6.3"
    #else
        static let swiftVersion = "6.2"
    #endif

    /// The commit, where the build was told one; a package build has no way to ask git.
    static let revision = "unknown"
}
