// A replica with its log and its data in memory: what is proposed comes out applied, in order, and
// is settled once, whatever happens between.
import Base
import Raft
import Regions
import Storage
import Testing

/// The host of one replica: a log, data, and the effects that nobody has carried out yet.
struct ReplicaHost {
    let id: ReplicaID
    let members: [ReplicaID]
    var replica: Replica
    var now = Instant.origin + .seconds(1)
    /// On disk.
    var hardState = HardState.initial
    var log: [Bytes] = []
    var data: [Bytes: Bytes] = [:]
    var dataApplied: LogIndex = 0

    var appends: [LogAppend] = []
    var applies: [LogApply] = []
    var sent: [PeerMessage] = []
    var bases: [GroupBase] = []
    var settled: [(ProposalID, ProposalFate)] = []
    /// Who was to get a snapshot, and from where on.
    var lagging: [(ReplicaID, LogIndex)] = []
    var discarded: [LogPosition] = []

    init(_ id: UInt64, of members: [UInt64]) {
        self.id = ReplicaID(id)
        self.members = members.map { ReplicaID($0) }
        replica = Self.started(self.id, self.members, .initial, [], applied: 0, at: now)
    }

    private static func started(
        _ id: ReplicaID, _ members: [ReplicaID], _ hardState: HardState, _ log: [Bytes],
        applied: LogIndex, at now: Instant
    ) -> Replica {
        let entries = log.map { record in
            guard let entry = try? EntryRecord.decode(record).entry else {
                fatalError("what a replica has written can be read")
            }
            return entry
        }
        let recovered = RecoveredState(
            hardState: hardState,
            snapshot: SnapshotIdentity(position: .start, membership: Membership(voters: members)),
            entries: entries, applied: applied)
        return Replica(
            group: GroupID(1), id: id, settings: RaftSettings(), recovered: recovered,
            records: Array(log.dropFirst(Int(applied))),
            logBytesKept: LogBytesKept(byLeader: 1_000, byFollower: 0),
            generator: SeededGenerator(seed: id.number), at: now)
    }

    mutating func handle(_ event: ReplicaEvent) {
        var effects: [ReplicaEffect] = []
        replica.step(event, at: now, into: &effects)
        for effect in effects {
            switch effect {
            case .append(let append): appends.append(append)
            case .apply(let apply): applies.append(apply)
            case .send(let message): sent.append(message)
            case .sendFromLog(let message):
                guard case .append(let append) = message.body else { continue }
                let first = Int(append.previous.index)
                let records = Array(log[first..<first + append.entries.count])
                sent.append(PeerMessage(group: GroupID(1), message: message, entries: records))
            case .compact(let base): bases.append(base)
            case .sendSnapshot(let follower, _, _, let index): lagging.append((follower, index))
            case .discardSnapshot(let position): discarded.append(position)
            case .readReady, .readRefused, .transferFailed: break
            case .settled(let id, let fate): settled.append((id, fate))
            case .roleChanged: break
            case .failed(let error): Issue.record("\(error)")
            }
        }
    }

    /// The log reaches the disk.
    mutating func sync() {
        let batch = appends
        appends = []
        for append in batch {
            hardState = append.write.hardState ?? hardState
            log.removeLast(log.count - Int(append.write.firstIndex - 1))
            log += append.records
        }
        for append in batch { handle(.persisted(append.write.token)) }
    }

    /// The data takes what is committed.
    mutating func apply() {
        let batch = applies
        applies = []
        for apply in batch {
            for operation in apply.batch.operations where operation.family == .raw {
                let key = Bytes(apply.batch.arena[operation.key])
                data[key] =
                    operation.kind == .put ? Bytes(apply.batch.arena[operation.value]) : nil
            }
            dataApplied = apply.through
            handle(.applied(through: apply.through))
        }
    }

    mutating func settle() {
        for _ in 0..<20 {
            handle(.turnEnded)
            sync()
            apply()
        }
    }

    /// Power loss: what was under way is gone, and of the data what was not flushed.
    mutating func restart(keepingData: Bool) {
        if !keepingData {
            data = [:]
            dataApplied = 0
        }
        appends = []
        applies = []
        sent = []
        replica = Self.started(
            id, members, hardState, log, applied: dataApplied, at: now)
    }

    /// Lets those in `reach` talk until they are silent.
    static func talk(_ hosts: inout [ReplicaHost], _ reach: Set<UInt64>) {
        for _ in 0..<50 {
            for index in hosts.indices { hosts[index].settle() }
            var messages: [PeerMessage] = []
            for index in hosts.indices {
                messages += hosts[index].sent
                hosts[index].sent = []
            }
            for message in messages {
                let (from, to) = (message.message.from.number, message.message.to.number)
                guard reach.contains(from), reach.contains(to) else { continue }
                hosts[Int(to) - 1].handle(.received(message))
            }
        }
    }

    mutating func wait() {
        now = replica.nextDeadline ?? now
        handle(.deadlineReached)
    }

