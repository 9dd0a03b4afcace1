/// Keeps a socket from the programs that this process starts, which SwiftNIO does not (fcntl(2),
/// FD_CLOEXEC).
///
/// There is one: the runtime starts `swift-backtrace` when the node crashes. While that prints, or
/// hangs because somebody killed the node meanwhile, it would hold the port against the next start,
/// and clients and peers would wait for answers that nobody writes.
internal import Glibc
internal import NIOCore

extension Channel {
    func closeOnExec() throws {
        try pipeline.syncOperations.withUnsafeTransportIfAvailable {
            (descriptor: NIOBSDSocket.Handle) in
            guard fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0 else {
                throw IOError(errnoCode: errno, reason: "fcntl F_SETFD")
            }
        }
    }
}
