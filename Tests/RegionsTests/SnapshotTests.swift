// Snapshots from a source over chunks to a stage, and what a crash in the middle of putting one in
// place leaves.
import Base
import Raft
import Regions
import Storage
import Testing

@Suite struct SnapshotTests {
    private static let group = GroupID(1)
    private static let identity = SnapshotIdentity(
        position: LogPosition(index: 7, term: 2), membership: Membership(voters: [ReplicaID(1)]))

    private func engine(keys: Int) throws -> MemoryEngine {
        let engine = MemoryEngine()
        var batch = WriteBatch()
        for number in 0..<keys {
            batch.put(.raw, Key(utf8: "k\(number)"), Bytes("value \(number)".utf8))
        }
        let applied = AppliedRecord(group: Self.group, snapshot: Self.identity)
        batch.put(.meta, AppliedRecord.key(of: Self.group), applied.encoded)
        try engine.write(batch, sync: true)
        return engine
    }

    private func source(
        _ view: any EngineView, origin: UInt64, chunkBytes: Int = Limits.snapshotChunkBytes
    ) throws -> SnapshotSource? {
        try SnapshotSource(
            of: Self.group, from: view, origin: origin, leaderTerm: 3, chunkBytes: chunkBytes)
    }

    private func content(_ engine: MemoryEngine) throws -> [Bytes: Bytes] {
        var content: [Bytes: Bytes] = [:]
        _ = try engine.view().scan(.raw, .all, reverse: false, tier: .disk) { key, value in
            content[Bytes(key)] = Bytes(value)
            return .more
        }
        return content
    }

    @Test(arguments: [0, 1, 2, 9, 100]) func whatIsSentArrives(keys: Int) throws {
        let from = try engine(keys: keys)
        var made = try #require(
            try source(from.view(), origin: 5, chunkBytes: 40))
        var stage = SnapshotStage(of: Self.group, made.snapshot, origin: 5)
        let to = try engine(keys: 3)
        var old = WriteBatch()
        old.put(.raw, Key(utf8: "old"), [1])
        try to.write(old, sync: true)
        while !stage.isComplete {
            let chunk = try #require(try made.chunk(stage.wanted))
            #expect(try stage.add(SnapshotChunk(decoding: chunk.encoded)))
            let again = try stage.add(chunk)
            #expect(!again, "a chunk that comes twice is taken once")
        }
        #expect(try made.chunk(stage.wanted) == nil)
        try to.write(stage.batch, sync: true)
        #expect(try content(to) == content(from))
        #expect(
            try RecoveredReplica.applied(of: Self.group, in: to)?.snapshot == Self.identity)
    }

    // (1) store 4 is removed, (2) store 3 joins by a snapshot and comes to lead, (3) it must not
    // give the number 4 away again.
    @Test func theTableOfStoresComesAlong() throws {
        var table = StoreTable()
        table.next = 5
        table[StoreID(1)] = "http://127.0.0.1:1"
        let (from, to) = (try engine(keys: 3), try engine(keys: 1))
        var batch = WriteBatch()
        batch.put(.meta, StoreTable.key, table.encoded)
        try from.write(batch, sync: true)
        var made = try #require(
            try source(from.view(), origin: 1, chunkBytes: 10))
        var stage = SnapshotStage(of: Self.group, made.snapshot, origin: 1)
        while !stage.isComplete {
            #expect(try stage.add(#require(try made.chunk(stage.wanted))))
        }
        try to.write(stage.batch, sync: true)
        #expect(try to.get(.meta, StoreTable.key, tier: .disk) == .found(table.encoded))

        // And what was there goes if there is none.
        let none = try engine(keys: 1)
        made = try #require(
            try source(none.view(), origin: 2))
        stage = SnapshotStage(of: Self.group, made.snapshot, origin: 2)
        #expect(try stage.add(#require(try made.chunk(0))))
        try to.write(stage.batch, sync: true)
        #expect(try to.get(.meta, StoreTable.key, tier: .disk) == .missing)
    }

    @Test func chunksOfTwoMakingsDoNotMix() throws {
        let view = try engine(keys: 9).view()
        var first = try #require(
            try source(view, origin: 1, chunkBytes: 40))
        var second = try #require(
            try source(view, origin: 2, chunkBytes: 20))
        var stage = SnapshotStage(of: Self.group, first.snapshot, origin: 1)
        let (one, other) = (try first.chunk(0), try second.chunk(0))
        #expect(try stage.add(try #require(one)))
        _ = try second.chunk(1)
        #expect(try !stage.add(try #require(other)))
        #expect(stage.wanted == 1)
    }

    /// A source that has applied nothing has no snapshot.
    @Test func nothingAppliedIsNoSnapshot() throws {
        let view = MemoryEngine().view()
        let made = try source(view, origin: 1)
        #expect(made?.snapshot == nil)
    }

    /// (1) a snapshot is put in place of the data, (2) the crash comes before the log's part of it:
    /// the log begins anew behind it. Once something more was applied the same sight is a lost log.
    @Test func aCrashBetweenDataAndLogIsMended() throws {
        let log = MemoryLog()
        try RecoveredReplica.begin(
            Self.group, log, replica: ReplicaID(2),
            membership: Membership(voters: [ReplicaID(1), ReplicaID(2)]))
        var made = try #require(
            try source(engine(keys: 2).view(), origin: 1))
        var stage = SnapshotStage(of: Self.group, made.snapshot, origin: 1)
        #expect(try stage.add(try #require(try made.chunk(0))))
        let data = MemoryEngine()
        try data.write(stage.batch, sync: true)
        let replica = try RecoveredReplica(of: Self.group, log: log, data: data).start(
            RaftSettings(), generator: SeededGenerator(seed: 1), at: .origin)
        #expect(replica.applied == 7)
        #expect(replica.raft.trail.base == Self.identity.position)
        #expect(replica.raft.membership == Self.identity.membership)
        #expect(replica.raft.term == 2)
        // Again, as after a second crash.
        _ = try RecoveredReplica(of: Self.group, log: log, data: data)

        let lost = MemoryLog()
        try RecoveredReplica.begin(Self.group, lost, replica: ReplicaID(2))
        var more = WriteBatch()
        var later = AppliedRecord(group: Self.group, snapshot: Self.identity)
        later.snapshot.position.index = 8
        more.put(.meta, AppliedRecord.key(of: Self.group), later.encoded)
        try data.write(more, sync: true)
        #expect(throws: StorageError.self) {
            try RecoveredReplica(of: Self.group, log: lost, data: data)
        }
    }
}
