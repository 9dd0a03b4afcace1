/// Whom a store believes to be another store of its cluster, before it has said a word.
///
/// In clear whoever reaches the port is believed, so such stores belong into a network of their
/// own. With TLS a stream counts only if its connection has shown a certificate that an authority
/// of `--peer-ca` signed; a store that has TLS and no such authorities believes nobody rather than
/// everybody.
package enum PeerTrust: Hashable, Sendable {
    case anyone
    case nobody
    case certified

    /// What a connection has shown.
    package enum Shown: Hashable, Sendable {
        /// It is not encrypted.
        case clear
        case nothing
        /// A certificate, and why it does not count.
        case rejected(String)
        case certificate
    }

    package func fault(of shown: Shown) -> PeerFault? {
        switch (self, shown) {
        case (.anyone, _), (.certified, .certificate): nil
        case (.nobody, _):
            .unauthenticated(
                "the store that it came to has TLS and was started without --peer-ca FILE, "
                    + "which names the authorities that sign the certificates of stores")
        case (.certified, .clear):
            .unauthenticated(
                "it came in clear, and the stores here talk over TLS; start it with --tls-cert, "
                    + "--tls-key and --peer-ca, and write https:// in --join")
        case (.certified, .nothing):
            .unauthenticated(
                "it showed no certificate; start it with --tls-cert, --tls-key and --peer-ca, "
                    + "so that it does")
        case (.certified, .rejected(let reason)):
            .unauthenticated(
                "its certificate is not accepted (\(reason)); give it one that is signed by an "
                    + "authority of --peer-ca here")
        }
    }
}
