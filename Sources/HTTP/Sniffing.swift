/// Which protocol a connection speaks, by its first bytes.
///
/// 0x16 opens a TLS record; the 24 bytes of the HTTP/2 preface open HTTP/2; an upper-case letter
/// opens a method of HTTP/1.1. PUT, POST and PATCH share their first letter with the preface, and
/// `PR…` its second.
internal import API
internal import Base
internal import DequeModule
internal import Failpoints
internal import Injection
internal import Logging
internal import NIOCore

extension Connection {
    static let preface: StaticString = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

    enum Spoken { case undecided, tls, http1, http2, unknown }

    static func spoken(_ bytes: UnsafeRawBufferPointer) -> Spoken {
        guard let first = bytes.first else { return .undecided }
        if first == 0x16 { return .tls }
        let count = min(bytes.count, preface.utf8CodeUnitCount)
        if bytes.prefix(count).elementsEqual(
            UnsafeBufferPointer(start: preface.utf8Start, count: count))
        {
            return count == preface.utf8CodeUnitCount ? .http2 : .undecided
        }
        // An empty line may come before a request (RFC 9112 §2.2).
        if first == 0x0D || first == 0x0A { return .http1 }
        return first >= UInt8(ascii: "A") && first <= UInt8(ascii: "Z") ? .http1 : .unknown
    }

    func sniff(_ before: ByteBuffer?, _ more: ByteBuffer) {
        var bytes = more
        if var joined = before {
            joined.writeImmutableBuffer(more)
            bytes = joined
        }
        switch bytes.withUnsafeReadableBytes(Self.spoken) {
        case .undecided: mode = .sniffing(bytes)
        case .tls: startTLS(bytes)
        case .http1 where isClearRefused: refuseClear()
        case .http2 where isClearRefused:
            write(Self.inadequateSecurity)
            close(.tlsRequired)
        case .http1: startHTTP1(bytes)
        case .http2:
            let session = HTTP2Session(
                state: front.state, isCertified: certificate == .verified)
            mode = .http2(session)
            session.start()
            if front.isDraining { session.drain() }
            feedHTTP2(session, bytes)
        case .unknown:
            refuse("This port speaks HTTP/1.1 and HTTP/2; these bytes are neither.", .malformed)
        }
    }

    private var isClearRefused: Bool {
        front.state.settings.takesClearFromLoopbackOnly && !isEncrypted
            && context?.channel.remoteAddress?.isLoopback != true
    }

    private func refuseClear() {
        refuse(
            "This port takes requests in clear over loopback only. Use https://.",
            .tlsRequired)
    }

    /// SETTINGS without a setting, then GOAWAY with INADEQUATE_SECURITY (RFC 9113 §7).
    private static var inadequateSecurity: ByteBuffer {
        ByteBuffer(bytes: [
            0, 0, 0, 4, 0, 0, 0, 0, 0,
            0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12,
        ])
    }

    private func startTLS(_ bytes: ByteBuffer) {
        guard let context, !isEncrypted else { return close(.malformed) }
        guard let make = front.state.settings.makeTLSHandler else {
            return refuse(
                "This port has no TLS. Use http://, or start the node with --tls-cert, --tls-key.",
                .tlsUnavailable)
        }
        if front.state.failpoints.reached(.tlsHandshake) == .closed { return close(.failed) }
        isEncrypted = true
        // Counted once more when it comes back as plaintext.
        front.state.counters.bytesReceived -= UInt64(bytes.readableBytes)
        front.state.counters.connectionsTLS += 1
        mode = .sniffing(nil)
        do {
            try context.pipeline.syncOperations.addHandler(
                make(context.eventLoop), position: .before(self))
        } catch {
            front.logger.error("no TLS handler", metadata: ["error": "\(error)"])
            return close(.failed)
        }
        // Enters at the head, and so passes the new handler.
        context.pipeline.fireChannelRead(bytes)
    }

    private func startHTTP1(_ bytes: ByteBuffer) {
        mode = .http1(HTTP1Session(state: front.state, isEncrypted: isEncrypted))
        feedHTTP1(bytes)
    }

    /// Before there is a session: answered in the oldest version that has problems to report, for a
    /// person at a prompt.
    private func refuse(_ detail: String, _ reason: CloseReason) {
        var buffer = ByteBuffer()
        let response = front.state.refuse(Refusal.malformed(detail), closesConnection: true)
        HTTP1Writer.writeHead(
            response, length: response.body.count, persists: false, isVersion10: false,
            date: front.state.date, into: &buffer)
        buffer.writeBytes(response.body)
        write(buffer)
        close(reason)
    }

    /// The client asked to go on in HTTP/2 (RFC 7540 §3.2), and may have done so already.
    func takeUpgrade(_ http1: HTTP1Session, followedBy bytes: ByteBuffer) {
        guard let context, let upgrade = http1.upgrade else { return }
        if front.state.failpoints.reached(.httpUpgrade) == .closed { return close(.failed) }
        let session = HTTP2Session(state: front.state)
        waiting = nil
        guard session.upgrade(settings: upgrade.settings, request: upgrade.request) else {
            _ = session.abandonEverything()
            return close(.malformed)
        }
        var buffer = ByteBuffer()
        HTTP1Writer.writeSwitchingProtocols(into: &buffer)
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
        mode = .http2(session)
        if front.isDraining { session.drain() }
        feedHTTP2(session, bytes)
    }
}
