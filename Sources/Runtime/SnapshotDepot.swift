/// Snapshots that come to this store: the one that arrives, those that are all there and wait for
/// the replica to say whether it takes them, and what became of them.
///
/// A replica hears of a snapshot only when all of it is here, and says for each that it heard of
/// whether it takes it. What it never heard of makes room for what came later.
internal import Base
internal import Failpoints
internal import Injection
internal import Logging
internal import Peers
internal import Raft
internal import Regions
internal import RocksStorage
internal import Storage
internal import Synchronization

/// `@unchecked Sendable`: `arriving` is touched only on the one thread of snapshots, the rest is
/// behind the mutex.
final class SnapshotDepot: @unchecked Sendable {
    struct Staged: Sendable {
        var arrival: SnapshotArrival
        var files: SnapshotFiles
        /// The replica has heard of it.
        var isOffered = false
    }

    struct Counts: Sendable {
        var received: UInt64 = 0
        var installed: UInt64 = 0
        var discarded: UInt64 = 0
        var bytes: UInt64 = 0
    }

    private struct State: Sendable {
        var staged: [Staged] = []
        var counts = Counts()
    }

    private let directory: DataDirectory
    private let engine: RocksEngine
    private let group: GroupID
    private let failpoints: FailpointRegistry
    private let logger: Logger
    private let state = Mutex(State())
    private var arriving: (arrival: SnapshotArrival, files: SnapshotFiles)?

    init(
        _ directory: DataDirectory, _ engine: RocksEngine, group: GroupID,
        failpoints: FailpointRegistry, logger: Logger
    ) {
        self.directory = directory
        self.engine = engine
        self.group = group
        self.failpoints = failpoints
        self.logger = logger
    }

    var counts: Counts { state.withLock { $0.counts } }

    // MARK: What arrives, on the thread of snapshots

    /// - Returns: nil if it cannot be taken now; the reason is in the log.
    func take(_ record: Bytes) -> SnapshotAnswer? {
        do {
            try failpoints.check(.snapshotArrived)
            return try take(SnapshotChunk(decoding: record), byteCount: record.count)
        } catch {
            logger.warning(
                "a snapshot's chunk cannot be taken",
                metadata: ["event": "snapshot_refused", "reason": "\(error)"])
            return nil
        }
    }

    private func take(_ chunk: SnapshotChunk, byteCount: Int) throws -> SnapshotAnswer {
        guard chunk.group == group else {
            throw StorageError.failed("it is of group \(chunk.group)")
        }
        if arriving?.arrival.origin != chunk.origin { try begin(chunk) }
        guard var arrival = arriving?.arrival, let files = arriving?.files else {
            throw StorageError.failed("\(Limits.snapshotsStaged) others wait for the replica")
        }
        if let batch = try arrival.take(chunk) {
            // Half of it may be in a table: the transfer begins anew.
            arriving = nil
            try files.append(batch)
            arriving = (arrival, files)
            state.withLock { $0.counts.bytes += UInt64(byteCount) }
            if arrival.isComplete {
                arriving = nil
                try finish(arrival, files)
            }
        }
        return SnapshotAnswer(
            origin: chunk.origin, wanted: arrival.wanted, isComplete: arrival.isComplete)
    }

    private func begin(_ chunk: SnapshotChunk) throws {
        if let old = arriving?.files {
            arriving = nil
            remove(old)
        }
        guard makeRoom() else { return }
        let position = chunk.snapshot.position
        let origin = String(chunk.origin, radix: 16)
        arriving = (
            SnapshotArrival(of: group, chunk.snapshot, origin: chunk.origin),
            try directory.makeSnapshot(
                "\(position.index)-\(position.term)-\(origin)-\(UInt64.random(in: 0 ... .max))",
                engine)
        )
    }

    /// Those that the replica has not heard of are of no use beside a newer one.
    private func makeRoom() -> Bool {
        let (old, isRoom) = state.withLock { state in
            let old = state.staged.filter { !$0.isOffered }
            state.staged.removeAll { !$0.isOffered }
            state.counts.discarded += UInt64(old.count)
            return (old, state.staged.count < Limits.snapshotsStaged)
        }
        for staged in old { remove(staged.files) }
        return isRoom
    }

    private func finish(_ arrival: SnapshotArrival, _ files: SnapshotFiles) throws {
        try failpoints.check(.snapshotWhole)
        try files.finish(record: CommandRecord.encode(arrival.facts))
        state.withLock { state in
            state.staged.append(Staged(arrival: arrival, files: files))
            state.counts.received += 1
        }
        logger.info(
            "a snapshot has come",
            metadata: ["event": "snapshot_received", "at": "\(arrival.snapshot.position)"])
    }

    private func remove(_ files: SnapshotFiles) {
        do throws(StorageError) {
            try files.remove()
        } catch {
            // The next start removes it.
            logger.warning(
                "a snapshot that is of no use cannot be removed",
                metadata: ["event": "snapshot_left", "reason": "\(error)"])
        }
    }

    // MARK: What the replica says, on any thread

    /// True if it is here: then the replica may hear of it, and will say what is to become of it.
    func offer(_ snapshot: SnapshotIdentity) -> Bool {
        state.withLock { state in
            guard let place = state.staged.firstIndex(where: { $0.arrival.snapshot == snapshot })
            else { return false }
            state.staged[place].isOffered = true
            return true
        }
    }

    func discard(_ position: LogPosition) {
        removeStaged { $0.arrival.snapshot.position == position }
    }

    /// The one that the replica takes, which is here until `installed`.
    func staged(_ snapshot: SnapshotIdentity) -> Staged? {
        state.withLock { state in state.staged.last { $0.arrival.snapshot == snapshot } }
    }

    /// It is in place, and older ones are of no use.
    func installed(_ snapshot: SnapshotIdentity) {
        state.withLock { state in
            state.staged.removeAll { $0.arrival.snapshot == snapshot }
            state.counts.installed += 1
        }
        removeStaged { $0.arrival.snapshot.position.index <= snapshot.position.index }
        logger.notice(
            "a snapshot has taken the place of the data",
            metadata: ["event": "snapshot_installed", "at": "\(snapshot.position)"])
    }

    private func removeStaged(where isOld: (Staged) -> Bool) {
        let old = state.withLock { state in
            let old = state.staged.filter(isOld)
            state.staged.removeAll(where: isOld)
            state.counts.discarded += UInt64(old.count)
            return old
        }
        for staged in old { remove(staged.files) }
    }
}
