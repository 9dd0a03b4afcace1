/// What the other end of a standard stream is, and what it wants.
private import Glibc

package enum StandardStream {
    package static func isInteractive(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

    /// Colour only for a person, and not against their will (no-color.org).
    package static func isPainted(_ descriptor: Int32) -> Bool {
        isInteractive(descriptor) && !isSet("NO_COLOR") && text("TERM") != "dumb"
    }

    private static func isSet(_ name: String) -> Bool { text(name)?.isEmpty == false }

    private static func text(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
