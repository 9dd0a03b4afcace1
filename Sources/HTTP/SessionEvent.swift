/// What a session tells its connection after it was fed: never from within a callback of the codec,
/// so that an answer given at once cannot re-enter it.
package import API
package import Base

package enum SessionEvent: Sendable {
    case request(Request, stream: Int32)
    case cancelled(stream: Int32)
    /// Another store opened a stream (`PeerStream`); the end of it comes as `cancelled` too.
    case opened(stream: Int32)
    case received(Bytes, stream: Int32)
}
