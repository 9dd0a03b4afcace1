/// A server's certificate over time: makes the handler of each new connection, and takes new files.
///
/// A connection keeps the certificate that it began with. New files are loaded whole before they
/// count: a broken one changes nothing and is reported, so a mistake in a renewal does not take the
/// node down. Once a day the context is made anew even if the files are the same, which changes the
/// keys of the session tickets (RFC 8446 §8.1 wants them short-lived).
package import Base
private import Synchronization

package final class TLSAcceptor: Sendable {
    package enum Reload: Hashable, Sendable {
        case unchanged
        case replaced(TLSIdentity)
        /// The new files cannot be used; the old certificate stays.
        case kept(TLSFileError)
    }

    private struct State {
        var context: TLSContext
        var contents: Contents
        var madeAt: WallTime
    }

    /// What was loaded, to tell a change: file times lie when files are renamed into place.
    private struct Contents: Hashable {
        var certificate: Fingerprint
        var key: Fingerprint
    }

    package let certificatePath: String
    private let keyPath: String
    private let state: Mutex<State>

    private static let ticketKeysLast = Duration.seconds(86_400)

    package init(certificate: String, key: String, now: WallTime) throws(TLSFileError) {
        certificatePath = certificate
        keyPath = key
        let (context, contents) = try Self.load(certificate, key, now)
        state = Mutex(State(context: context, contents: contents, madeAt: now))
    }

    /// What the certificate in use says.
    package var identity: TLSIdentity? { state.withLock { $0.context.identity } }

    /// Looks at the files; called once a minute and on SIGHUP.
    package func reload(now: WallTime) -> Reload {
        let context: TLSContext
        let contents: Contents
        do throws(TLSFileError) {
            (context, contents) = try Self.load(certificatePath, keyPath, now)
        } catch {
            return .kept(error)
        }
        return state.withLock { state in
            let isChanged = state.contents != contents
            let age = now.milliseconds - min(state.madeAt.milliseconds, now.milliseconds)
            if isChanged || age >= Self.ticketKeysLast.wholeNanoseconds / 1_000_000 {
                state = State(context: context, contents: contents, madeAt: now)
            }
            guard isChanged, let identity = context.identity else { return .unchanged }
            return .replaced(identity)
        }
    }

    /// For a connection whose first byte says TLS; called on its event loop.
    package func makeHandler() -> TLSHandler {
        TLSHandler(TLSSession(state.withLock { $0.context }))
    }

    private static func load(
        _ certificatePath: String, _ keyPath: String, _ now: WallTime
    ) throws(TLSFileError) -> (TLSContext, Contents) {
        let certificate = try TLSFiles.read(certificatePath)
        let key = try TLSFiles.read(keyPath)
        let context = try TLSContext.server(
            certificate: (certificatePath, certificate), key: (keyPath, key), now: now)
        return (
            context, Contents(certificate: Fingerprint(of: certificate), key: Fingerprint(of: key))
        )
    }
}
