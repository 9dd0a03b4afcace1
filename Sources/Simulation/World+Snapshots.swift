/// How a world hands a snapshot from one node to another: what `SnapshotSending` decides where it
/// is sent and `SnapshotShelf` where it comes, over a network that loses chunks and answers.
///
/// Whatever is lost breaks the stream, as it does a connection; both ends know at once.
internal import Base
internal import Node
internal import Peers
internal import Raft
internal import Regions
internal import Storage

struct SnapshotTransfer: Sendable {
    /// On its way through the network.
    enum UnderWay: Sendable {
        case greeting
        case chunk(SnapshotChunk)
    }

    var link: Link
    /// The life of the sender.
    var from: Int
    var wanted: SimCore.SnapshotWanted
    var source: SnapshotSource
    var sending: SnapshotSending
    var pace = SnapshotPace()
    var chunk: SnapshotChunk?
    var underWay: UnderWay?
}

extension World {
    private static let chunkBytes = 100

    func beginTransfer(_ wanted: SimCore.SnapshotWanted, _ node: SimNode) {
        guard let target = self.node(of: wanted.to.store) else {
            let lost = Event.snapshotEnded(SimNode.group, to: wanted.to, at: nil)
            agenda.schedule(.arrives(node.place(0), .shard, lost), after: 100_000_000)
            return
        }
        do throws(StorageError) {
            let view = node.disk.engine.view()
            transferCount += 1
            let origin = UInt64(transferCount)
            let source = try SnapshotSource(
                of: SimNode.group, from: view, origin: origin, leaderTerm: wanted.term,
                chunkBytes: Self.chunkBytes)
            guard let source, source.snapshot.position.index >= wanted.atLeast else {
                violate(.durability, "node \(node.id) has less data than its log begins behind")
                return
            }
            transfers[transferCount] = SnapshotTransfer(
                link: Link(from: node.id, to: target), from: node.incarnation, wanted: wanted,
                source: source, sending: SnapshotSending(origin: origin, at: agenda.now))
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
        let sender = nodes[transfer.link.from]
        guard sender.isUp, sender.incarnation == transfer.from else {
            transfers[number] = nil
            return
        }
        let event: SnapshotSending.Event
        switch transfer.underWay {
        case nil: event = .deadlineReached
        case .greeting: event = reaches(transfer) ? .welcomed : .lost
        case .chunk(let chunk): event = hand(chunk, transfer).map { .answered($0) } ?? .lost
        }
        transfer.underWay = nil
        let end = step(&transfer, event)
        transfers[number] = transfer
        if let isThere = end { return ended(number, isThere: isThere) }
        if transfer.underWay != nil {
            agenda.schedule(.transfers(number), after: network.delay(&networkStream))
        } else if let next = transfer.sending.nextDeadline {
            agenda.schedule(.transfers(number), after: next.since(agenda.now).wholeNanoseconds)
        }
    }

    /// Whether it is over, and all there.
    private func step(
        _ transfer: inout SnapshotTransfer, _ event: SnapshotSending.Event
    ) -> Bool? {
        var events = [event]
        var end: Bool?
        while !events.isEmpty {
            var effects: [SnapshotSending.Effect] = []
            transfer.sending.step(events.removeFirst(), at: agenda.now, into: &effects)
            for effect in effects {
                switch effect {
                case .open: transfer.underWay = .greeting
                case .read(let wanted): events.append(read(wanted, &transfer))
                case .send: transfer.underWay = transfer.chunk.map { .chunk($0) }
                case .close: transfer.underWay = nil
                case .ended(let isThere): end = isThere
                }
            }
        }
        return end
    }

    private func read(
        _ wanted: UInt64, _ transfer: inout SnapshotTransfer
    ) -> SnapshotSending.Event {
        do throws(StorageError) {
            guard let chunk = try transfer.source.chunk(wanted) else { return .lost }
            transfer.chunk = chunk
            let goesAt = transfer.pace.take(chunk.content.count, at: agenda.now)
            return .read(wanted, goesAt: goesAt)
        } catch {
            violate(.durability, "a snapshot cannot be read: \(error)")
            return .lost
        }
    }

    private func reaches(_ transfer: SnapshotTransfer) -> Bool {
        let receiver = nodes[transfer.link.to]
        return network.passes(transfer.link) && !network.isLost(&networkStream) && receiver.isUp
            && receiver.replica == transfer.wanted.to
    }

    /// The answer, unless the chunk or that gets lost.
    private func hand(
        _ chunk: SnapshotChunk, _ transfer: SnapshotTransfer
    ) -> SnapshotAnswer? {
        guard reaches(transfer) else { return nil }
        do throws(DecodeError) {
            let chunk = try SnapshotChunk(decoding: chunk.encoded)
            let answer = try nodes[transfer.link.to].disk.take(chunk, at: agenda.now)
            return network.isLost(&networkStream) ? nil : answer
        } catch {
            violate(.durability, "a snapshot's chunk cannot be read: \(error)")
            return nil
        }
    }

    private func ended(_ number: Int, isThere: Bool) {
        guard let transfer = transfers.removeValue(forKey: number) else { return }
        let identity = transfer.source.snapshot
        if isThere { tell(transfer, of: identity) }
        let node = nodes[transfer.link.from]
        arrives(
            node.place(0), .shard,
            .snapshotEnded(
                SimNode.group, to: transfer.wanted.to, at: isThere ? identity.position.index : nil))
    }

    /// That all of it is there, if it still is.
    private func tell(_ transfer: SnapshotTransfer, of identity: SnapshotIdentity) {
        let (sender, receiver) = (nodes[transfer.link.from], nodes[transfer.link.to])
        guard reaches(transfer),
            receiver.disk.shelve(.told(identity), at: agenda.now).contains(.tell)
        else { return }
        let message = RaftMessage(
            from: sender.replica, to: receiver.replica, term: transfer.wanted.term,
            body: .snapshot(identity, transfer.wanted.beat))
        let shard = UnitAddress(core: 0, unit: .shard)
        let envelope = Envelope(
            from: shard, to: shard,
            body: .raft(PeerMessage(group: SimNode.group, message: message)))
        arrives(receiver.place(0), .shard, .received(envelope))
    }
}
