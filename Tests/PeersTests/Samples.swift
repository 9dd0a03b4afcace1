// One of each command, outcome and envelope, and the first records of a stream.
import Base
import Node
import Peers
import Raft
import Regions
import Storage

enum Samples {
    static let now = Instant(nanoseconds: 5_000)
    static let tags = [Fingerprint(high: 1, low: .max), Fingerprint(high: 0, low: 0)]

    static let commands: [RawCommand] = [
        .get(Key(utf8: "a")),
        .get(Key([])),
        .put(RawPut(key: Key(utf8: "a"), value: [])),
        .put(
            RawPut(
                key: Key([0, 255]), value: [1, 2, 3], timeToLive: 0, condition: .absent,
                returnPrevious: true)),
        .put(RawPut(key: Key(utf8: "b"), value: [4], timeToLive: 60, condition: .present)),
        .put(RawPut(key: Key(utf8: "c"), value: [5], condition: .matchesAny(tags))),
        .delete(RawDelete(key: Key(utf8: "d"), condition: .matchesNone(tags))),
        .delete(
            RawDelete(
                key: Key(utf8: "e"), condition: .presentMatchingNone([tags[0]]),
                returnPrevious: true)),
        .compareAndSwap(
            RawCompareAndSwap(key: Key(utf8: "f"), expected: nil, replacement: .delete)),
        .compareAndSwap(
            RawCompareAndSwap(
                key: Key(utf8: "f"), expected: [], replacement: .put([], timeToLive: 9))),
        .scan(RawScan(range: .all, limit: 1)),
        .scan(
            RawScan(
                range: KeyRange(start: Key(utf8: "a"), end: Key(utf8: "z")), reverse: true,
                limit: 10_000, keysOnly: true, delimiter: [47], prefixCount: 3)),
        .count(KeyRange(start: Key(utf8: "a"), end: Key([]))),
        .deleteRange(.all, dryRun: true),
        .deleteRange(KeyRange(prefix: Key(utf8: "p")), dryRun: false),
    ]

    static var page: RawPage {
        var page = RawPage()
        for (key, value) in [("a", "1"), ("b", "")] {
            Bytes(key.utf8).withUnsafeBytes { key in
                Bytes(value.utf8).withUnsafeBytes { value in
                    page.append(
                        key: key, value: value,
                        expiresAt: value.isEmpty ? WallTime(milliseconds: 0) : nil)
                }
            }
        }
        page.append(commonPrefix: Key(utf8: "c/"))
        page.rest = KeyRange(start: Key(utf8: "d"))
        return page
    }

    static let value = RawValue(value: [1, 2], expiresAt: WallTime(milliseconds: 77))

    static let outcomes: [RawOutcome] =
        [
            .found(value), .found(RawValue(value: [])), .missing, .written(previous: nil),
            .written(previous: value), .deleted(previous: nil), .deleted(previous: value),
            .conditionFailed(actual: nil), .conditionFailed(actual: tags[0]),
            .conditionFailed(actual: tags[1]), .swapped(previous: nil),
            .notSwapped(previous: value), .page(page), .page(RawPage()), .counted(0),
            .counted(12), .measured(live: 3, RangeWeight(keys: 4, keyBytes: 50)),
            .rangeDeleted(count: 5, dryRun: true), .rangeDeleted(count: 0, dryRun: false),
        ] + refusals.map { .refused($0) }

    static let refusals: [Refusal] =
        [
            .diskFull(SpaceShortage(free: 1, needed: 2, refusesDeletes: true)),
            .diskFull(SpaceShortage(.files, free: 1, needed: 2, refusesDeletes: false)),
            .noLeader, .deadlineExceeded, .rangeTooLarge, .answerTooLarge, .replicaTooStale("old"),
            .notFollower(elsewhere: nil), .notFollower(elsewhere: StoreID(7)),
            .versionUnknown(at: 3),
            .outcomeUnknown("why"), .storageFailed(""),
        ] + Refusal.Resource.allCases.map { .overloaded(resource: $0) }

    static let heartbeat = PeerMessage(
        group: GroupID(1),
        message: RaftMessage(
            from: ReplicaID(1), to: ReplicaID(2), term: 3,
            body: .heartbeat(
                Heartbeat(
                    commit: 4, beat: Beat(round: 5, sentAt: Instant(nanoseconds: 6)),
                    asksSleep: false))))

    static var envelopes: [PeerEnvelope] {
        let deadline = now + .seconds(2)
        return [
            PeerEnvelope(core: 0, body: .raft(heartbeat)),
            PeerEnvelope(
                core: 3,
                body: .request(RegionRequest(number: 8, deadline: deadline, commands: reads))),
            PeerEnvelope(
                core: 65_535,
                body: .request(
                    RegionRequest(number: .max, deadline: deadline, commands: writes))),
            PeerEnvelope(core: 1, body: .reply(RegionReply(number: 0, outcomes: outcomes))),
        ]
            + stamps.map {
                PeerEnvelope(
                    core: 1, body: .reply(RegionReply(number: 1, outcomes: [.missing], stamp: $0)))
            }
            + rules.map {
                PeerEnvelope(
                    core: 1,
                    body: .request(
                        RegionRequest(number: 1, deadline: deadline, commands: reads, rule: $0)))
            } + [
                PeerEnvelope(core: 1, body: .expire(0)),
                PeerEnvelope(core: 0, body: .clock(Instant(nanoseconds: 0))),
                PeerEnvelope(core: 0, body: .farewell("The clocks differ.")),
            ]
    }

    static let rules = [
        ReadRule(replica: .leader), ReadRule(replica: .any, ageMillisecondsMax: 0),
        ReadRule(replica: .follower, ageMillisecondsMax: .max, minVersion: .max),
    ]

    static let stamps = [
        ReplicaStamp(role: .leader), ReplicaStamp(role: .follower, version: .max),
        ReplicaStamp(role: .follower, version: 7, ageMilliseconds: 0),
        ReplicaStamp(role: .leader, version: 7, ageMilliseconds: .max),
    ]

    static let reads = commands.filter { !$0.isWrite }
    static let writes = commands.filter(\.isWrite)

    static let hello = PeerHello(
        cluster: "c", store: StoreID(2), addressee: StoreID(1), incarnation: 7,
        address: "http://h:1", wall: WallTime(milliseconds: 9), lane: .bulk)
}

extension PeerEnvelope {
    func encoded(at now: Instant = Samples.now) -> Bytes {
        var bytes = Bytes()
        encode(into: &bytes, at: now)
        return bytes
    }
}
