// What a store keeps of the snapshots that come to it: every order of few events, and the histories
// that went wrong.
import Base
import Peers
import Raft
import Regions
import Storage
import Testing

@Suite struct SnapshotShelfTests {
    static let group = GroupID(1)
    static let early = identity(100)
    static let late = identity(200)

    static func identity(_ index: LogIndex) -> SnapshotIdentity {
        SnapshotIdentity(
            position: LogPosition(index: index, term: 1),
            membership: Membership(voters: [ReplicaID(1), ReplicaID(2)]))
    }

    static func chunk(
        _ identity: SnapshotIdentity, origin: UInt64, term: Term, _ number: UInt64,
        of count: UInt64 = 2
    ) -> SnapshotChunk {
        SnapshotChunk(
            group: group, snapshot: identity, origin: origin, leaderTerm: term, number: number,
            isLast: number + 1 == count, content: CommandRecord.encode(WriteBatch()))
    }

    /// A shelf, the folders on its disk, and a replica that behaves as Raft does.
    struct Host: Hashable {
        var shelf = SnapshotShelf(of: group)
        var now = Instant(nanoseconds: 1)
        /// What each holds, by the number of its copy.
        var folders: [UInt64: SnapshotArrival] = [:]
        /// Handed over, and not looked at yet.
        var messages: [Message] = []
        var term: Term = 1
        var commit: LogIndex = 0
        var accepted: [SnapshotIdentity] = []
        var installing: UInt64?
        var failsNext = false

        struct Message: Hashable {
            var identity: SnapshotIdentity
            var term: Term
        }

        mutating func step(_ event: SnapshotShelf.Event) -> [SnapshotShelf.Effect] {
            var effects: [SnapshotShelf.Effect] = []
            shelf.step(event, at: now, into: &effects)
            for case .remove(let number) in effects {
                #expect(number != installing, "what takes the place of the data is not deleted")
                folders[number] = nil
            }
            return effects
        }

        mutating func come(_ chunk: SnapshotChunk) throws -> [SnapshotShelf.Effect] {
            var effects = step(.came(chunk))
            for case .write(let number, var arrival) in effects {
                #expect(folders[number]?.wanted ?? 0 == arrival.wanted, "nothing is missing")
                _ = try #require(try arrival.take(chunk))
                folders[number] = arrival
                if failsNext {
                    failsNext = false
                    effects += step(.failed(number))
                } else {
                    effects += step(.written(number, arrival, byteCount: 1))
                }
            }
            return effects
        }

        func answer(in effects: [SnapshotShelf.Effect]) -> SnapshotAnswer? {
            for case .answer(let answer) in effects { return answer }
            return nil
        }

        mutating func tell(_ identity: SnapshotIdentity, term: Term) {
            if step(.told(identity)) == [.tell] {
                messages.append(Message(identity: identity, term: term))
            }
        }

        /// See `RaftGroup.install` and `answerOutdated`.
        mutating func hear() {
            guard !messages.isEmpty else { return }
            let message = messages.removeFirst()
            term = max(term, message.term)
            let index = message.identity.position.index
            if message.term < term || index <= commit {
                _ = step(.discarded(message.identity.position))
            } else {
                commit = index
                accepted.append(message.identity)
            }
        }

        mutating func take() {
            guard installing == nil, !accepted.isEmpty else { return }
            let identity = accepted.removeFirst()
            guard case .install(let number, let arrival)? = step(.taken(identity)).first else {
                Issue.record("\(identity.position) was accepted and is not there")
                return
            }
            #expect(arrival.isComplete && arrival.snapshot == identity)
            #expect(folders[number] == arrival)
            installing = number
        }

        mutating func finish() {
            guard let number = installing, let taken = folders[number] else { return }
            installing = nil
            #expect(step(.installed(taken.snapshot)).contains(.remove(number)))
        }

        mutating func wait() {
            now = now + Limits.snapshotKept
            _ = step(.deadlineReached)
        }

        /// Nothing more comes: whatever is there is put in place or goes.
        func checkThatItEnds() {
            var rest = self
            while !rest.messages.isEmpty { rest.hear() }
            while rest.installing != nil || !rest.accepted.isEmpty {
                rest.finish()
                rest.take()
            }
            rest.wait()
            #expect(rest.folders.isEmpty, "\(rest)")
            #expect(rest.shelf.nextDeadline == nil)
        }
    }

    static let moves: [(String, @Sendable (inout Host) throws -> Void)] = [
        ("1 sends 0", { _ = try $0.come(chunk(early, origin: 7, term: 1, 0)) }),
        ("1 sends 1", { _ = try $0.come(chunk(early, origin: 7, term: 1, 1)) }),
        ("1 tells", { $0.tell(early, term: 1) }),
        ("2 sends 0", { _ = try $0.come(chunk(early, origin: 8, term: 2, 0)) }),
        ("2 sends 1", { _ = try $0.come(chunk(early, origin: 8, term: 2, 1)) }),
        ("2 tells", { $0.tell(early, term: 2) }),
        ("2 sends a later one", { _ = try $0.come(chunk(late, origin: 9, term: 2, 0, of: 1)) }),
        ("2 tells of it", { $0.tell(late, term: 2) }),
        ("fails", { $0.failsNext = true }),
        ("hears", { $0.hear() }),
        ("takes", { $0.take() }),
        ("finishes", { $0.finish() }),
        ("waits", { $0.wait() }),
    ]

