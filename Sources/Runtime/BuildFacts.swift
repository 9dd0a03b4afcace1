/// What the program knows of itself, told to a node once: for `/v1/status` and `/metrics`.

package struct BuildFacts: Hashable, Sendable {
    /// Semantic version.
    package var version: String
    /// The commit; `unknown` if whoever built it did not say.
    package var revision: String
    /// Of the compiler.
    package var swift: String

    package init(version: String, revision: String, swift: String) {
        self.version = version
        self.revision = revision
        self.swift = swift
    }
}
