/// What the program says when a broken invariant ends it: which world that was, and how to see it
/// again.
///
/// A trap is a signal, and nothing of Swift may run then. So the sentence is made before each world
/// and its bytes wait in memory that is never freed. Whoever handled the signal before, Swift's
/// backtrace or nobody, does so afterwards.
internal import Glibc

enum LastWords {
    private static let signals = [SIGILL, SIGTRAP, SIGABRT, SIGSEGV, SIGBUS, SIGFPE]
    private static let capacity = 1_024
    // Unsafe by name only: this program has one thread, and the handler runs on it.
    nonisolated(unsafe) private static let bytes = UnsafeMutablePointer<CChar>.allocate(
        capacity: capacity)
    // Unsafe by name only, as above.
    nonisolated(unsafe) private static let earlier = UnsafeMutablePointer<sigaction>.allocate(
        capacity: signalsMax)
    private static let signalsMax = 65

    /// Once, before the first world.
    static func prepare() {
        bytes.initialize(repeating: 0, count: capacity)
        earlier.initialize(repeating: sigaction(), count: signalsMax)
        for signal in signals {
            var action = sigaction()
            action.__sigaction_handler.sa_handler = { LastWords.speak($0) }
            sigaction(signal, &action, earlier + Int(signal))
        }
    }

    /// Of the world that begins now.
    static func set(_ text: String) {
        for (place, byte) in (text + "\n\0").utf8.prefix(capacity - 1).enumerated() {
            bytes[place] = CChar(bitPattern: byte)
        }
    }

    /// The instruction that failed is run again when this returns, and meets the earlier handler.
    private static func speak(_ signal: Int32) {
        write(STDERR_FILENO, bytes, strlen(bytes))
        sigaction(signal, earlier + Int(signal), nil)
    }
}