    static func put(_ key: String, _ value: String) -> WriteBatch {
        var batch = WriteBatch()
        batch.put(.raw, Key(utf8: key), Bytes(value.utf8))
        return batch
    }

    func value(_ key: String) -> String? {
        data[Bytes(key.utf8)].map { String(decoding: $0, as: UTF8.self) }
    }
}

@Suite struct ReplicaTests {
    private func alone() -> ReplicaHost {
        var host = ReplicaHost(1, of: [1])
        host.wait()
        host.settle()
        return host
    }

    @Test func aGroupOfOneLeadsAfterTwoSyncs() {
        var host = ReplicaHost(1, of: [1])
        #expect(!host.replica.isServing)
        host.wait()
        var syncs = 0
        while !host.replica.isServing {
            host.handle(.turnEnded)
            if !host.appends.isEmpty { syncs += 1 }
            host.sync()
            host.apply()
        }
        #expect(syncs == 2)
        #expect(host.dataApplied == 1)
    }

    @Test func whatIsProposedInOneTurnIsOneWrite() {
        var host = alone()
        for index in 0..<3 as Range<UInt64> {
            host.handle(.propose(ProposalID(index), ReplicaHost.put("k", "\(index)")))
        }
        host.handle(.turnEnded)
        #expect(host.appends.count == 1)
        #expect(host.appends.first?.records.count == 3)
        #expect(host.applies.isEmpty)
        host.sync()
        // One batch for the data as well, with the fact that it is applied.
        #expect(host.applies.count == 1)
        #expect(host.applies.first?.batch.operations.map(\.family) == [.raw, .raw, .raw, .meta])
        #expect(host.settled.isEmpty)
        host.apply()
        #expect(host.settled.map(\.0.number) == [0, 1, 2])
        #expect(host.settled.allSatisfy { if case .applied = $0.1 { true } else { false } })
        #expect(host.value("k") == "2")
        #expect(host.replica.isIdle)
    }

    /// For every point at which a run can be cut, and whatever was flushed: what was settled is
    /// there afterwards.
    @Test func whatWasSettledSurvivesEveryCrash() {
        for steps in 0..<24 {
            for keepsData in [true, false] {
                var host = alone()
                var next: UInt64 = 0
                for step in 0..<steps {
                    switch step % 4 {
                    case 0, 1:
                        host.handle(
                            .propose(ProposalID(next), ReplicaHost.put("k\(next)", "\(next)")))
                        next += 1
                        if step % 4 == 1 { host.handle(.turnEnded) }
                    case 2: host.sync()
                    default: host.apply()
                    }
                }
                let settled = host.settled.map(\.0.number)
                host.restart(keepingData: keepsData)
                host.wait()
                host.settle()
                #expect(host.replica.isServing)
                for number in settled {
                    #expect(host.value("k\(number)") == "\(number)", "\(steps), \(keepsData)")
                }
                host.handle(.propose(ProposalID(99), ReplicaHost.put("after", "x")))
                host.settle()
                #expect(host.value("after") == "x")
            }
        }
    }

    @Test func theLogIsCutBehindWhatIsFlushed() {
        var host = alone()
        for index in 0..<10 as Range<UInt64> {
            host.handle(.propose(ProposalID(index), ReplicaHost.put("k\(index)", "v")))
            host.settle()
        }
        host.handle(.flushed(through: 6))
        #expect(host.bases.map(\.index) == [6])
        #expect(host.bases.first?.snapshot.position.term == 1)
        #expect(host.replica.raft.trail.first == 7)
        host.handle(.flushed(through: 6))
        #expect(host.bases.count == 1)
        host.handle(.propose(ProposalID(10), ReplicaHost.put("k10", "v")))
        host.settle()
        #expect(host.settled.count == 11)
    }

