/// A snapshot where it is made: the chunks of one consistent view, one after the other, from any of
/// them on.
///
/// The view says by its applied record what it is. What is handed over is the raw space and, with
/// the first chunk, the table of stores: who leads after it must not give a number away twice. The
/// facts about the replica itself stay at home.
internal import Base
package import Raft
package import Storage

package struct SnapshotSource: Sendable {
    package let group: GroupID
    package let snapshot: SnapshotIdentity
    package let origin: UInt64
    private let leaderTerm: Term
    private let view: any EngineView
    private let chunkBytes: Int
    /// Where each chunk that was made begins; nil for one behind the end.
    private var starts: [Key] = [.least]
    private var chunkCount: UInt64?

    /// nil if nothing was ever applied.
    /// - Parameters:
    ///   - origin: drawn anew by the host.
    ///   - leaderTerm: of whoever sends it.
    package init?(
        of group: GroupID, from view: any EngineView, origin: UInt64, leaderTerm: Term,
        chunkBytes: Int = Limits.snapshotChunkBytes
    ) throws(StorageError) {
        let found = try view.get(.meta, AppliedRecord.key(of: group), tier: .disk)
        guard let applied = try RecoveredReplica.decode(found, group) else { return nil }
        self.group = group
        snapshot = applied.snapshot
        self.origin = origin
        self.leaderTerm = leaderTerm
        self.view = view
        self.chunkBytes = chunkBytes
    }

    /// That chunk, which is not behind the first that was not asked for yet; nil behind the last.
    package mutating func chunk(_ number: UInt64) throws(StorageError) -> SnapshotChunk? {
        if let chunkCount, number >= chunkCount { return nil }
        invariant(number < starts.count, "chunks are made in order")
        var batch = WriteBatch()
        if number == 0,
            case .found(let stores) = try view.get(.meta, StoreTable.key, tier: .disk)
        {
            batch.put(.meta, StoreTable.key, stores)
        }
        var next: Key?
        let range = KeyRange(start: starts[Int(number)])
        let limit = chunkBytes
        _ = try view.scan(.raw, range, reverse: false, tier: .disk) { key, value in
            if batch.byteCount >= limit {
                next = Key(Bytes(key))
                return .stop
            }
            batch.put(.raw, Key(Bytes(key)), Bytes(value))
            return .more
        }
        if let next {
            if number + 1 == starts.count { starts.append(next) }
        } else {
            chunkCount = number + 1
        }
        return SnapshotChunk(
            group: group, snapshot: snapshot, origin: origin, leaderTerm: leaderTerm,
            number: number, isLast: next == nil, content: CommandRecord.encode(batch))
    }
}
