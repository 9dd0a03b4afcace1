// The stores of one group, each a shard with a log and data in memory: they talk in turns, and
// nothing happens but by a test's word.
import Base
import DequeModule
import Node
import Raft
import Regions
import Storage
import Testing

/// A class, because an array holds no shards.
final class GroupMember {
    let store: StoreID
    var shard: Shard
    private let log = MemoryLog()
    private let engine = MemoryEngine()
    private var appends: [LogAppend] = []
    private var applies: [LogApply] = []
    var inbox: [Event] = []
    var sent: [Envelope] = []
    var results: [GroupChangeResult] = []
    var outcomes: [RawOutcome] = []
    /// Who is sent a snapshot.
    var snapshots: [ReplicaID] = []
    var stamps: [ReplicaStamp?] = []
    private var lastNumber: UInt64 = 0
    /// What reader threads have been given; a test says when they answer.
    private var reads: [(token: ReadToken, read: RawRead, view: any EngineView, wall: WallTime)] =
        []
    /// Its disk takes its time: nothing is applied.
    var holdsApplies = false

    private static let group = GroupID(1)

    /// - Parameter base: where its log and its data begin.
    init(
        _ number: UInt32, founders: ClosedRange<UInt32>, base: LogPosition? = nil,
        settings: RaftSettings = RaftSettings(), at now: Now
    ) throws {
        store = StoreID(number)
        let voters = founders.contains(number) ? founders.map { ReplicaID(on: StoreID($0)) } : []
        try RecoveredReplica.begin(
            Self.group, log, replica: ReplicaID(on: store),
            membership: Membership(voters: voters))
        if let base {
            let snapshot = SnapshotIdentity(
                position: base, membership: Membership(voters: voters))
            var batch = LogBatch()
            batch.setBase(
                GroupBase(replica: ReplicaID(on: store), snapshot: snapshot), of: Self.group)
            try log.write(batch)
            var data = WriteBatch()
            let applied = AppliedRecord(group: Self.group, snapshot: snapshot)
            data.put(.meta, AppliedRecord.key(of: Self.group), applied.encoded)
            try engine.write(data, sync: true)
        }
        let replica = try RecoveredReplica(of: Self.group, log: log, data: engine).start(
            settings, generator: SeededGenerator(seed: UInt64(number)), at: now.instant)
        shard = Shard(
            address: UnitAddress(core: 0, unit: .shard), engine: engine, replica: replica)
    }

    var status: GroupStatus? { shard.groupStatus }

    func ask(_ change: GroupChange, keeping table: StoreTable? = nil) {
        inbox.append(.change(Self.group, GroupChangeID(UInt64(results.count)), change, table))
    }

    /// A look at a disk of a gigabyte finds so much free.
    func see(free bytes: UInt64) { inbox.append(.diskSpace(.seen(free: bytes))) }

    var leadsOffered: UInt64 { shard.counters.leadsOffered }
    var appendsWithoutRoom: UInt64 { shard.counters.appendsWithoutRoom }

    func put(_ key: String, _ value: String, if condition: RawCondition = .none) {
        send(.put(key, value, if: condition))
    }

    @discardableResult
    func send(_ command: RawCommand, _ rule: ReadRule? = nil) -> RegionRequest.Number {
        lastNumber += 1
        let request = RegionRequest(
            number: lastNumber, deadline: .distantFuture, commands: [command], rule: rule)
        receive(.request(request))
        return lastNumber
    }

    func expire(_ number: RegionRequest.Number) { receive(.expire(number)) }

    private func receive(_ body: Envelope.Body) {
        let from = UnitAddress(core: 0, unit: .gateway)
        let to = UnitAddress(core: 0, unit: .shard)
        inbox.append(.received(Envelope(from: from, to: to, body: body)))
    }

    /// One turn of its loop, then its log's sync and what is to be applied. False if nothing was
    /// done.
    func turn(at now: Now) throws -> Bool {
        let isIdle = inbox.isEmpty
        let events = inbox
        inbox = []
        for event in events + [.turnEnded] { step(event, at: now) }
        let toLog = appends
        appends = []
        for append in toLog {
            var batch = LogBatch()
            batch.add(append.write, of: append.group, replica: ReplicaID(on: store)) { index in
                append.records[Int(index - append.write.firstIndex)]
            }
            try log.write(batch)
            step(.logged(append.group, append.write.token), at: now)
        }
        let toData = holdsApplies ? [] : applies
        if !holdsApplies { applies = [] }
        for apply in toData {
            try engine.write(apply.batch, sync: false)
            step(.applied(apply.group, through: apply.through), at: now)
        }
        return !isIdle || !toLog.isEmpty || !toData.isEmpty || !appends.isEmpty
    }

