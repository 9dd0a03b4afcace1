/// A snapshot on its way to another store: what its `SnapshotSending` decides, done with a view of
/// the data, a thread that may read it, and a stream of its own on the connection to that store.
///
/// Lives on the loop of its hub. The view is open as long as it does, so it gives up on a store
/// that does not go on.
internal import Base
internal import Failpoints
internal import Injection
internal import Logging
internal import NIOCore
internal import NIOPosix
internal import Node
internal import Peers
internal import Raft
internal import Regions
internal import RocksStorage
internal import Storage

/// What a leader wants to be sent.
struct SnapshotWanted: Sendable {
    var group: GroupID
    var to: ReplicaID
    var term: Term
    var beat: Beat
    var atLeast: LogIndex
}

final class SnapshotSender {
    let wanted: SnapshotWanted
    private let hub: PeerHub
    private let reader: SnapshotReader
    /// nil until the view has said what it is.
    private var identity: SnapshotIdentity?
    private var sending: SnapshotSending
    private var record: Bytes?
    private var timer: Scheduled<Void>?
    private let began: Instant

    init(_ wanted: SnapshotWanted, _ view: any EngineView, origin: UInt64, hub: PeerHub) {
        self.wanted = wanted
        self.hub = hub
        reader = SnapshotReader(
            wanted, view, origin: origin, hub.settings.snapshotThread, hub.settings.failpoints)
        began = Clocks.monotonic()
        sending = SnapshotSending(origin: origin, at: began)
    }

    var store: StoreID { wanted.to.store }

    func start() {
        let bound = NIOLoopBound(self, eventLoop: hub.loop)
        reader.open(on: hub.loop).whenComplete { result in
            let sender = bound.value
            switch result {
            case .success(let identity):
                sender.identity = identity
                sender.step(.deadlineReached)
            case .failure(let error):
                sender.complain(error)
                sender.hub.ended(sender, nil, began: sender.began)
            }
        }
    }

    /// Nobody wants it any more, or another one takes its place: what comes from here on is no
    /// business of the store's stream, which may be the other's.
    func stop() { step(.stopped) }

    func step(_ event: SnapshotSending.Event) {
        var effects: [SnapshotSending.Effect] = []
        sending.step(event, at: Clocks.monotonic(), into: &effects)
        for effect in effects { execute(effect) }
        schedule()
    }

    private func execute(_ effect: SnapshotSending.Effect) {
        switch effect {
        case .open: if !hub.openSnapshot(of: self) { step(.lost) }
        case .read(let number): read(number)
        case .send:
            if let record { hub.sendChunk(record, of: self) }
            record = nil
        case .close: hub.closeSnapshot(of: self)
        case .ended(let isThere): hub.ended(self, isThere ? identity : nil, began: began)
        }
    }

    private func read(_ number: UInt64) {
        let bound = NIOLoopBound(self, eventLoop: hub.loop)
        reader.read(number, on: hub.loop).whenComplete { result in
            let sender = bound.value
            switch result {
            case .success(let chunk):
                sender.record = chunk
                let goesAt = sender.hub.pace(chunk.count)
                sender.step(.read(number, goesAt: goesAt))
            case .failure(let error):
                sender.complain(error)
                sender.step(.lost)
            }
        }
    }

    private func complain(_ error: any Error) {
        hub.logger.warning(
            "a snapshot cannot be read",
            metadata: ["event": "snapshot_unreadable", "reason": "\(error)"])
    }

    /// NIO takes a task that is due at once before it looks at sockets.
    private static let restMin: TimeAmount = .milliseconds(1)

    private func schedule() {
        timer?.cancel()
        timer = nil
        guard let next = sending.nextDeadline else { return }
        let rest = next.since(Clocks.monotonic()).wholeNanoseconds
        let delay = max(.nanoseconds(Int64(clamping: rest)), Self.restMin)
        let bound = NIOLoopBound(self, eventLoop: hub.loop)
        timer = hub.loop.scheduleTask(in: delay) { bound.value.step(.deadlineReached) }
    }
}

/// The chunks of one snapshot, read where waiting for a disk is allowed.
///
/// `@unchecked Sendable`: `source` is touched only on the one thread.
final class SnapshotReader: @unchecked Sendable {
    private let wanted: SnapshotWanted
    private let view: any EngineView
    private let origin: UInt64
    private var source: SnapshotSource?
    private let thread: NIOThreadPool
    private let failpoints: FailpointRegistry

    init(
        _ wanted: SnapshotWanted, _ view: any EngineView, origin: UInt64,
        _ thread: NIOThreadPool, _ failpoints: FailpointRegistry
    ) {
        self.wanted = wanted
        self.view = view
        self.origin = origin
        self.thread = thread
        self.failpoints = failpoints
    }

    /// What the view is a snapshot of.
    func open(on loop: any EventLoop) -> EventLoopFuture<SnapshotIdentity> {
        thread.runIfActive(eventLoop: loop) { [self] in
            let source = try SnapshotSource(
                of: wanted.group, from: view, origin: origin, leaderTerm: wanted.term)
            guard let source, source.snapshot.position.index >= wanted.atLeast else {
                throw StorageError.failed("the data has not come to entry \(wanted.atLeast)")
            }
            self.source = source
            return source.snapshot
        }
    }

    func read(_ number: UInt64, on loop: any EventLoop) -> EventLoopFuture<Bytes> {
        thread.runIfActive(eventLoop: loop) { [self] in
            try failpoints.check(.snapshotRead)
            guard let chunk = try source?.chunk(number) else {
                throw StorageError.failed("chunk \(number) lies behind the last")
            }
            return .record(chunk.encoded)
        }
    }
}
