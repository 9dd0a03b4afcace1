/// How far a snapshot has come where it arrives, and what has to be said about it once it is there.
///
/// It is put in place of the data together with a fact that says so (`AppliedRecord.stagedKey`), on
/// disk before the log begins behind it. A crash between the two leaves data ahead of its log,
/// which is otherwise a log that was lost: that fact tells them apart (`RecoveredReplica`).
package import Base
package import Raft
package import Storage

package struct SnapshotArrival: Hashable, Sendable {
    package let group: GroupID
    package let snapshot: SnapshotIdentity
    package let origin: UInt64
    /// The next chunk that is wanted: a transfer that broke goes on there.
    package private(set) var wanted: UInt64 = 0
    package private(set) var isComplete = false
    private var stores: Bytes?

    package init(of group: GroupID, _ snapshot: SnapshotIdentity, origin: UInt64) {
        self.group = group
        self.snapshot = snapshot
        self.origin = origin
    }

    /// The raw puts of the chunk, in the order of their keys, which lie behind those of all chunks
    /// before it; nil if it is not the one that is wanted.
    package mutating func take(_ chunk: SnapshotChunk) throws(DecodeError) -> WriteBatch? {
        guard chunk.group == group, chunk.snapshot == snapshot, chunk.origin == origin,
            chunk.number == wanted, !isComplete
        else { return nil }
        let batch = try CommandRecord.decode(chunk.content)
        var raw = WriteBatch()
        for operation in batch.operations {
            let key = Key(Bytes(batch.arena[operation.key]))
            let value = Bytes(batch.arena[operation.value])
            switch (operation.kind, operation.family) {
            case (.put, .raw): raw.put(.raw, key, value)
            case (.put, .meta) where key == StoreTable.key: stores = value
            default: throw DecodeError(expected: "puts of raw keys and of the stores", offset: 0)
            }
        }
        wanted += 1
        isComplete = chunk.isLast
        return raw
    }

    /// What the data has to say when it is in place.
    package var facts: WriteBatch {
        invariant(isComplete, "only a whole snapshot is put in place")
        var batch = WriteBatch()
        batch.delete(.meta, StoreTable.key)
        if let stores { batch.put(.meta, StoreTable.key, stores) }
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
