/// Snapshots through the hub: those that this store sends, each on a stream beside the two of its
/// connection, and those that come.
internal import Base
internal import Failpoints
internal import HTTP
internal import Injection
internal import Logging
internal import NIOCore
internal import NIOPosix
internal import Node
internal import Peers
internal import Raft
internal import Regions
internal import Storage
internal import Telemetry

extension PeerHub {
    // MARK: Out

    /// From the core whose replica leads, while the data is as that replica sees it.
    func sendSnapshot(_ wanted: SnapshotWanted, _ view: any EngineView) {
        loop.assertInEventLoop()
        guard settings.failpoints.reached(.snapshotWanted) == nil else {
            return report(wanted, nil)
        }
        let store = wanted.to.store
        senders[store]?.stop()
        let sender = SnapshotSender(wanted, view, origin: drawOrigin(), hub: self)
        senders[store] = sender
        sender.start()
    }

    /// This store does not lead any more: whoever does sends its own.
    func stopSnapshots() {
        loop.assertInEventLoop()
        for sender in senders.values {
            sender.stop()
            logger.notice(
                "a snapshot is not wanted any more",
                metadata: ["event": "snapshot_stopped", "store": "\(sender.store)"])
        }
        senders = [:]
    }

    func ended(_ sender: SnapshotSender, _ identity: SnapshotIdentity?, began: Instant) {
        let wanted = sender.wanted
        guard senders[wanted.to.store] === sender else { return }
        senders[wanted.to.store] = nil
        if let identity {
            counters.snapshotsSent += 1
            counters.snapshotDuration.observe(from: began, to: Clocks.monotonic())
            tell(wanted, of: identity)
        } else {
            counters.snapshotsFailed += 1
        }
        report(wanted, identity?.position.index)
        logger.notice(
            "a snapshot \(identity == nil ? "did not get through" : "was sent")",
            metadata: [
                "event": identity == nil ? "snapshot_failed" : "snapshot_sent",
                "store": "\(wanted.to.store)",
            ])
    }

    /// The replica there has the snapshot on its disk, and hears of it now.
    private func tell(_ wanted: SnapshotWanted, of identity: SnapshotIdentity) {
        let message = RaftMessage(
            from: ReplicaID(on: settings.identity.store), to: wanted.to,
            term: wanted.term, body: .snapshot(identity, wanted.beat))
        let from = UnitAddress(core: 0, unit: .shard)
        let to = UnitAddress(core: 0, unit: .shard, store: wanted.to.store)
        let body = Envelope.Body.raft(PeerMessage(group: wanted.group, message: message))
        send([Envelope(from: from, to: to, body: body)])
    }

    private func report(_ wanted: SnapshotWanted, _ index: LogIndex?) {
        let event = Event.snapshotEnded(wanted.group, to: wanted.to, at: index)
        // What failed fails again at once.
        let rest = index == nil ? Limits.snapshotPause : .zero
        loop.scheduleTask(in: TimeAmount(rest)) { [switchboard] in
            switchboard.post(0, [Delivery(to: .shard, event)])
        }
    }

    /// There is one stream for snapshots to a store, and it is that of the sender there is for it.
    private func client(of sender: SnapshotSender) -> PeerClient? {
        senders[sender.store] === sender ? client(for: sender.store) : nil
    }

    func openSnapshot(of sender: SnapshotSender) -> Bool {
        guard let client = client(of: sender), client.isOpen else { return false }
        return client.openSnapshot()
    }

    func sendChunk(_ record: Bytes, of sender: SnapshotSender) {
        guard let client = client(of: sender) else { return }
        counters.bytesSent += UInt64(record.count)
        counters.snapshotBytesSent += UInt64(record.count)
        client.sendChunk(record)
    }

    func closeSnapshot(of sender: SnapshotSender) { client(of: sender)?.closeSnapshot() }

    func snapshot(to store: StoreID, _ event: SnapshotSending.Event) {
        senders[store]?.step(event)
    }

    // MARK: In

    /// One chunk at a time: the sender waits for the answer.
    func take(
        chunk record: Bytes, _ stream: inout InboundStream, _ name: PeerTable.StreamID
    ) -> PeerFault? {
        guard !stream.hasChunkUnderWay else {
            return .malformed("a chunk of a snapshot before the answer to the last")
        }
        stream.hasChunkUnderWay = true
        let hub = NIOLoopBound(self, eventLoop: loop)
        let depot = settings.depot
        settings.snapshotThread.runIfActive(eventLoop: loop) { depot.take(record) }
            .whenSuccess { hub.value.taken(name, $0) }
        return nil
    }

    private func taken(_ name: PeerTable.StreamID, _ said: SnapshotAnswer?) {
        awaitDepot()
        guard let place = inbound[name]?.place else { return }
        inbound[name]?.hasChunkUnderWay = false
        guard let said else { return cut(name, "The snapshot cannot be taken here now.") }
        answer(.record(said.encoded), by: place)
    }

    /// A leader that is gone leaves what it has sent.
    private func awaitDepot() {
        guard depotTimer == nil, let next = settings.depot.nextDeadline else { return }
        let rest = next.since(Clocks.monotonic()).wholeNanoseconds
        let delay = max(.nanoseconds(Int64(clamping: rest)), Self.depotRestMin)
        let hub = NIOLoopBound(self, eventLoop: loop)
        depotTimer = loop.scheduleTask(in: delay) {
            hub.value.depotTimer = nil
            hub.value.settings.depot.expire()
            hub.value.awaitDepot()
        }
    }

    /// What is being written is looked at again when that is done.
    private static let depotRestMin: TimeAmount = .seconds(1)
}
