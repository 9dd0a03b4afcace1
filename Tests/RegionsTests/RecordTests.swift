// What stands in Raft logs and goes between peers: golden bytes, every value there and back, and
// what any other bytes are taken for.
import Base
import Raft
import Regions
import Storage
import Testing

@Suite struct RecordTests {
    private let joint = Membership(
        voters: [ReplicaID(1), ReplicaID(300)], outgoing: [ReplicaID(1), ReplicaID(2)],
        learners: [ReplicaID(4)], learnersNext: [ReplicaID(2)])
    /// That membership as a nested message.
    private let jointBytes: Bytes = [
        15, 0x0A, 3, 1, 0xAC, 2, 0x12, 2, 1, 2, 0x1A, 1, 4, 0x22, 1, 2,
    ]

    @Test func goldenEntries() throws {
        let blank = Entry(term: 7, .blank)
        #expect(EntryRecord.encode(blank) == [0x08, 1, 0x10, 7])
        let command = Entry(term: 300, .command(byteCount: 2))
        let record: Bytes = [0x08, 1, 0x10, 0xAC, 2, 0x18, 1, 0x22, 2, 0xAA, 0xBB]
        #expect(EntryRecord.encode(command, command: [0xAA, 0xBB]) == record)
        let decoded = try EntryRecord.decode(record)
        #expect(decoded.entry == command)
        #expect(decoded.command == 9..<11)
        let change = Entry(term: 1, .membership(joint))
        let golden: Bytes = [0x08, 1, 0x10, 1, 0x18, 2, 0x2A] + jointBytes
        #expect(EntryRecord.encode(change) == golden)
        #expect(try EntryRecord.decode(golden).entry == change)
    }

    @Test func goldenCommand() throws {
        var batch = WriteBatch()
        batch.put(.raw, Key([0x61]), [1, 2])
        batch.put(.meta, Key([0x62]), [])
        batch.delete(.raw, Key([0x63]))
        batch.deleteRange(.raw, KeyRange(start: Key([0x64]), end: Key([0x65])))
        batch.deleteRange(.raw, .all)
        let golden: Bytes =
            [0x08, 1, 0x12, 7, 0x1A, 1, 0x61, 0x22, 2, 1, 2]
            + [0x12, 5, 0x10, 1, 0x1A, 1, 0x62]
            + [0x12, 5, 0x08, 1, 0x1A, 1, 0x63]
            + [0x12, 8, 0x08, 2, 0x1A, 1, 0x64, 0x22, 1, 0x65]
            + [0x12, 2, 0x08, 2]
        #expect(CommandRecord.encode(batch) == golden)
        let read = try CommandRecord.decode([9, 9] + golden + [9], in: 2..<golden.count + 2)
        #expect(read.plain == batch.plain)
        #expect(CommandRecord.encode(WriteBatch()) == [0x08, 1])
    }

