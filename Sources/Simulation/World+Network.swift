/// What a world does between its nodes: carries what they say, breaks connections, cuts links.
internal import Base
internal import Node
internal import Raft
internal import Regions
internal import Storage

extension World {
    /// To another store, or, for an answer, back to the one who asked.
    func ship(_ envelope: Envelope, from node: SimNode) {
        guard let store = envelope.to.store else {
            invariant(false, "what is shipped goes to another store")
            return
        }
        guard let target = self.node(of: store) else {
            // Wiped: nobody is there who could be asked.
            if case .request = envelope.body { noteLoss(of: store, to: node) }
            return
        }
        let link = Link(from: node.id, to: target)
        switch envelope.body {
        case .raft(let message): shipRaft(message, link)
        case .request(let request):
            let timeLeft = request.deadline.since(node.clock.now(at: agenda.now).instant)
            let connection = network.connection(link)
            let cargo = Cargo.request(
                envelope, asker: node.id, connection: connection, timeLeft: timeLeft)
            shipOnce(cargo, link, over: link)
        case .expire:
            let connection = network.connection(link)
            let cargo = Cargo.request(
                envelope, asker: node.id, connection: connection, timeLeft: .zero)
            shipOnce(cargo, link, over: link)
        case .reply:
            let way = Link(from: target, to: node.id)
            let cargo = Cargo.answer(
                envelope, asker: target, connection: envelope.to.connection)
            shipOnce(cargo, link, over: way)
        case .leader, .caughtUp, .drained, .serving, .servingSeen:
            invariant(false, "\(envelope.body) does not leave a node")
        }
    }

    func node(of store: StoreID) -> Int? {
        nodes.firstIndex { $0.store == store }
    }

    private func shipRaft(_ message: PeerMessage, _ link: Link) {
        if let found = votes.sends(message.message) { violate(.electionSafety, found) }
        // Who hands over must not hear what comes of it: from now on its lease is nothing.
        if case .timeoutNow = message.message.body {
            matters(nodes[link.from], Strike.handingOver, within: shape.networkMicroseconds)
        }
        let bytes = message.encoded
        let copies = network.isDoubled(&networkStream) ? 2 : 1
        for _ in 0..<copies {
            let delay = network.delay(&networkStream)
            guard network.passes(link), !network.isLost(&networkStream) else { continue }
            agenda.schedule(.carries(.raft(bytes), link), after: delay)
        }
    }

    private func shipOnce(_ cargo: Cargo, _ link: Link, over connection: Link) {
        let delay = network.delay(&networkStream)
        guard network.passes(link), !network.isLost(&networkStream) else {
            breakConnection(connection)
            return
        }
        network.underWay += 1
        agenda.schedule(.carries(cargo, link), after: delay)
    }

    func carries(_ cargo: Cargo, _ link: Link) {
        let node = nodes[link.to]
        switch cargo {
        case .raft(let bytes):
            guard node.isUp, network.passes(link) else { return }
            do throws(DecodeError) {
                let message = try PeerMessage(decoding: bytes)
                let envelope = Envelope(
                    from: UnitAddress(core: 0, unit: .shard, store: nodes[link.from].store),
                    to: UnitAddress(core: 0, unit: .shard), body: .raft(message))
                arrives(node.place(0), .shard, .received(envelope))
            } catch {
                violate(.answers, "a peer's message cannot be read: \(error)")
            }
        case .request(let envelope, let asker, let connection, let timeLeft):
            network.underWay -= 1
            let way = Link(from: asker, to: link.to)
            guard network.connection(way) == connection else { return }
            // Nobody is there to take the connection.
            guard node.isUp else { return noteLoss(of: node.store, to: nodes[asker]) }
            var arrived = envelope
            arrived.to.store = nil
            arrived.from.store = nodes[asker].store
            arrived.from.connection = connection
            if case .request(var request) = envelope.body {
                request.deadline = node.clock.now(at: agenda.now).instant + timeLeft
                arrived.body = .request(request)
            }
            arrives(node.place(0), .shard, .received(arrived))
        case .answer(let envelope, let asker, let connection):
            network.underWay -= 1
            let way = Link(from: asker, to: link.from)
            guard node.isUp, network.connection(way) == connection else { return }
            var arrived = envelope
            arrived.to.store = nil
            arrived.to.connection = 0
            arrived.from.store = nodes[link.from].store
            arrives(node.place(arrived.to.core), .gateway, .received(arrived))
        }
    }

    // MARK: Connections

    /// Whatever is on it does not arrive; both ends learn it, each in its own time.
    func breakConnection(_ link: Link) {
        network.breakConnection(link)
        for (node, peer) in [(link.from, link.to), (link.to, link.from)] {
            noteLoss(of: nodes[peer].store, to: nodes[node])
        }
    }

    private func noteLoss(of store: StoreID, to node: SimNode) {
        network.underWay += 1
        agenda.schedule(
            .learnsLoss(node: node.id, incarnation: node.incarnation, peer: store),
            after: networkStream.next() % 500_000_000)
    }

    func learnsLoss(_ node: SimNode, of store: StoreID) {
        for core in node.cores {
            arrives(node.place(core.index), .gateway, .peerLost(store))
        }
        arrives(node.place(0), .shard, .peerLost(store))
    }

    func breakConnections(of node: SimNode) {
        for peer in nodes.indices where peer != node.id {
            breakConnection(Link(from: node.id, to: peer))
            breakConnection(Link(from: peer, to: node.id))
        }
    }

    // MARK: Partitions

    func cutLinks() {
        let cut = SimNetwork.drawnCut(
            nodes.count, leader: nodes.firstIndex { $0.status?.isServing == true },
            &networkStream)
        if let last = lastDrawnCut { mends(last) }
        // Some only flap; some outlast several elections.
        let most: UInt64 = networkStream.chance(1, in: 3) ? 100_000_000 : 5_000_000_000
        self.cut(cut, for: networkStream.next() % most)
        lastDrawnCut = partitionCount
    }

    func cut(_ links: Set<Link>, for nanoseconds: UInt64) {
        guard !links.isEmpty else { return }
        let shown = links.sorted { ($0.from, $0.to) < ($1.from, $1.to) }
            .map { "\($0.from)→\($0.to)" }.joined(separator: " ")
        note(-1, .named("network"), "cuts \(shown)")
        partitionCount += 1
        network.add(links, as: partitionCount)
        agenda.schedule(.mends(partitionCount), after: nanoseconds)
    }

    func mends(_ partition: Int) {
        guard let isWhole = network.mend(partition) else { return }
        note(-1, .named("network"), isWhole ? "is whole" : "mends one of its cuts")
    }
}
