/// Snapshots that come to this store: what its `SnapshotShelf` decides, done with files.
///
/// Chunks are written on the one thread of snapshots, where folders are deleted too; what the
/// replica says comes from the loop of its core and from the thread that writes the data.
internal import Base
internal import Failpoints
internal import Injection
internal import Logging
internal import NIOPosix
internal import Peers
internal import Raft
internal import Regions
internal import RocksStorage
internal import Storage
internal import Synchronization

final class SnapshotDepot: Sendable {
    struct Staged: Sendable {
        var arrival: SnapshotArrival
        var files: SnapshotFiles
    }

    private struct State: Sendable {
        var shelf: SnapshotShelf
        /// By the number of their copy, from its first chunk on.
        var files: [UInt64: SnapshotFiles] = [:]
    }

    private let directory: DataDirectory
    private let engine: RocksEngine
    private let thread: NIOThreadPool
    private let failpoints: FailpointRegistry
    private let logger: Logger
    private let state: Mutex<State>

    init(
        _ directory: DataDirectory, _ engine: RocksEngine, group: GroupID, thread: NIOThreadPool,
        failpoints: FailpointRegistry, logger: Logger
    ) {
        self.directory = directory
        self.engine = engine
        self.thread = thread
        self.failpoints = failpoints
        self.logger = logger
        state = Mutex(State(shelf: SnapshotShelf(of: group)))
    }

    var counts: SnapshotShelf.Counts { state.withLock { $0.shelf.counts } }

    /// When something may have to go, unless more is heard of it.
    var nextDeadline: Instant? { state.withLock { $0.shelf.nextDeadline } }

    @discardableResult
    private func step(_ event: SnapshotShelf.Event) -> [SnapshotShelf.Effect] {
        var effects: [SnapshotShelf.Effect] = []
        let old = state.withLock { state in
            state.shelf.step(event, at: Clocks.monotonic(), into: &effects)
            return effects.compactMap { effect -> SnapshotFiles? in
                guard case .remove(let number) = effect else { return nil }
                return state.files.removeValue(forKey: number)
            }
        }
        for files in old { remove(files) }
        return effects
    }

    /// Where waiting for the disk is allowed; the next start does what does not happen any more.
    private func remove(_ files: SnapshotFiles) {
        thread.submit { [logger] state in
            guard state == .active else { return }
            do throws(StorageError) {
                try files.remove()
            } catch {
                logger.warning(
                    "a snapshot that is of no use cannot be removed",
                    metadata: ["event": "snapshot_left", "reason": "\(error)"])
            }
        }
    }

    // MARK: What arrives, on the thread of snapshots

    /// - Returns: nil if it cannot be taken now; the reason is in the log.
    func take(_ record: Bytes) -> SnapshotAnswer? {
        do {
            try failpoints.check(.snapshotArrived)
            let chunk = try SnapshotChunk(decoding: record)
            return try answer(in: step(.came(chunk)), to: chunk, record.count)
        } catch {
            logger.warning(
                "a snapshot's chunk cannot be taken",
                metadata: ["event": "snapshot_refused", "reason": "\(error)"])
            return nil
        }
    }

    private func answer(
        in effects: [SnapshotShelf.Effect], to chunk: SnapshotChunk, _ byteCount: Int
    ) throws -> SnapshotAnswer? {
        for effect in effects {
            switch effect {
            case .answer(let answer): return answer
            case .refuse(let refusal): throw StorageError.unreadable("\(refusal)")
            case .write(let number, let arrival):
                let done = try write(chunk, to: number, arrival)
                let effects = step(.written(number, done, byteCount: byteCount))
                return try answer(in: effects, to: chunk, byteCount)
            case .tell, .install, .remove: break
            }
        }
        return nil
    }

    private func write(
        _ chunk: SnapshotChunk, to number: UInt64, _ arrival: SnapshotArrival
    ) throws -> SnapshotArrival {
        var arrival = arrival
        do {
            guard let batch = try arrival.take(chunk) else {
                throw DecodeError(expected: "the chunk that is wanted", offset: 0)
            }
            let files = try files(of: number, arrival)
            try files.append(batch)
            if arrival.isComplete { try finish(arrival, files) }
            return arrival
        } catch {
            // Half of it may be in a table: the transfer begins anew.
            step(.failed(number))
            throw error
        }
    }

    private func files(
        of number: UInt64, _ arrival: SnapshotArrival
    ) throws(StorageError) -> SnapshotFiles {
        if let files = state.withLock({ $0.files[number] }) { return files }
        let position = arrival.snapshot.position
        let origin = String(arrival.origin, radix: 16)
        let files = try directory.makeSnapshot(
            "\(position.index)-\(position.term)-\(origin)-\(number)", engine)
        state.withLock { $0.files[number] = files }
        return files
    }

    private func finish(_ arrival: SnapshotArrival, _ files: SnapshotFiles) throws {
        try failpoints.check(.snapshotWhole)
        try files.finish(record: CommandRecord.encode(arrival.facts))
        logger.info(
            "a snapshot has come",
            metadata: ["event": "snapshot_received", "at": "\(arrival.snapshot.position)"])
    }

    func expire() { step(.deadlineReached) }

    // MARK: What the replica says, on any thread

    /// True if it is here: then the replica may hear of it, and will say what is to become of it.
    func offer(_ snapshot: SnapshotIdentity) -> Bool { step(.told(snapshot)).contains(.tell) }

    func discard(_ position: LogPosition) { step(.discarded(position)) }

    /// The one that the replica takes, which stays until `installed`.
    func staged(_ snapshot: SnapshotIdentity) -> Staged? {
        for case .install(let number, let arrival) in step(.taken(snapshot)) {
            return state.withLock { state in
                state.files[number].map { Staged(arrival: arrival, files: $0) }
            }
        }
        return nil
    }

    /// It is in place.
    func installed(_ snapshot: SnapshotIdentity) {
        step(.installed(snapshot))
        logger.notice(
            "a snapshot has taken the place of the data",
            metadata: ["event": "snapshot_installed", "at": "\(snapshot.position)"])
    }
}