    @Test func goldenStates() throws {
        #expect(HardState(term: 5, vote: nil).encoded == [0x08, 1, 0x10, 5])
        #expect(HardState(term: 5, vote: ReplicaID(0)).encoded == [0x08, 1, 0x10, 5, 0x18, 0])
        #expect(HardState.initial.encoded == [0x08, 1])
        let identity = SnapshotIdentity(
            position: LogPosition(index: 9, term: 3), membership: joint)
        let golden: Bytes = [0x08, 1, 0x10, 42, 0x18, 9, 0x20, 3, 0x2A] + jointBytes
        #expect(GroupBase(replica: ReplicaID(42), snapshot: identity).encoded == golden)
        #expect(AppliedRecord(group: GroupID(42), snapshot: identity).encoded == golden)
        #expect(
            AppliedRecord.key(of: GroupID(258)).bytes
                == Bytes("applied/".utf8) + [0, 0, 0, 0, 0, 0, 1, 2])
    }

    @Test func goldenMessages() throws {
        let beat = Beat(round: 3, sentAt: .init(nanoseconds: 0x0102))
        let beatBytes: Bytes = [11, 0x08, 3, 0x11, 2, 1, 0, 0, 0, 0, 0, 0]
        let last = LogPosition(index: 9, term: 4)
        let entry = Entry(term: 4, .blank)
        let append = Append(previous: last, entries: [entry, entry], commit: 8, beat: beat)
        let context = ReadContext(incarnation: 0xFF, number: 6)
        let contextBytes: Bytes = [0x09, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0x10, 6]
        let identity = SnapshotIdentity(position: last, membership: joint)
        let replies: [(AppendReply.Outcome, Bytes)] = [
            (.accepted(through: 9), [15, 0x10, 9, 0x2A]),
            (.refused(at: 9, hint: last), [21, 0x08, 1, 0x10, 9, 0x18, 9, 0x20, 4, 0x2A]),
            (.outdated, [15, 0x08, 2, 0x2A]),
        ]
        let candidate = Candidacy(last: last, priority: -1, isTransfer: true)
        let candidateBytes: Bytes = [8, 0x08, 9, 0x10, 4, 0x18, 1, 0x20, 1]
        let bodies: [(RaftMessage.Body, Bytes)] =
            [
                (.preVote(candidate), [0x32] + candidateBytes),
                (.preVoteReply(.refused), [0x3A, 0]), (.preVoteReply(.granted), [0x3A, 2, 8, 1]),
                (.preVoteReply(.claimed), [0x3A, 2, 8, 2]),
                (.vote(candidate), [0x42] + candidateBytes),
                (.voteReply(isGranted: true), [0x4A, 2, 8, 1]),
                (.voteReply(isGranted: false), [0x4A, 0]),
                (
                    .append(append),
                    [0x52, 31, 0x08, 9, 0x10, 4, 0x18, 8, 0x22] + beatBytes
                        + [0x2A, 4, 8, 1, 16, 4, 0x2A, 4, 8, 1, 16, 4]
                ),
                (
                    .heartbeat(Heartbeat(commit: 8, beat: beat, asksSleep: true)),
                    [0x62, 17, 0x08, 8, 0x12] + beatBytes + [0x18, 1]
                ),
                (
                    .snapshot(identity, beat),
                    [0x72, 34, 0x08, 9, 0x10, 4, 0x1A] + jointBytes + [0x22] + beatBytes
                ),
                (.timeoutNow, [0x7A, 0]), (.readIndex(context), [0x82, 1, 11] + contextBytes),
                (
                    .readIndexReply(ReadIndexReply(context: context, index: 9, commit: 8)),
                    [0x8A, 1, 17, 0x0A, 11] + contextBytes + [0x10, 9, 0x18, 8]
                ),
                (.wakeUp, [0x92, 1, 0]),
            ]
            + replies.map { outcome, bytes in
                (
                    .appendReply(AppendReply(outcome: outcome, beat: beat)),
                    [0x5A] + bytes + beatBytes
                )
            }
        for (body, golden) in bodies {
            var records: [Bytes] = []
            if case .append = body { records = [[8, 1, 16, 4], [8, 1, 16, 4]] }
            let message = PeerMessage(
                group: GroupID(1),
                message: RaftMessage(from: ReplicaID(2), to: ReplicaID(3), term: 4, body: body),
                entries: records)
            let head: Bytes = [0x08, 1, 0x10, 1, 0x18, 2, 0x20, 3, 0x28, 4]
            #expect(message.encoded == head + golden, "\(body)")
            #expect(try PeerMessage(decoding: head + golden) == message)
        }
    }

    @Test func goldenMarks() throws {
        let beat = Beat(round: 3, sentAt: .init(nanoseconds: 0x0102))
        let beatBytes: Bytes = [11, 0x08, 3, 0x11, 2, 1, 0, 0, 0, 0, 0, 0]
        let mark = FollowerMark(incarnation: 0xFF, madeAt: .init(nanoseconds: 7))
        let markBytes: Bytes = [
            18, 0x09, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0x11, 7, 0, 0, 0, 0, 0, 0, 0,
        ]
        let view = LeaderView(commit: 9, heard: mark)
        let bodies: [(RaftMessage.Body, Bytes)] = [
            (
                .heartbeat(Heartbeat(commit: 8, beat: beat, asksSleep: false, view: view)),
                [0x62, 39, 0x08, 8, 0x12] + beatBytes + [0x22, 22, 0x08, 9, 0x12] + markBytes
            ),
            (
                .heartbeatReply(beat, isAsleep: true, mark),
                [0x6A, 35, 0x0A] + beatBytes + [0x10, 1, 0x1A] + markBytes
            ),
        ]
        for (body, golden) in bodies {
            let message = PeerMessage(
                group: GroupID(1),
                message: RaftMessage(from: ReplicaID(2), to: ReplicaID(3), term: 4, body: body))
            let head: Bytes = [0x08, 1, 0x10, 1, 0x18, 2, 0x20, 3, 0x28, 4]
            #expect(message.encoded == head + golden, "\(body)")
            #expect(try PeerMessage(decoding: head + golden) == message)
        }
    }

    @Test func goldenChunk() throws {
        let identity = SnapshotIdentity(position: LogPosition(index: 9, term: 4), membership: joint)
        let chunk = SnapshotChunk(
            group: GroupID(1), snapshot: identity, origin: 5, leaderTerm: 6, number: 2,
            isLast: true, content: [0x08, 1])
        let golden: Bytes =
            [0x08, 1, 0x10, 1, 0x18, 9, 0x20, 4, 0x2A] + jointBytes
            + [0x31, 5, 0, 0, 0, 0, 0, 0, 0, 0x38, 2, 0x40, 1, 0x4A, 2, 0x08, 1, 0x51]
        #expect(chunk.encoded.dropLast(10) == golden[...])
        #expect(
            chunk.encoded.suffix(10)
                == ([77, 55, 113, 93, 194, 58, 186, 88, 0x58, 6] as Bytes)[...])
        #expect(try SnapshotChunk(decoding: chunk.encoded) == chunk)
        // What it holds, and where that belongs, is what was sent.
        for place in [4, 6, 28, 35, 40, chunk.encoded.count - 1] {
            var damaged = chunk.encoded
            damaged[place] ^= 1
            #expect((try? SnapshotChunk(decoding: damaged)) != chunk, "byte \(place)")
        }
    }

    @Test func whatIsWrittenIsRead() throws {
        var generator = SeededGenerator(seed: 31)
        for _ in 0..<500 {
            let message = generator.peerMessage()
            #expect(try PeerMessage(decoding: message.encoded) == message)
            let batch = generator.batch()
            #expect(try CommandRecord.decode(CommandRecord.encode(batch)).plain == batch.plain)
            let (entry, record) = generator.entry()
            #expect(try EntryRecord.decode(record).entry == entry)
            let identity = generator.identity()
            let base = GroupBase(replica: ReplicaID(generator.number()), snapshot: identity)
            #expect(try GroupBase(decoding: base.encoded) == base)
            let applied = AppliedRecord(group: GroupID(generator.number()), snapshot: identity)
            #expect(try AppliedRecord(decoding: applied.encoded) == applied)
        }
        for vote in [nil, 0, 1, .max] as [UInt64?] {
            for term in [0, 1, 127, 128, .max] as [UInt64] {
                let state = HardState(term: term, vote: vote.map(ReplicaID.init))
                #expect(try HardState(decoding: state.encoded) == state)
            }
        }
    }

    @Test(arguments: RecordForm.all.map(\.name)) func otherVersionsAreRefused(name: String) {
        let form = RecordForm.all.first { $0.name == name }!
        for (bytes, found) in [([0x08, 2], "not 2"), ([0x08, 0], "not 0")] as [(Bytes, String)] {
            let error = #expect(throws: DecodeError.self) { try form.rewritten(bytes) }
            #expect(error?.expected.hasSuffix(found) == true)
            #expect(error?.offset == 1)
        }
        #expect(throws: DecodeError.self) { try form.rewritten([]) }
    }

    /// An unknown field is skipped wherever it stands; a cut or a changed byte gives another record
    /// or an error, never a trap, and what is read is written back to what it was read from.
    @Test(arguments: RecordForm.all.map(\.name)) func damage(name: String) throws {
        let form = RecordForm.all.first { $0.name == name }!
        var generator = SeededGenerator(seed: 77)
        var unknown = Bytes()
        unknown.appendField(77, bytes: [1, 2, 3])
        unknown.appendField(78, varint: 5)
        for round in 0..<300 {
            let bytes = generator.record(name)
            #expect(try form.rewritten(bytes) == bytes, "round \(round)")
            #expect(try form.rewritten(unknown + bytes + unknown) == bytes, "round \(round)")
            for length in 0..<min(bytes.count, 100) { check(form, Bytes(bytes[..<length])) }
            for _ in 0..<100 {
                var damaged = bytes
                for _ in 0..<Int.random(in: 1...3, using: &generator) {
                    damaged[Int.random(in: 0..<bytes.count, using: &generator)] =
                        UInt8.random(in: 0...255, using: &generator)
                }
                check(form, damaged)
            }
        }
    }

    private func check(_ form: RecordForm, _ bytes: Bytes) {
        do {
            let once = try form.rewritten(bytes)
            #expect(try form.rewritten(once) == once, "\(bytes)")
        } catch let error as DecodeError {
            #expect(error.offset <= bytes.count, "\(bytes)")
        } catch {
            Issue.record("\(error)")
        }
    }

    @Test func recordsThatContradictThemselvesAreRefused() {
        let refused: [(String, Bytes)] = [
            ("an entry of an unknown kind", [0x08, 1, 0x18, 3]),
            ("a command without bytes", [0x08, 1, 0x18, 1]),
            ("a blank with a command", [0x08, 1, 0x22, 1, 1]),
            ("a membership that is missing", [0x08, 1, 0x18, 2]),
            ("a learner that votes", [8, 1, 0x18, 2, 0x2A, 6, 0x0A, 1, 1, 0x1A, 1, 1]),
        ]
        for (what, bytes) in refused {
            #expect(throws: DecodeError.self, "\(what)") { try EntryRecord.decode(bytes) }
        }
        let many = Membership(voters: (1...16).map(ReplicaID.init))
        #expect(throws: DecodeError.self) {
            try EntryRecord.decode(EntryRecord.encode(Entry(term: 1, .membership(many))))
        }
        let commands: [(String, Bytes)] = [
            ("an unknown kind", [0x08, 1, 0x12, 2, 0x08, 3]),
            ("an unknown family", [0x08, 1, 0x12, 2, 0x10, 2]),
            ("an empty range", [8, 1, 0x12, 8, 8, 2, 0x1A, 1, 5, 0x22, 1, 5]),
        ]
        for (what, bytes) in commands {
            #expect(throws: DecodeError.self, "\(what)") { try CommandRecord.decode(bytes) }
        }
        var long = WriteBatch()
        long.put(.raw, Key(Bytes(repeating: 1, count: Limits.storedKeyBytes + 1)), [])
        #expect(throws: DecodeError.self) { try CommandRecord.decode(CommandRecord.encode(long)) }
    }
}

struct PlainOperation: Hashable {
    var kind: WriteBatch.Kind
    var family: ColumnFamily
    var key: Bytes
    var value: Bytes
}

extension WriteBatch {
    /// Wherever its bytes stand.
    var plain: [PlainOperation] {
        operations.map {
            PlainOperation(
                kind: $0.kind, family: $0.family, key: Bytes(arena[$0.key]),
                value: Bytes(arena[$0.value]))
        }
    }
}
