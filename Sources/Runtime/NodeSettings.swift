/// What a node is told once, before it starts: everything is decided and checked by then.
///
/// The command line makes one from flags, environment and file; tests make their own. Nothing here
/// has a default, so that no test runs with a value that nobody chose.
package import Regions
package import Settings

package struct NodeSettings: Sendable {
    /// A numeric address; port 0 asks for any free one.
    package struct Endpoint: Hashable, Sendable {
        package var host: String
        package var port: Int

        package init(host: String, port: Int) {
            self.host = host
            self.port = port
        }
    }

    /// Made if it is missing.
    package var dataDirectory: String
    /// At least one.
    package var listen: [Endpoint]
    /// Event loops, at least one.
    package var cores: Int
    /// PEM files, read again when certificates are reloaded; nil: cleartext only.
    package var tls: ServeSettings.TLSFiles?
    /// Beside TLS too: requests in clear from other machines.
    package var takesClearFromAnywhere: Bool
    /// Nil: the storage decides from the memory it sees.
    package var cacheBytes: Int?
    /// Connections open at once on the whole node: what the limit of file descriptors leaves for
    /// them.
    package var connections: Int
    /// Names that browsers may use beside IP addresses and localhost: lower case, without a port.
    package var allowedHosts: [String]
    package var build: BuildFacts
    /// Whether `/v1/debug/failpoints` is served.
    package var servesFailpoints: Bool
    /// The URL under which other stores reach this one; nil: the first address that it listens on.
    package var advertise: String?
    /// Where other stores are, as a store that has just joined was told.
    package var peers: [StoreID: String]

    package init(
        dataDirectory: String, listen: [Endpoint], cores: Int, tls: ServeSettings.TLSFiles?,
        takesClearFromAnywhere: Bool, cacheBytes: Int?, connections: Int,
        allowedHosts: [String], build: BuildFacts, servesFailpoints: Bool,
        advertise: String? = nil, peers: [StoreID: String] = [:]
    ) {
        self.dataDirectory = dataDirectory
        self.listen = listen
        self.cores = cores
        self.tls = tls
        self.takesClearFromAnywhere = takesClearFromAnywhere
        self.cacheBytes = cacheBytes
        self.connections = connections
        self.allowedHosts = allowedHosts
        self.build = build
        self.servesFailpoints = servesFailpoints
        self.advertise = advertise
        self.peers = peers
    }
}
