/// A snapshot where it arrives, until all of it is there; and what puts it in place.
///
/// It is put in place of the data in one step that also says so (`AppliedRecord.stagedKey`), on
/// disk before the log begins behind it. A crash between the two leaves data ahead of its log,
/// which is otherwise a log that was lost: that fact tells them apart (`RecoveredReplica`).
package import Base
package import Raft
package import Storage

package struct SnapshotStage: Sendable {
    package let group: GroupID
    package let snapshot: SnapshotIdentity
    package let origin: UInt64
    /// The next chunk that is wanted: a transfer that broke goes on there.
    package private(set) var wanted: UInt64 = 0
    package private(set) var isComplete = false
    private var content = WriteBatch()

    package init(of group: GroupID, _ snapshot: SnapshotIdentity, origin: UInt64) {
        self.group = group
        self.snapshot = snapshot
        self.origin = origin
    }

    /// False if it is not the chunk that is wanted: the sender has to go on elsewhere.
    package mutating func add(_ chunk: SnapshotChunk) throws(DecodeError) -> Bool {
        guard chunk.group == group, chunk.snapshot == snapshot, chunk.origin == origin,
            chunk.number == wanted, !isComplete
        else { return false }
        let batch = try CommandRecord.decode(chunk.content)
        guard batch.operations.allSatisfy({ $0.kind == .put && $0.family == .raw }) else {
            throw DecodeError(expected: "puts into the raw space alone", offset: 0)
        }
        content.append(batch)
        wanted += 1
        isComplete = chunk.isLast
        return true
    }

    /// Everything that it changes, for an engine that takes that much at once.
    package var batch: WriteBatch {
        invariant(isComplete, "only a whole snapshot is put in place")
        var batch = WriteBatch()
        batch.deleteRange(.raw, .all)
        batch.append(content)
        let applied = AppliedRecord(group: group, snapshot: snapshot)
        batch.put(.meta, AppliedRecord.key(of: group), applied.encoded)
        batch.put(.meta, AppliedRecord.stagedKey(of: group), applied.encoded)
        return batch
    }
}

extension AppliedRecord {
    /// Where the fact stands that a snapshot was put in place and its log may not know; the record
    /// is the same as that of the applied position then. It goes with the next apply. Frozen.
    package static func stagedKey(of group: GroupID) -> Key {
        var bytes = Bytes("staged/".utf8)
        bytes.appendUInt64(group.number)
        return Key(bytes)
    }
}
