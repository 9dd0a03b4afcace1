/// What a front is told once, before it takes its first connection.
internal import Base
internal import Failpoints
package import Injection
package import NIOCore

package struct FrontSettings: Sendable {
    /// Names that a `Host` field may carry beside IP literals and `localhost`: lower case, without
    /// a port. `*` allows every name and gives up the defence against DNS rebinding.
    package var allowedHosts: [String]
    /// Makes the handler that turns ciphertext into plaintext; nil if this node has no certificate.
    ///
    /// It is put in front of the connection's own handler as soon as the first byte is 0x16, on an
    /// active channel, and is given that byte and all that follow. What it passes on is sniffed
    /// once more.
    package var makeTLSHandler: (@Sendable (any EventLoop) -> any ChannelHandler)?
    /// Whether requests in clear are taken over loopback only: with a certificate, what comes over
    /// the network is encrypted.
    package var takesClearFromLoopbackOnly: Bool
    /// Connections open at once on this front.
    package var connections: Int
    /// Bytes of request bodies, and of answers, that this front holds.
    package var requestBytes: Int
    package var responseBytes: Int
    /// Whether other stores may open streams.
    package var servesPeers: Bool
    /// Whether only those that show a certificate may.
    package var certifiesPeers: Bool
    package var failpoints: FailpointRegistry

    /// - Parameter cores: of the node, which share the limits on bytes.
    package init(
        allowedHosts: [String] = [],
        makeTLSHandler: (@Sendable (any EventLoop) -> any ChannelHandler)? = nil,
        takesClearFromLoopbackOnly: Bool = false, connections: Int, cores: Int = 1,
        servesPeers: Bool = false, certifiesPeers: Bool = false,
        failpoints: FailpointRegistry = FailpointRegistry()
    ) {
        self.servesPeers = servesPeers
        self.certifiesPeers = certifiesPeers
        self.failpoints = failpoints
        requestBytes = max(Limits.heldBytesPerCoreMin, Limits.requestBytes / cores)
        responseBytes = max(Limits.heldBytesPerCoreMin, Limits.responseBytes / cores)
        self.takesClearFromLoopbackOnly = takesClearFromLoopbackOnly
        self.allowedHosts = allowedHosts
        self.makeTLSHandler = makeTLSHandler
        self.connections = connections
    }
}
