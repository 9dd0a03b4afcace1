/// Where the logs of all groups of a store are kept: the seam behind `RaftEffect.persist`.
///
/// A host gathers what every group has to persist into one `LogBatch` and writes it with one sync.
/// The seam stands here and not beside `KeyValueEngine` because a log is more than keys: where it
/// begins is in its base record, and only who reads the records can tell a log with a hole from
/// one that was compacted. Raft itself knows no bytes.
///
/// Two implementations pass one suite: `RocksLog` on disk, and `MemoryLog`, which loses in a
/// simulated crash what was not synced. Neither knows anything of snapshots' data, of roles, or of
/// what a command says.
package import Base
package import Raft
package import Storage

package protocol RaftLogStore: AnyObject, Sendable {
    /// Writes the batch as one atomic step; it is on disk when this returns. Blocks; one caller at
    /// a time.
    ///
    /// Any error is final: what the disk holds is unknown, so every later write is refused with the
    /// same error until the store is opened anew.
    func write(_ batch: LogBatch) throws(StorageError)

    /// The records of the entries at these indexes, for followers that lag: as many as fit into
    /// `byteLimit`, but one at least. Fewer, or none, if the log ends before or begins behind.
    /// Blocks; from any thread.
    func entries(
        of group: GroupID, in range: Range<LogIndex>, byteLimit: Int
    ) throws(StorageError) -> [Bytes]

    /// Every log that is there, by ascending group. Reads everything: for the start.
    func recover() throws(StorageError) -> [RecoveredLog]
}

/// What one sync makes durable: of any number of groups, in order, all of it or nothing.
package struct LogBatch: Sendable {
    package enum Operation: Hashable, Sendable {
        /// Where the log begins, and who it belongs to: everything up to that index may go. The
        /// first operation of a group.
        case base(GroupID, LogIndex, Range<Int>)
        case hardState(GroupID, Range<Int>)
        /// Drop every entry from there on.
        case cut(GroupID, from: LogIndex)
        case entry(GroupID, LogIndex, Range<Int>)
    }

    package private(set) var operations: [Operation] = []
    /// The records that the operations' ranges refer to.
    package private(set) var arena: Bytes = []

    package private(set) var entryCount = 0

    package init() {}

    /// Bytes of records.
    package var byteCount: Int { arena.count }

    /// What `RaftEffect.persist` asks for. The staged snapshot itself has to be in place, with its
    /// `AppliedRecord`, before this is written: a crash between the two is mended by
    /// `RecoveredLog.recovered`, the other order would leave a log without its state.
    /// - Parameter record: of the entry at an index, as `EntryRecord` made it.
    package mutating func add(
        _ write: LogWrite, of group: GroupID, replica: ReplicaID,
        record: (LogIndex) -> Bytes
    ) {
        if let snapshot = write.snapshot {
            setBase(GroupBase(replica: replica, snapshot: snapshot), of: group)
        }
        if write.truncates || !write.entries.isEmpty {
            operations.append(.cut(group, from: write.firstIndex))
        }
        for index in write.firstIndex..<write.firstIndex + LogIndex(write.entries.count) {
            let range = append(record(index))
            operations.append(.entry(group, index, range))
        }
        entryCount += write.entries.count
        if let state = write.hardState {
            let range = append(state.encoded)
            operations.append(.hardState(group, range))
        }
    }

    /// Creates a group's log, or compacts it: entries up to the base's index may go.
    package mutating func setBase(_ base: GroupBase, of group: GroupID) {
        let range = append(base.encoded)
        operations.append(.base(group, base.index, range))
    }

    package mutating func setHardState(_ state: HardState, of group: GroupID) {
        let range = append(state.encoded)
        operations.append(.hardState(group, range))
    }

    mutating func cut(_ group: GroupID, from index: LogIndex) {
        operations.append(.cut(group, from: index))
    }

    private mutating func append(_ record: Bytes) -> Range<Int> {
        let start = arena.count
        arena.append(contentsOf: record)
        return start..<arena.count
    }
}
