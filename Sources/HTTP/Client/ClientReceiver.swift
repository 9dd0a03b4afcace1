/// Who hears of answers at the loop level: the load generator, the `async` client, later the peers.
///
/// All calls come on the connection's event loop, for the exchange number that `submit` was given.
/// A receiver may submit further requests from within them. Every exchange ends with exactly one
/// `completed` or `failed`.
package protocol ClientReceiver: AnyObject {
    /// False saves the calls for header fields; read once, when the connection is made.
    var wantsHeaders: Bool { get }
    /// The protocol is agreed on; requests may be submitted.
    func connected(_ connection: ClientConnection)
    func received(status: Int, _ exchange: Int)
    /// The name is in lower case only if the server sent it so (HTTP/2 demands it).
    func received(
        header name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, _ exchange: Int)
    func received(body: UnsafeRawBufferPointer, _ exchange: Int)
    func completed(_ exchange: Int)
    func failed(_ exchange: Int, _ error: ClientError)
    /// A ping was answered.
    func ponged()
    /// The last call, after every exchange has ended. nil if the connection ended in order.
    func disconnected(_ connection: ClientConnection, _ error: ClientError?)
}

extension ClientReceiver {
    package func ponged() {}
}