    // Whatever comes in whatever order: what the replica has accepted is there when it is taken,
    // what is being put in place is left alone, no folder is forgotten, and in the end none is
    // left.
    @Test func everyOrderOfFewEvents() throws {
        var reached: [Host: [String]] = [Host(): []]
        var edge = [Host()]
        for _ in 0..<7 {
            var next: [Host] = []
            for host in edge {
                for (name, move) in Self.moves {
                    var moved = host
                    try move(&moved)
                    guard reached[moved] == nil else { continue }
                    let path = reached[host, default: []] + [name]
                    try #require(
                        moved.folders.count <= Limits.snapshotsStaged + 2, "\(path)")
                    moved.checkThatItEnds()
                    reached[moved] = path
                    next.append(moved)
                }
            }
            edge = next
        }
        #expect(reached.count > 1_000, "\(reached.count)")
    }

    // History: after a transfer of the lead both leaders sent, each chunk ended what the other had
    // brought, and 80 MiB took 712 MB of which nothing came of.
    @Test(arguments: 0..<32 as Range<UInt64>) func theLaterLeaderGetsThrough(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var host = Host()
        var wanted: [UInt64: UInt64] = [7: 0, 8: 0]
        var sent = 0
        var isComplete = false
        let count: UInt64 = 20
        while !isComplete, sent <= Int(count) {
            let isLater = generator.chance(1, in: 2)
            let origin: UInt64 = isLater ? 8 : 7
            let chunk = Self.chunk(
                Self.early, origin: origin, term: isLater ? 2 : 1, wanted[origin] ?? 0, of: count)
            let effects = try host.come(chunk)
            if isLater { sent += 1 }
            guard let answer = host.answer(in: effects) else {
                #expect(!isLater && sent > 0, "only the earlier one is refused")
                continue
            }
            wanted[origin] = answer.wanted
            isComplete = isLater && answer.isComplete
        }
        #expect(isComplete && sent <= Int(count), "seed \(seed)")
    }

    @Test func anEarlierLeaderIsRefused() throws {
        var host = Host()
        _ = try host.come(Self.chunk(Self.early, origin: 8, term: 2, 0))
        let refusal = SnapshotShelf.Refusal.leaderIsOver(term: 1, newest: 2)
        #expect(
            host.step(.came(Self.chunk(Self.late, origin: 7, term: 1, 0))) == [.refuse(refusal)])
        let answer = host.answer(in: try host.come(Self.chunk(Self.early, origin: 8, term: 2, 1)))
        #expect(answer?.isComplete == true)
    }

    // History: the answer to the last chunk was lost, the sender began again, and so did the store.
    @Test func theLastAnswerIsGivenAgain() throws {
        var host = Host()
        _ = try host.come(Self.chunk(Self.early, origin: 7, term: 1, 0))
        _ = try host.come(Self.chunk(Self.early, origin: 7, term: 1, 1))
        let complete = SnapshotAnswer(origin: 7, wanted: 0, isComplete: true)
        #expect(
            host.step(.came(Self.chunk(Self.early, origin: 7, term: 1, 0))) == [.answer(complete)])
        // Nor does another making of the same have to come.
        let other = SnapshotAnswer(origin: 8, wanted: 0, isComplete: true)
        #expect(
            host.step(.came(Self.chunk(Self.early, origin: 8, term: 2, 0))) == [.answer(other)])
        #expect(host.shelf.counts.received == 1)
    }

    // History: (1) the snapshot is told of by the leader of term 2, and taken; (2) that of term 1
    // tells of it too, and the replica refuses; (3) the folder was deleted under the install, and
    // no start succeeded any more.
    @Test func aRefusalLeavesWhatWasTaken() throws {
        var host = Host()
        _ = try host.come(Self.chunk(Self.early, origin: 7, term: 1, 0))
        _ = try host.come(Self.chunk(Self.early, origin: 7, term: 1, 1))
        host.tell(Self.early, term: 2)
        host.hear()
        host.tell(Self.early, term: 1)
        host.hear()
        host.take()
        #expect(host.installing != nil)
        host.tell(Self.early, term: 1)
        host.hear()
        _ = try host.come(Self.chunk(Self.late, origin: 9, term: 2, 0))
        host.wait()
        host.finish()
        #expect(host.shelf.counts.installed == 1)
    }

    @Test func whatFailedIsRemovedAndComesAnew() throws {
        var host = Host()
        host.failsNext = true
        #expect(try host.come(Self.chunk(Self.early, origin: 7, term: 1, 0)).last == .remove(1))
        #expect(host.folders.isEmpty)
        let effects = try host.come(Self.chunk(Self.early, origin: 7, term: 1, 1))
        #expect(effects == [.answer(SnapshotAnswer(origin: 7, wanted: 0, isComplete: false))])
        _ = try host.come(Self.chunk(Self.early, origin: 7, term: 1, 0))
        _ = try host.come(Self.chunk(Self.early, origin: 7, term: 1, 1))
        #expect(host.shelf.counts.received == 1)
    }

    // A leader that is gone leaves nothing for long: neither a part nor all of a snapshot.
    @Test(arguments: [1, 2]) func whatNobodySpeaksOfGoes(chunks: UInt64) throws {
        var host = Host()
        for number in 0..<chunks {
            _ = try host.come(Self.chunk(Self.early, origin: 7, term: 1, number))
        }
        let deadline = try #require(host.shelf.nextDeadline)
        #expect(deadline == host.now + Limits.snapshotKept)
        host.now = deadline
        #expect(host.step(.deadlineReached) == [.remove(1)])
        #expect(host.folders.isEmpty)
    }
}
