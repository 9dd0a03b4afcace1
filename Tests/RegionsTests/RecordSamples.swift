// One of each record, and random ones, for the tests of their bytes.
import Base
import Raft
import Regions
import Storage

/// A record under test: its name in the schema, and reading and writing as one step.
struct RecordForm: Sendable {
    var name: String
    var rewritten: @Sendable (Bytes) throws -> Bytes

    static let all = [
        RecordForm(name: "Entry") {
            let decoded = try EntryRecord.decode($0)
            return EntryRecord.encode(decoded.entry, command: Bytes($0[decoded.command]))
        },
        RecordForm(name: "Command") { try CommandRecord.encode(CommandRecord.decode($0)) },
        RecordForm(name: "HardState") { try HardState(decoding: $0).encoded },
        RecordForm(name: "GroupBase") { try GroupBase(decoding: $0).encoded },
        RecordForm(name: "Applied") { try AppliedRecord(decoding: $0).encoded },
        RecordForm(name: "SnapshotChunk") { try SnapshotChunk(decoding: $0).encoded },
        RecordForm(name: "PeerMessage") { try PeerMessage(decoding: $0).encoded },
    ]
}

extension SeededGenerator {
    /// Of any length in bits, up to that many.
    mutating func number(bits: UInt64 = 64) -> UInt64 {
        next() >> UInt64.random(in: 64 - bits...63, using: &self)
    }

    mutating func position() -> LogPosition {
        LogPosition(index: number(bits: 60), term: number())
    }

    mutating func membership() -> Membership {
        var ids = Set<UInt64>()
        while ids.count < 9 { ids.insert(number()) }
        var rest = ids.sorted().map(ReplicaID.init)[...]
        func take(_ count: Int) -> [ReplicaID] {
            defer { rest = rest.dropFirst(count) }
            return Array(rest.prefix(count))
        }
        let voters = take(Int.random(in: 1...3, using: &self))
        guard chance(1, in: 2) else { return Membership(voters: voters, learners: take(2)) }
        let leaving = take(2)
        return Membership(
            voters: voters, outgoing: leaving + voters.prefix(1), learners: take(1),
            learnersNext: chance(1, in: 2) ? [leaving[0]] : [])
    }

    mutating func identity() -> SnapshotIdentity {
        SnapshotIdentity(position: position(), membership: membership())
    }

    mutating func bytes(upTo count: Int) -> Bytes {
        (0..<Int.random(in: 0...count, using: &self)).map { _ in
            UInt8.random(in: 0...255, using: &self)
        }
    }

    mutating func command() -> Bytes { CommandRecord.encode(batch()) }

    mutating func batch() -> WriteBatch {
        var batch = WriteBatch()
        for _ in 0..<Int.random(in: 0...6, using: &self) {
            let family: ColumnFamily = chance(1, in: 2) ? .raw : .meta
            let key = Key(bytes(upTo: chance(1, in: 9) ? 300 : 9))
            switch UInt64.random(in: 0..<3, using: &self) {
            case 0: batch.put(family, key, bytes(upTo: chance(1, in: 9) ? 300 : 9))
            case 1: batch.delete(family, key)
            default:
                let end =
                    chance(1, in: 3)
                    ? nil : Key(key.bytes + [UInt8.random(in: 0...9, using: &self)])
                batch.deleteRange(family, KeyRange(start: key, end: end))
            }
        }
        return batch
    }

    mutating func entry() -> (entry: Entry, record: Bytes) {
        let command = command()
        let entry: Entry =
            switch UInt64.random(in: 0..<3, using: &self) {
            case 0: Entry(term: number(), .blank)
            case 1: Entry(term: number(), .membership(membership()))
            default: Entry(term: number(), .command(byteCount: command.count))
            }
        let isCommand = entry.byteCount > 0
        return (entry, EntryRecord.encode(entry, command: isCommand ? command : []))
    }

    mutating func beat() -> Beat { Beat(round: number(), sentAt: .init(nanoseconds: number())) }

    mutating func candidacy() -> Candidacy {
        let priority = Int(truncatingIfNeeded: number(bits: 63))
        return Candidacy(
            last: position(), priority: chance(1, in: 2) ? -priority : priority,
            isTransfer: chance(1, in: 2))
    }

    mutating func mark() -> FollowerMark {
        FollowerMark(incarnation: number(), madeAt: Instant(nanoseconds: number()))
    }

    mutating func context() -> ReadContext {
        ReadContext(incarnation: number(), number: number())
    }

    mutating func outcome() -> AppendReply.Outcome {
        switch UInt64.random(in: 0..<3, using: &self) {
        case 0: .accepted(through: number(bits: 60))
        case 1: .refused(at: number(bits: 60), hint: position())
        default: .outdated
        }
    }

    mutating func peerMessage() -> PeerMessage {
        let entries = (0..<Int.random(in: 0...4, using: &self)).map { _ in entry() }
        let bodies: [RaftMessage.Body] = [
            .preVote(candidacy()), .preVoteReply(.granted), .preVoteReply(.refused),
            .preVoteReply(.claimed), .vote(candidacy()), .voteReply(isGranted: chance(1, in: 2)),
            .append(
                Append(
                    previous: position(), entries: entries.map(\.entry), commit: number(bits: 60),
                    beat: beat())),
            .appendReply(AppendReply(outcome: outcome(), beat: beat())),
            .heartbeat(
                Heartbeat(
                    commit: number(bits: 60), beat: beat(), asksSleep: chance(1, in: 2),
                    view: chance(1, in: 2)
                        ? LeaderView(commit: number(bits: 60), heard: mark()) : nil)),
            .heartbeatReply(beat(), isAsleep: chance(1, in: 2), mark()),
            .snapshot(identity(), beat()), .timeoutNow, .readIndex(context()),
            .readIndexReply(
                ReadIndexReply(
                    context: context(), index: number(bits: 60), commit: number(bits: 60))),
            .wakeUp,
        ]
        let body = bodies[Int.random(in: 0..<bodies.count, using: &self)]
        var records: [Bytes] = []
        if case .append = body { records = entries.map(\.record) }
        return PeerMessage(
            group: GroupID(number()),
            message: RaftMessage(
                from: ReplicaID(number()), to: ReplicaID(number()), term: number(), body: body),
            entries: records)
    }

    /// A record of that form, and its bytes.
    mutating func record(_ name: String) -> Bytes {
        switch name {
        case "Entry": entry().record
        case "Command": command()
        case "HardState":
            HardState(
                term: number(), vote: chance(1, in: 2) ? ReplicaID(number(bits: 2)) : nil
            ).encoded
        case "GroupBase":
            GroupBase(replica: ReplicaID(number()), snapshot: identity()).encoded
        case "Applied": AppliedRecord(group: GroupID(number()), snapshot: identity()).encoded
        case "SnapshotChunk":
            SnapshotChunk(
                group: GroupID(number()), snapshot: identity(), origin: number(),
                leaderTerm: number(), number: number(), isLast: chance(1, in: 2), content: command()
            ).encoded
        default: peerMessage().encoded
        }
    }
}
