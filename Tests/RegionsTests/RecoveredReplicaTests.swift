// What a store may start with: never with a log that was lost, or that ends before its data.
import Base
import LogSuite
import Raft
import Regions
import Storage
import Testing

@Suite struct RecoveredReplicaTests {
    private static let group = GroupID(1)

    private func fact(_ index: LogIndex) -> AppliedRecord {
        AppliedRecord(
            group: Self.group,
            snapshot: SnapshotIdentity(
                position: LogPosition(index: index, term: 1),
                membership: Membership(voters: [ReplicaID(1)])))
    }

    private func open(_ log: MemoryLog, _ data: MemoryEngine) throws -> RecoveredReplica {
        try RecoveredReplica(of: Self.group, log: log, data: data)
    }

    @Test func aNewStoreBeginsOnce() throws {
        let log = MemoryLog()
        try RecoveredReplica.begin(Self.group, log)
        let writes = log.syncCount
        try RecoveredReplica.begin(Self.group, log)
        #expect(log.syncCount == writes, "an interrupted first start goes on")
        #expect(try open(log, MemoryEngine()).id == ReplicaID(1))
    }

    @Test func aLogThatIsGoneIsNotMadeAnew() throws {
        let error = #expect(throws: StorageError.self) { _ = try open(MemoryLog(), MemoryEngine()) }
        guard case .corrupt(let what)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(what.contains("it was lost"))
    }

    /// Who decides when the log is to be cut counts on from there, not from nothing: a node that
    /// is restarted often would never cut it.
    @Test func whatTheLogHoldsIsCounted() throws {
        let log = MemoryLog()
        var generator = SeededGenerator(seed: 1)
        var batch = LogBatch()
        var model = LogModel(Self.group, in: &batch)
        for _ in 0..<20 { model.make(.appendThree, &generator, in: &batch) }
        try log.write(batch)
        let expected = model.recovered.entries.reduce(0) { $0 + $1.byteCount }
        #expect(expected > 0)
        #expect(try open(log, MemoryEngine()).logBytes == expected)
    }

    @Test func dataAheadOfItsLogIsRefused() throws {
        let (log, data) = (MemoryLog(), MemoryEngine())
        try RecoveredReplica.begin(Self.group, log)
        var batch = WriteBatch()
        batch.put(.meta, AppliedRecord.key(of: Self.group), fact(7).encoded)
        try data.write(batch, sync: true)
        let error = #expect(throws: StorageError.self) { _ = try open(log, data) }
        guard case .corrupt(let what)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(what.contains("entry 7") && what.contains("ends at entry 0"))
    }
}
