// A replica of three that goes on alone: what its log gets, and that it leads with it by itself.
import Base
import Raft
import Regions
import Storage
import Testing

struct QuorumRecoveryTests {
    private static let group = GroupID(1)
    private static let three = Membership(voters: [1, 2, 3].map(ReplicaID.init))

    /// As a crash left it: two commands behind the beginning, of which the data has nothing.
    private func storedLog(_ table: StoreTable? = nil) throws -> MemoryLog {
        let log = MemoryLog()
        try RecoveredReplica.begin(
            Self.group, log, replica: ReplicaID(1), membership: Self.three)
        var stores = WriteBatch()
        if let table { stores.put(.meta, StoreTable.key, table.encoded) }
        stores.put(.raw, Key(utf8: "k"), Bytes("v".utf8))
        let command = CommandRecord.encode(stores)
        let entries = [
            Entry(term: 4, .blank), Entry(term: 4, .command(byteCount: command.count)),
        ]
        let write = LogWrite(
            token: DurabilityToken(number: 1),
            hardState: HardState(term: 6, vote: ReplicaID(3)), firstIndex: 1, entries: entries,
            truncates: false)
        var batch = LogBatch()
        batch.add(write, of: Self.group, replica: ReplicaID(1)) {
            EntryRecord.encode(entries[Int($0) - 1], command: $0 == 2 ? command : [])
        }
        try log.write(batch)
        return log
    }

    private func recovered(_ log: MemoryLog) throws -> RecoveredReplica {
        try RecoveredReplica(of: Self.group, log: log, data: MemoryEngine())
    }

    private func recovery(
        _ log: MemoryLog, _ table: StoreTable = StoreTable()
    ) throws -> QuorumRecovery {
        try QuorumRecovery(of: recovered(log), table, lost: [StoreID(2), StoreID(3)])
    }

    @Test func itSaysHowFarItHasCome() throws {
        let recovery = try recovery(storedLog())
        #expect(recovery.last == LogPosition(index: 2, term: 4))
        #expect(recovery.applied == 0)
        #expect(recovery.hardState == HardState(term: 6, vote: ReplicaID(3)))
        #expect(recovery.term == 7)
    }

    @Test func theLogLosesNothingAndGetsAMembershipOfOne() throws {
        let log = try storedLog()
        try log.write(recovery(log).batch)
        let after = try #require(try log.recover().first)
        #expect(after.hardState == HardState(term: 7, vote: nil))
        #expect(after.entries.prefix(2).map(\.term) == [4, 4])
        #expect(
            after.entries.dropFirst().dropFirst().first
                == Entry(term: 7, .membership(Membership(voters: [ReplicaID(1)]))))
        #expect(try recovered(log).membership == Membership(voters: [ReplicaID(1)]))
        // And a second time there is nobody left to lose.
        #expect(throws: QuorumLoss.Refusal.isAlone) { _ = try recovery(log) }
    }

    // Also numbers that only an entry of the log tells of.
    @Test func numbersOfStoresStayGiven() throws {
        var table = StoreTable()
        table.next = 9
        for store in 1...8 as ClosedRange<UInt32> { table[StoreID(store)] = "http://\(store)" }
        for (log, stored) in [(try storedLog(), table), (try storedLog(table), StoreTable())] {
            let left = try recovery(log, stored).table
            #expect(left.next == 9)
            #expect(left.addresses == [StoreID(1): "http://1"])
        }
        #expect(try recovery(storedLog()).table.next == 4)
    }

    // It asks nobody, and everything in its log is applied.
    @Test func itLeadsAlone() throws {
        let log = try storedLog()
        try log.write(recovery(log).batch)
        var host = ReplicaHost(1, of: [1, 2, 3])
        host.hardState = HardState(term: 7, vote: nil)
        host.log = try log.entries(of: Self.group, in: 1..<5, byteLimit: .max)
        host.replica = try recovered(log).start(
            RaftSettings(), generator: SeededGenerator(seed: 1), at: host.now)
        for _ in 0..<20 where !host.replica.isServing {
            host.wait()
            host.settle()
        }
        #expect(host.replica.isServing && host.replica.isAlone)
        #expect(host.replica.applied >= 4)
        #expect(host.data[Bytes("k".utf8)] == Bytes("v".utf8))
        #expect(host.sent.isEmpty, "there is nobody to ask")
    }
}