    /// History: (1) the leader proposes and is cut off, (2) another one leads and commits something
    /// else in that place, (3) the first one hears of it. Its client may be told that nothing
    /// happened, and only then.
    @Test func aProposalWhosePlaceIsTakenIsKnownNotToHaveHappened() {
        var hosts = [1, 2, 3].map { ReplicaHost($0, of: [1, 2, 3]) }
        func talk(_ reach: Set<UInt64>) { ReplicaHost.talk(&hosts, reach) }
        hosts[0].wait()
        talk([1, 2, 3])
        #expect(hosts[0].replica.isServing)
        hosts[0].handle(.propose(ProposalID(1), ReplicaHost.put("k", "lost")))
        talk([2, 3])
        #expect(hosts[0].settled.isEmpty)
        for index in hosts.indices { hosts[index].now = hosts[index].now + .seconds(10) }
        hosts[1].wait()
        talk([2, 3])
        #expect(hosts[1].replica.isServing)
        hosts[1].handle(.propose(ProposalID(2), ReplicaHost.put("k", "kept")))
        talk([2, 3])
        #expect(hosts[1].settled.map(\.0.number) == [2])
        #expect(hosts[0].settled.isEmpty)
        // What was sent before is lost: the leader finds out by its heartbeats.
        for _ in 0..<3 {
            hosts[1].wait()
            talk([1, 2, 3])
        }
        #expect(hosts[0].settled.map(\.0.number) == [1])
        #expect(hosts[0].settled.map(\.1) == [.superseded])
        for host in hosts { #expect(host.value("k") == "kept") }
        for host in hosts { #expect(host.log == hosts[0].log) }
    }

    /// As before, but the one that was cut off had more in its log than the new leader will have
    /// for a while: nothing of it can happen any more, and nobody waits for the log to grow.
    @Test func proposalsBehindTheEndOfALaterTermAreKnownNotToHaveHappened() {
        var hosts = [1, 2, 3].map { ReplicaHost($0, of: [1, 2, 3]) }
        hosts[0].wait()
        ReplicaHost.talk(&hosts, [1, 2, 3])
        for number in 1...5 as ClosedRange<UInt64> {
            hosts[0].handle(.propose(ProposalID(number), ReplicaHost.put("k", "lost")))
            hosts[0].settle()
        }
        hosts[0].sent = []
        for index in hosts.indices { hosts[index].now = hosts[index].now + .seconds(10) }
        hosts[1].wait()
        ReplicaHost.talk(&hosts, [2, 3])
        for _ in 0..<3 {
            hosts[1].wait()
            ReplicaHost.talk(&hosts, [1, 2, 3])
        }
        #expect(hosts[0].settled.map(\.0.number) == [1, 2, 3, 4, 5])
        #expect(hosts[0].settled.allSatisfy { $0.1 == .superseded })
        #expect(hosts[0].replica.isIdle)
    }

    /// History: (1) a log is cut, (2) another replica leads, (3) it hears of a flush before it
    /// knows how far the others are.
    @Test func aNewLeaderCutsNothingBeforeItKnowsTheOthers() {
        var hosts = [1, 2, 3].map { ReplicaHost($0, of: [1, 2, 3]) }
        hosts[0].wait()
        ReplicaHost.talk(&hosts, [1, 2, 3])
        hosts[0].handle(.propose(ProposalID(1), ReplicaHost.put("k", "1")))
        ReplicaHost.talk(&hosts, [1, 2, 3])
        for index in hosts.indices { hosts[index].handle(.flushed(through: 1)) }
        #expect(hosts.map { $0.replica.raft.trail.base.index } == [1, 1, 1])
        for index in hosts.indices { hosts[index].now = hosts[index].now + .seconds(10) }
        hosts[1].wait()
        ReplicaHost.talk(&hosts, [2, 3])
        hosts[1].handle(.flushed(through: 2))
        #expect(hosts[1].replica.raft.trail.base.index == 1)
        for _ in 0..<3 {
            hosts[1].wait()
            ReplicaHost.talk(&hosts, [1, 2, 3])
        }
        hosts[1].handle(.flushed(through: 2))
        #expect(hosts[1].replica.raft.trail.base.index == 2)
    }

    /// One that was left so far behind that the log is cut past it gets a snapshot, and the cuts
    /// after that one count only what is there.
    @Test func whoLagsTooFarIsSentASnapshot() {
        var hosts = [1, 2, 3].map { ReplicaHost($0, of: [1, 2, 3]) }
        hosts[0].wait()
        ReplicaHost.talk(&hosts, [1, 2, 3])
        let large = String(repeating: "x", count: 600)
        for number in 1...4 as ClosedRange<UInt64> {
            hosts[0].handle(.propose(ProposalID(number), ReplicaHost.put("k", large)))
            ReplicaHost.talk(&hosts, [1, 2])
            hosts[0].handle(.flushed(through: hosts[0].replica.applied))
        }
        #expect(hosts[0].bases.map(\.index) == [1, 3, 5])
        #expect(hosts[0].lagging.isEmpty)
        for _ in 0..<3 {
            hosts[0].wait()
            ReplicaHost.talk(&hosts, [1, 2, 3])
        }
        #expect(hosts[0].lagging.map(\.0.number) == [3])
        #expect(hosts[0].lagging.map(\.1) == [5])
    }

    /// What comes once more while the disk is slow is of no use, and what is on its way to the disk
    /// has the same name: the host must not take it away.
    @Test func aSnapshotOnItsWayToTheDiskIsNotDiscarded() {
        var host = ReplicaHost(1, of: [1, 2, 3])
        func hear(_ index: LogIndex) {
            let snapshot = SnapshotIdentity(
                position: LogPosition(index: index, term: 1),
                membership: Membership(voters: host.members))
            let message = RaftMessage(
                from: ReplicaID(2), to: host.id, term: 1,
                body: .snapshot(snapshot, Beat(round: 1, sentAt: .origin)))
            host.handle(.received(PeerMessage(group: GroupID(1), message: message)))
            host.handle(.turnEnded)
        }
        for index in [5, 9, 9, 5, 7] as [LogIndex] { hear(index) }
        #expect(host.discarded.map(\.index) == [7])
        for append in host.appends { host.handle(.persisted(append.write.token)) }
        #expect(host.replica.applied == 9)
        for index in [5, 9] as [LogIndex] { hear(index) }
        #expect(host.discarded.map(\.index) == [7, 5, 9])
    }
}
