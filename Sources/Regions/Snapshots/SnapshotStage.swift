/// A snapshot in memory where it arrives, until all of it is there; and what puts it in place in
/// one step. For an engine that takes that much at once; on a disk it is `SnapshotFiles`.
package import Base
package import Raft
package import Storage

package struct SnapshotStage: Sendable {
    package private(set) var arrival: SnapshotArrival
    private var content = WriteBatch()

    package var snapshot: SnapshotIdentity { arrival.snapshot }
    package var origin: UInt64 { arrival.origin }
    package var wanted: UInt64 { arrival.wanted }
    package var isComplete: Bool { arrival.isComplete }

    package init(of group: GroupID, _ snapshot: SnapshotIdentity, origin: UInt64) {
        arrival = SnapshotArrival(of: group, snapshot, origin: origin)
    }

    /// False if it is not the chunk that is wanted: the sender has to go on elsewhere.
    package mutating func add(_ chunk: SnapshotChunk) throws(DecodeError) -> Bool {
        guard let batch = try arrival.take(chunk) else { return false }
        content.append(batch)
        return true
    }

    /// Everything that it changes.
    package var batch: WriteBatch {
        var batch = WriteBatch()
        batch.deleteRange(.raw, .all)
        batch.append(content)
        batch.append(arrival.facts)
        return batch
    }
}