    func answerReads() throws {
        for (token, read, view, wall) in reads {
            let found = try #require(try read.run(on: engine, view, at: wall, tier: .disk))
            inbox.append(.readFinished(token, .success(found)))
        }
        reads = []
    }

    private func sendFromLog(_ message: RaftMessage) {
        guard case .append(let append) = message.body else { return }
        let first = append.previous.index + 1
        do {
            let records = try log.entries(
                of: Self.group, in: first..<first + LogIndex(append.entries.count),
                byteLimit: .max)
            let peer = PeerMessage(group: Self.group, message: message, entries: records)
            let to = UnitAddress(core: 0, unit: .shard, store: message.to.store)
            sent.append(
                Envelope(from: UnitAddress(core: 0, unit: .shard), to: to, body: .raft(peer)))
        } catch {
            fatalError("a log in memory can be read: \(error)")
        }
    }

    private func step(_ event: Event, at now: Now) {
        var effects: Effects = []
        shard.step(event, at: now, into: &effects)
        for effect in effects {
            switch effect {
            case .append(let append): appends.append(append)
            case .apply(let apply): applies.append(apply)
            case .changed(_, let result): results.append(result)
            case .sendFromLog(_, let message): sendFromLog(message)
            case .sendSnapshot(_, let id, _, _, _): snapshots.append(id)
            case .stopSnapshots: snapshots = []
            case .read(let token, let read, let view, let wall):
                reads.append((token, read, view ?? engine.view(), wall))
            case .send(let envelope):
                if case .reply(let reply) = envelope.body {
                    outcomes += reply.outcomes
                    stamps.append(reply.stamp)
                } else if envelope.to.store != nil {
                    sent.append(envelope)
                }
            default: break
            }
        }
    }
}

struct GroupHost {
    private(set) var members: [GroupMember] = []
    private(set) var now = Now(
        instant: .origin + .seconds(1), wall: WallTime(milliseconds: 1_700_000_000_000))
    /// Stores that nobody hears and that hear nobody.
    var cut: Set<UInt32> = []
    private let founders: ClosedRange<UInt32>
    private let settings: RaftSettings

    /// With somebody who leads.
    /// - Parameter base: where the log of the first begins; the others have nothing.
    init(
        _ founders: ClosedRange<UInt32>, base: LogPosition? = nil,
        settings: RaftSettings = RaftSettings()
    ) throws {
        self.founders = founders
        self.settings = settings
        for number in founders {
            try start(number, base: number == founders.lowerBound ? base : nil)
        }
        try pass(.seconds(4))
    }

    subscript(_ number: UInt32) -> GroupMember {
        members.first { $0.store == StoreID(number) } ?? members[0]
    }

    mutating func start(_ number: UInt32, base: LogPosition? = nil) throws {
        members.append(
            try GroupMember(
                number, founders: founders, base: base, settings: settings, at: now))
    }

    /// Of the highest term, if it serves.
    var leader: GroupMember? {
        members.filter { $0.status?.isServing == true }
            .max { ($0.status?.term ?? 0) < ($1.status?.term ?? 0) }
    }

    var followers: [GroupMember] { members.filter { $0.store != leader?.store } }

    /// Turns and messages until all are silent.
    mutating func settle() throws {
        for _ in 0..<200 {
            var isBusy = false
            for member in members where try member.turn(at: now) { isBusy = true }
            for member in members {
                let sent = member.sent
                member.sent = []
                for envelope in sent { deliver(envelope, from: member.store) }
                isBusy = isBusy || !sent.isEmpty
            }
            if !isBusy { return }
        }
    }

    private func deliver(_ envelope: Envelope, from store: StoreID) {
        guard let to = envelope.to.store, let target = members.first(where: { $0.store == to }),
            !cut.contains(store.number), !cut.contains(to.number)
        else { return }
        var arrived = envelope
        arrived.to.store = nil
        arrived.from.store = store
        target.inbox.append(.received(arrived))
    }

    /// Lets time pass, from deadline to deadline.
    mutating func pass(_ duration: Duration) throws {
        let end = now.instant + duration
        try settle()
        while let next = members.compactMap({ $0.shard.nextDeadline }).min(), next <= end {
            now.instant = max(now.instant, next)
            for member in members {
                if let due = member.shard.nextDeadline, due <= now.instant {
                    member.inbox.append(.deadlineReached)
                }
            }
            try settle()
        }
        now.instant = end
    }
}
