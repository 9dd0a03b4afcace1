/// A node's certificate over time: makes the handler of each new connection, and takes new files.
///
/// A connection keeps the certificate that it began with. New files are loaded whole before they
/// count: a broken one changes nothing and is reported, so a mistake in a renewal does not take the
/// node down. Once a day the context is made anew even if the files are the same, which changes the
/// keys of the session tickets (RFC 8446 §8.1 wants them short-lived).
///
/// With authorities the same certificate is what the node shows to other stores, so it has to be
/// good for both ends of a connection, and they have to be those that signed it: a node that nobody
/// would talk to is found here and not by an outage.
package import Base
private import Synchronization

package final class TLSAcceptor: Sendable {
    package enum Reload: Hashable, Sendable {
        case unchanged
        case replaced(TLSIdentity)
        /// The new files cannot be used; what was loaded before stays.
        case kept(TLSFileError)
    }

    package struct Paths: Hashable, Sendable {
        package var certificate: String
        package var key: String
        /// Of the other stores; nil: no other store is believed.
        package var authorities: String?

        package init(certificate: String, key: String, authorities: String? = nil) {
            self.certificate = certificate
            self.key = key
            self.authorities = authorities
        }
    }

    private struct Loaded {
        var server: TLSContext
        var peer: TLSContext?
        var contents: [Fingerprint]
    }

    private struct State {
        var loaded: Loaded
        var madeAt: WallTime
    }

    package let paths: Paths
    private let state: Mutex<State>

    private static let ticketKeysLast = Duration.seconds(86_400)

    package init(_ paths: Paths, now: WallTime) throws(TLSFileError) {
        self.paths = paths
        state = Mutex(State(loaded: try Self.load(paths, now), madeAt: now))
    }

    /// What the certificate in use says.
    package var identity: TLSIdentity? { state.withLock { $0.loaded.server.identity } }

    /// What new connections are taken with.
    package var serverContext: TLSContext { state.withLock { $0.loaded.server } }

    /// What this node calls other stores with; nil without authorities.
    package var peerContext: TLSContext? { state.withLock { $0.loaded.peer } }

    /// Looks at the files; called once a minute and on SIGHUP.
    package func reload(now: WallTime) -> Reload {
        let loaded: Loaded
        do throws(TLSFileError) {
            loaded = try Self.load(paths, now)
        } catch {
            return .kept(error)
        }
        return state.withLock { state in
            let isChanged = state.loaded.contents != loaded.contents
            let age = now.milliseconds - min(state.madeAt.milliseconds, now.milliseconds)
            if isChanged || age >= Self.ticketKeysLast.wholeNanoseconds / 1_000_000 {
                state = State(loaded: loaded, madeAt: now)
            }
            guard isChanged, let identity = loaded.server.identity else { return .unchanged }
            return .replaced(identity)
        }
    }

    /// For a connection whose first byte says TLS; called on its event loop.
    package func makeHandler() -> TLSHandler {
        TLSHandler(TLSSession(serverContext))
    }

    /// The contents tell a change: file times lie when files are renamed into place.
    private static func load(_ paths: Paths, _ now: WallTime) throws(TLSFileError) -> Loaded {
        let certificate = try TLSFiles.file(paths.certificate)
        let key = try TLSFiles.file(paths.key)
        var contents = [Fingerprint(of: certificate.bytes), Fingerprint(of: key.bytes)]
        guard let path = paths.authorities else {
            return Loaded(
                server: try TLSContext.server(certificate: certificate, key: key, now: now),
                contents: contents)
        }
        let file = try TLSFiles.file(path)
        contents.append(Fingerprint(of: file.bytes))
        let authorities = try TLSAuthorities(file)
        let own = try OwnCertificate(certificate, key, now: now)
        for use in TLSAuthorities.Use.allCases {
            guard let reason = authorities.rejection(of: own.chain, for: use, at: now) else {
                continue
            }
            throw .notOfPeers(
                path: paths.certificate, authorities: path, use: "\(use)", reason: reason)
        }
        return Loaded(
            server: try TLSContext.server(
                certificate: certificate, key: key, authorities: authorities, now: now),
            peer: try TLSContext.peer(own, paths.certificate, authorities: authorities),
            contents: contents)
    }
}
