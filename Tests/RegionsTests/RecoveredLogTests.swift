// What a replica makes of its log and its data after a crash, and which logs are refused.
import Base
import Raft
import Regions
import Storage
import Testing

@Suite struct RecoveredLogTests {
    private let membership = Membership(voters: [ReplicaID(1), ReplicaID(2)])

    /// Behind entry 4 of term 2: entries 5 and 6 of term 2, entry 7 of term 3.
    private var log: RecoveredLog {
        RecoveredLog(
            group: GroupID(9), base: GroupBase(replica: ReplicaID(1), snapshot: identity(4, 2)),
            hardState: HardState(term: 5, vote: ReplicaID(2)),
            entries: [2, 2, 3].map { Entry(term: $0, .command(byteCount: 1)) })
    }

    private func identity(_ index: LogIndex, _ term: Term) -> SnapshotIdentity {
        SnapshotIdentity(position: LogPosition(index: index, term: term), membership: membership)
    }

    private func applied(_ index: LogIndex, _ term: Term) -> AppliedRecord {
        AppliedRecord(group: GroupID(9), snapshot: identity(index, term))
    }

    @Test func dataWithinTheLogIsGoneOnFrom() throws {
        for (index, term) in [(4, 2), (5, 2), (7, 3)] as [(LogIndex, Term)] {
            let (state, repair) = try log.recovered(applied: applied(index, term))
            #expect(state.applied == index)
            #expect(state.hardState == log.hardState)
            #expect(state.snapshot == log.base.snapshot)
            #expect(state.entries == log.entries)
            #expect(repair == nil)
        }
        var fresh = log
        fresh.base.snapshot.position = .start
        #expect(try fresh.recovered(applied: nil).state.applied == 0)
    }

    /// The crash came between the snapshot's data and its place in the log.
    @Test func dataOfASnapshotBeginsANewLog() throws {
        for (index, term, hardTerm) in [(6, 3, 5), (8, 3, 5), (100, 8, 8)]
            as [(LogIndex, Term, Term)]
        {
            let (state, repair) = try log.recovered(applied: applied(index, term))
            #expect(state.snapshot == identity(index, term))
            #expect(state.entries.isEmpty)
            #expect(state.applied == index)
            #expect(
                state.hardState
                    == HardState(term: hardTerm, vote: hardTerm == 5 ? ReplicaID(2) : nil)
            )
            // The log on disk becomes what the replica believes it to be.
            let memory = MemoryLog()
            var batch = LogBatch()
            batch.setBase(log.base, of: log.group)
            let write = LogWrite(
                token: DurabilityToken(number: 1), hardState: log.hardState, firstIndex: 5,
                entries: log.entries, truncates: false)
            batch.add(write, of: log.group, replica: log.replica) { index in
                EntryRecord.encode(log.entries[Int(index) - 5], command: [1])
            }
            try memory.write(batch)
            #expect(try memory.recover() == [log])
            try memory.write(#require(repair))
            let repaired = try #require(try memory.recover().first)
            #expect(repaired.base.snapshot == state.snapshot)
            #expect(repaired.replica == log.replica)
            #expect(repaired.entries.isEmpty)
            #expect(repaired.hardState == state.hardState)
        }
    }

    @Test func dataBehindTheLogIsRefused() {
        for found in [nil, applied(3, 2)] {
            #expect(throws: StorageError.self) { try log.recovered(applied: found) }
        }
    }

    private func recover(_ records: [(LogKey.Kind, Bytes)]) throws -> [RecoveredLog] {
        var recovery = LogRecovery()
        for (kind, bytes) in records { try recovery.add(LogKey(GroupID(9), kind), bytes) }
        try recovery.finish()
        return recovery.logs
    }

    private func reason(_ records: [(LogKey.Kind, Bytes)]) throws -> String? {
        do {
            _ = try recover(records)
            return nil
        } catch StorageError.corrupt(let reason) {
            return reason
        }
    }

    @Test func logsThatNoCrashLeavesAreRefused() throws {
        let base = (LogKey.Kind.base, log.base.encoded)
        let state = (LogKey.Kind.hardState, log.hardState.encoded)
        func entry(_ index: LogIndex, _ term: Term) -> (LogKey.Kind, Bytes) {
            (.entry(index), EntryRecord.encode(Entry(term: term, .blank)))
        }
        // Entry 3 is one that a compaction left.
        let whole = try recover([base, state, entry(3, 1), entry(5, 2), entry(6, 4)])
        #expect(whole.first?.entries.map(\.term) == [2, 4])
        let prefix = "the Raft log, group 9, "
        let orphan = ": expected the group's base before it at byte 0"
        #expect(try reason([state]) == prefix + "hard state" + orphan)
        #expect(try reason([entry(5, 2)]) == prefix + "entry 5" + orphan)
        #expect(
            try reason([base, state, entry(6, 2)])
                == prefix + "entry 6: expected entry 5 before this one at byte 0")
        #expect(
            try reason([base, state, entry(5, 3), entry(6, 2)])
                == prefix + "entry 6: expected a term from 3 to 5, not 2 at byte 0")
        #expect(
            try reason([base, state, entry(5, 6)])
                == prefix + "entry 5: expected a term from 2 to 5, not 6 at byte 0")
        #expect(
            try reason([base])
                == "the Raft log, group 9: its base has the term 2, its hard state 0")
        #expect(
            try reason([base, state, (.entry(5), [0x08, 9])])
                == prefix + "entry 5: expected an entry of version 1, not 9 at byte 1")
    }

    @Test func goldenKeys() throws {
        let group: Bytes = [0, 0, 0, 0, 0, 0, 1, 2]
        let keys: [(LogKey.Kind, Bytes)] = [
            (.base, [1]), (.hardState, [2]), (.entry(0x0304), [3, 0, 0, 0, 0, 0, 0, 3, 4]),
        ]
        for (kind, rest) in keys {
            let key = LogKey(GroupID(0x0102), kind)
            #expect(key.bytes == group + rest)
            #expect(try LogKey(decoding: group + rest) == key)
            #expect(throws: DecodeError.self) { try LogKey(decoding: group + rest + [0]) }
            #expect(throws: DecodeError.self) { try LogKey(decoding: group + rest.dropLast()) }
        }
        #expect(throws: DecodeError.self) { try LogKey(decoding: group + [4]) }
    }
}
