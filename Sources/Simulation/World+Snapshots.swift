/// How a world hands a snapshot from one node to another: chunk by chunk, with losses, going on
/// where a broken transfer stopped, and giving up after some of them.
internal import Base
internal import Node
internal import Raft
internal import Regions
internal import Storage

struct SnapshotTransfer: Sendable {
    var link: Link
    /// The lives of both ends.
    var from: Int
    var to: Int
    var wanted: SimCore.SnapshotWanted
    var source: SnapshotSource
    var losses = 0
}

extension World {
    private static let chunkBytes = 100
    private static let lossesMax = 3

    func beginTransfer(_ wanted: SimCore.SnapshotWanted, _ node: SimNode) {
        guard let target = self.node(of: wanted.to.store) else {
            let lost = Event.snapshotEnded(SimNode.group, to: wanted.to, at: nil)
            agenda.schedule(.arrives(node.place(0), .shard, lost), after: 100_000_000)
            return
        }
        do throws(StorageError) {
            let view = node.disk.engine.view()
            transferCount += 1
            let source = try SnapshotSource(
                of: SimNode.group, from: view, origin: UInt64(transferCount),
                leaderTerm: wanted.term, chunkBytes: Self.chunkBytes)
            guard let source, source.snapshot.position.index >= wanted.atLeast else {
                violate(.durability, "node \(node.id) has less data than its log begins behind")
                return
            }
            transfers[transferCount] = SnapshotTransfer(
                link: Link(from: node.id, to: target), from: node.incarnation,
                to: nodes[target].incarnation, wanted: wanted, source: source)
            agenda.schedule(.transfers(transferCount), after: network.delay(&networkStream))
        } catch {
            violate(.durability, "node \(node.id) cannot make a snapshot: \(error)")
        }
    }

    /// It does not lead any more.
    func stopTransfers(of node: SimNode) {
        transfers = transfers.filter { $0.value.link.from != node.id }
    }

    func goesOn(_ number: Int) {
        guard var transfer = transfers[number] else { return }
        let (sender, receiver) = (nodes[transfer.link.from], nodes[transfer.link.to])
        guard sender.isUp, sender.incarnation == transfer.from else {
            transfers[number] = nil
            return
        }
        let arrives =
            network.passes(transfer.link) && !network.isLost(&networkStream) && receiver.isUp
            && receiver.replica == transfer.wanted.to
        guard arrives else {
            transfer.losses += 1
            transfers[number] = transfer
            guard transfer.losses < Self.lossesMax else { return end(number, at: nil) }
            agenda.schedule(.transfers(number), after: 100_000_000)
            return
        }
        do {
            try hand(&transfer, to: receiver)
        } catch {
            violate(.durability, "a snapshot cannot be handed over: \(error)")
            return end(number, at: nil)
        }
        transfers[number] = transfer
        let identity = transfer.source.snapshot
        if receiver.disk.arriving?.origin != transfer.source.origin {
            return end(number, at: identity.position.index)
        }
        agenda.schedule(.transfers(number), after: network.delay(&networkStream))
    }

    /// One chunk, the one that is wanted there.
    private func hand(_ transfer: inout SnapshotTransfer, to receiver: SimNode) throws {
        let identity = transfer.source.snapshot
        if receiver.disk.arriving?.origin != transfer.source.origin {
            receiver.disk.arriving = SnapshotStage(
                of: SimNode.group, identity, origin: transfer.source.origin)
        }
        guard var stage = receiver.disk.arriving else { return }
        // Where it stopped; from the start if the receiver has begun anew or taken another.
        guard let chunk = try transfer.source.chunk(stage.wanted) else {
            invariant(false, "a stage that lacks nothing is complete")
            return
        }
        _ = try stage.add(SnapshotChunk(decoding: chunk.encoded))
        receiver.disk.arriving = stage
        guard stage.isComplete else { return }
        receiver.disk.arrived(stage)
        let sender = nodes[transfer.link.from]
        let message = RaftMessage(
            from: sender.replica, to: receiver.replica, term: transfer.wanted.term,
            body: .snapshot(identity, transfer.wanted.beat))
        let shard = UnitAddress(core: 0, unit: .shard)
        let envelope = Envelope(
            from: shard, to: shard,
            body: .raft(PeerMessage(group: SimNode.group, message: message)))
        self.arrives(receiver.place(0), .shard, .received(envelope))
    }

    private func end(_ number: Int, at index: LogIndex?) {
        guard let transfer = transfers.removeValue(forKey: number) else { return }
        let node = nodes[transfer.link.from]
        arrives(
            node.place(0), .shard,
            .snapshotEnded(SimNode.group, to: transfer.wanted.to, at: index))
    }
}
