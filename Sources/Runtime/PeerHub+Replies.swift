/// Replies to the requests of other stores: all of a turn for one stream leave together, and wait
/// there up to a limit.
///
/// History: a store that read slowly asked for thousands of values of MiB, and all of them waited
/// here. What finds no room is replied to without its keys and values: a read may be asked again,
/// and no write is told that it failed. Those replies are small, and no more than the requests that
/// a leader takes from others.
internal import Base
internal import HTTP
internal import Node
internal import Peers
internal import Regions

/// Of one turn for one stream.
struct PeerReplies: Sendable {
    fileprivate var replies: [(core: Int, reply: RegionReply)] = []
    fileprivate var bytes: Bytes = []

    fileprivate mutating func add(_ reply: RegionReply, to core: Int, at now: Instant) {
        replies.append((core, reply))
        bytes.appendRecord { record in
            PeerEnvelope(core: core, body: .reply(reply)).encode(into: &record, at: now)
        }
    }

    fileprivate func withoutBytes(at now: Instant) -> PeerReplies {
        var small = PeerReplies()
        for (core, reply) in replies { small.add(reply.withoutBytes, to: core, at: now) }
        return small
    }
}

extension PeerHub {
    func answer(
        _ reply: RegionReply, _ to: UnitAddress, at now: Instant,
        into answers: inout [StreamPlace: PeerReplies]
    ) {
        var alone = PeerReplies()
        alone.add(reply, to: to.core, at: now)
        let lane = PeerEnvelope(core: to.core, body: .reply(reply))
            .lane(byteCount: alone.bytes.count)
        guard let name = table.stream(of: to.connection, lane), let stream = inbound[name] else {
            counters.repliesLost[.gone, default: 0] += 1
            return
        }
        answers[stream.place, default: PeerReplies()].replies += alone.replies
        answers[stream.place]?.bytes += alone.bytes
    }

    func answer(_ replies: PeerReplies, by place: StreamPlace) {
        counters.bytesSent += UInt64(replies.bytes.count)
        with(place) { [self] core in
            let limit = Limits.peerQueueBytes
            guard !core.front.answer(place.exchange, replies.bytes, limit: limit) else { return }
            onLoop { $0.hasNoRoom(for: replies, by: place) }
        }
    }

    private func hasNoRoom(for replies: PeerReplies, by place: StreamPlace) {
        let small = replies.withoutBytes(at: Clocks.monotonic())
        counters.repliesLost[.full, default: 0] += UInt64(replies.replies.count)
        counters.bytesSent -= UInt64(replies.bytes.count)
        counters.bytesSent += UInt64(small.bytes.count)
        answer(small.bytes, by: place)
    }

    func answer(_ bytes: Bytes, by place: StreamPlace) {
        with(place) { $0.front.answer(place.exchange, bytes) }
    }
}
