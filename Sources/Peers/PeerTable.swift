/// The streams that other stores have opened here: whose they are, and which of them still count.
///
/// A connection has a number, and an answer goes back by the connection that its request came by or
/// not at all: so a store's later life never hears what its earlier one asked. Each store has one
/// connection; a new one shows that the end of the old one has not been noticed yet.
package import Base
package import Regions

package struct PeerTable: Sendable {
    /// As the host calls it.
    package struct StreamID: Hashable, Sendable {
        package var number: UInt64
        package init(_ number: UInt64) { self.number = number }
    }

    package enum Verdict: Hashable, Sendable {
        /// Streams of an earlier connection of that store are over.
        case welcome(ending: [StreamID])
        case refused(PeerFault)
    }

    private struct Stream: Sendable {
        var store: StoreID
        var connection: UInt32
        var lane: PeerLane
    }

    package let own: PeerIdentity
    private var streams: [StreamID: Stream] = [:]
    /// Whose clocks were found to differ, and until when that is held against them.
    private var heldBack: [StoreID: (fault: PeerFault, until: Instant)] = [:]
    /// Which process is that store, as it was heard of last, and those that were before.
    private var processes: [StoreID: (now: UInt64, past: [UInt64])] = [:]

    /// Processes of one store that are remembered to be over.
    private static let pastMax = 16

    package init(own: PeerIdentity) { self.own = own }

    /// Judges the first record of a stream, and keeps it if it is welcome.
    /// - Parameter isRemoved: the cluster has removed that store.
    package mutating func open(
        _ stream: StreamID, on connection: UInt32, _ hello: PeerHello, isRemoved: Bool = false,
        at now: Instant
    ) -> Verdict {
        guard hello.version == PeerHello.version else {
            return .refused(.version(own: PeerHello.version, theirs: hello.version))
        }
        guard !own.former.contains(hello.cluster) else {
            return .refused(
                .leftBehind(hello.store, own: own.cluster, theirs: hello.cluster))
        }
        guard hello.cluster == own.cluster else {
            return .refused(.wrongCluster(own: own.cluster, theirs: hello.cluster))
        }
        guard hello.store != own.store else {
            let isItself = hello.incarnation == own.incarnation
            return .refused(isItself ? .itself(own.store) : .duplicate(own.store))
        }
        guard hello.addressee == own.store else {
            return .refused(.wrongStore(own: own.store, meant: hello.addressee))
        }
        guard !isRemoved else { return .refused(.removed(hello.store)) }
        if let held = heldBack[hello.store], now < held.until { return .refused(held.fault) }
        heldBack[hello.store] = nil
        if let fault = heard(of: hello.store, hello.incarnation) { return .refused(fault) }
        let ending = streams.filter {
            $0.value.store == hello.store
                && ($0.value.connection != connection || $0.value.lane == hello.lane)
        }.map(\.key).sorted { $0.number < $1.number }
        for old in ending { streams[old] = nil }
        streams[stream] = Stream(
            store: hello.store, connection: connection, lane: hello.lane)
        return .welcome(ending: ending)
    }

    /// Without that it would be back at once, and its clock be judged anew for as long as it takes.
    package mutating func holdBack(_ store: StoreID, for fault: PeerFault, at now: Instant) {
        guard case .clocks = fault else { return }
        heldBack[store] = (fault, now + Limits.peerClockHold)
    }

    /// A fault if that process was followed by another already.
    private mutating func heard(of store: StoreID, _ incarnation: UInt64) -> PeerFault? {
        guard var known = processes[store] else {
            processes[store] = (incarnation, [])
            return nil
        }
        guard known.now != incarnation else { return nil }
        guard !known.past.contains(incarnation) else { return .duplicate(store) }
        if known.past.count == Self.pastMax { known.past.removeFirst() }
        known.past.append(known.now)
        known.now = incarnation
        processes[store] = known
        return nil
    }

    /// Those that were welcome at least once.
    package var called: Set<StoreID> { Set(processes.keys) }

    /// The store that can be talked to no longer; nil if the stream did not count any more, or was
    /// for a snapshot.
    package mutating func close(_ stream: StreamID) -> StoreID? {
        guard let closed = streams.removeValue(forKey: stream), closed.lane != .snapshot else {
            return nil
        }
        return closed.store
    }

    /// By which an answer goes back; nil if that connection is gone.
    package func stream(of connection: UInt32, _ lane: PeerLane) -> StreamID? {
        streams.first { $0.value.connection == connection && $0.value.lane == lane }?.key
    }

    /// Less those of snapshots.
    package var streamCount: Int { streams.values.count { $0.lane != .snapshot } }
}
