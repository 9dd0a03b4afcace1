/// What a replica starts with: its log and its data as they were left, brought together.
///
/// The data is behind the log, never ahead: what a crash took from its memory is applied again. A
/// log that is missing, or ends before what the data has on disk, was lost, and with it perhaps
/// what was acknowledged: such a store is refused.
package import Base
package import Raft
package import Storage

package struct RecoveredReplica: Sendable {
    package let group: GroupID
    package let id: ReplicaID
    /// Bytes of the entries that the log holds.
    package let logBytes: Int
    private let state: RecoveredState
    /// Of the entries behind what is applied.
    let records: [Bytes]
    /// The data still says that a snapshot was put in place.
    private let hasStagedFact: Bool

    /// Reads the log, and mends it where a crash came between the two parts of a write.
    /// - Parameter mending: false to leave it as it is, for who only looks.
    package init(
        of group: GroupID, log: any RaftLogStore, data: any KeyValueEngine, mending: Bool = true
    ) throws(StorageError) {
        guard let found = try log.recover().first(where: { $0.group == group }) else {
            throw .corrupt("the Raft log has nothing of group \(group): it was lost")
        }
        let applied = try Self.applied(of: group, in: data)
        let flushed = applied?.snapshot.position.index ?? 0
        let staged = try Self.decode(
            data.get(.meta, AppliedRecord.stagedKey(of: group), tier: .disk), group)
        // Ahead of its log only if a crash came between the two parts of a snapshot.
        guard flushed <= found.lastIndex || staged == applied else {
            throw .corrupt(
                "the data has come to entry \(flushed), and the Raft log ends at entry "
                    + "\(found.lastIndex): the log lost what it had on disk")
        }
        let (state, repair) = try found.recovered(applied: applied)
        if let repair, mending { try log.write(repair) }
        let first = max(state.applied, state.snapshot.position.index) + 1
        let end = state.snapshot.position.index + 1 + LogIndex(state.entries.count)
        records = first < end ? try log.entries(of: group, in: first..<end, byteLimit: .max) : []
        guard records.count == Int(end - min(first, end)) else {
            throw .corrupt("the log has \(records.count) of the entries \(first) to \(end - 1)")
        }
        self.group = group
        self.state = state
        logBytes = state.entries.reduce(0) { $0 + $1.byteCount }
        hasStagedFact = staged != nil
        id = found.replica
    }

    /// Makes the log of a new replica: one of the group's first voters, all of which begin with the
    /// same membership, or, with none, one that has joined and waits for a snapshot or for entries.
    /// Does nothing where it is made already.
    package static func begin(
        _ group: GroupID, _ log: any RaftLogStore, replica: ReplicaID = ReplicaID(1),
        membership: Membership = Membership(voters: [ReplicaID(1)])
    ) throws(StorageError) {
        guard try !log.recover().contains(where: { $0.group == group }) else { return }
        let snapshot = SnapshotIdentity(position: .start, membership: membership)
        var batch = LogBatch()
        batch.setBase(GroupBase(replica: replica, snapshot: snapshot), of: group)
        try log.write(batch)
    }

    /// In force at the end of the log; empty while it waits to be told.
    package var membership: Membership {
        for entry in state.entries.reversed() {
            if case .membership(let membership) = entry.content { return membership }
        }
        return state.snapshot.membership
    }

    package var hardState: HardState { state.hardState }

    /// Of the last entry, or of what the log begins behind.
    package var last: LogPosition {
        let base = state.snapshot.position
        guard let entry = state.entries.last else { return base }
        return LogPosition(
            index: base.index + LogIndex(state.entries.count), term: entry.term)
    }

    package var applied: LogIndex { max(state.applied, state.snapshot.position.index) }

    package func start(
        _ settings: RaftSettings, logBytesKept: LogBytesKept = LogBytesKept(),
        generator: SeededGenerator, at now: Instant
    ) -> Replica {
        Replica(
            group: group, id: id, settings: settings, recovered: state, records: records,
            logBytesKept: logBytesKept, hasStagedFact: hasStagedFact, generator: generator, at: now)
    }

    // MARK: How far the data has come

    /// nil if nothing was applied yet.
    package static func applied(
        of group: GroupID, in data: any KeyValueEngine
    ) throws(StorageError) -> AppliedRecord? {
        try decode(data.get(.meta, AppliedRecord.key(of: group), tier: .disk), group)
    }

    package static func decode(
        _ found: Lookup, _ group: GroupID
    ) throws(StorageError) -> AppliedRecord? {
        guard case .found(let bytes) = found else { return nil }
        do throws(DecodeError) {
            return try AppliedRecord(decoding: bytes)
        } catch {
            throw .corrupt("the applied record of group \(group): \(error)")
        }
    }
}
