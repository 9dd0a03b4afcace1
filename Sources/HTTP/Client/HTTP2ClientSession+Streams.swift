/// Requests whose bodies come piece by piece and do not end, and pings: what stores say to each
/// other.
///
/// What is not sent yet is in an outbox, which whoever fills it bounds. nghttp2 takes from the
/// streams of a connection in turn, a frame each, so that one with little to say never waits for
/// more than a frame of each other.
package import Base
internal import CNghttp2
internal import DequeModule

extension HTTP2ClientSession {
    struct Outbox {
        var pieces: Deque<Bytes> = []
        /// Of the first piece.
        var taken = 0
        var byteCount = 0
        var isDeferred = false
    }

    package func open(_ request: borrowing ClientRequest, _ exchange: Int) {
        submit(request, exchange, isStream: true)
    }

    /// More of a body; nothing if the exchange is over.
    package func send(_ bytes: Bytes, _ exchange: Int) {
        guard let index = index(of: exchange), !bytes.isEmpty else { return }
        outboxes[index]?.pieces.append(bytes)
        outboxes[index]?.byteCount += bytes.count
        guard outboxes[index]?.isDeferred == true else { return }
        outboxes[index]?.isDeferred = false
        let code = nghttp2_session_resume_data(handle, slots[index].stream)
        invariant(
            code == 0 || code == NGHTTP2_ERR_INVALID_ARGUMENT.rawValue,
            "nghttp2 has memory for a stream that goes on")
    }

    /// Bytes that nghttp2 has not taken.
    package func unsent(_ exchange: Int) -> Int {
        index(of: exchange).flatMap { outboxes[$0]?.byteCount } ?? 0
    }

    package func ping() {
        let code = nghttp2_submit_ping(handle, UInt8(NGHTTP2_FLAG_NONE.rawValue), nil)
        invariant(code == 0, "nghttp2 has memory for a frame")
    }

    private func index(of exchange: Int) -> Int? {
        outboxes.keys.first { slots[$0].isOpen && slots[$0].exchange == exchange }
    }

    /// nil if there is nothing to send yet.
    func takeStreamed(_ index: Int, into out: UnsafeMutableRawBufferPointer) -> Int? {
        guard var outbox = outboxes[index], outbox.byteCount > 0 else {
            outboxes[index]?.isDeferred = true
            return nil
        }
        outboxes[index] = nil
        var filled = 0
        while filled < out.count, let piece = outbox.pieces.first {
            let count = min(out.count - filled, piece.count - outbox.taken)
            piece.withUnsafeBytes { bytes in
                let range = outbox.taken..<outbox.taken + count
                UnsafeMutableRawBufferPointer(rebasing: out[filled...])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[range]))
            }
            filled += count
            outbox.taken += count
            guard outbox.taken == piece.count else { break }
            outbox.pieces.removeFirst()
            outbox.taken = 0
        }
        outbox.byteCount -= filled
        outboxes[index] = outbox
        return filled
    }
}
