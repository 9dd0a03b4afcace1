// Where a gateway sends reads that say whose data they want, and what it does when those whom it
// asks cannot answer.
import API
import Base
import Node
import Regions
import Testing

@Suite struct GatewayReadTests {
    private let other = StoreID(2)
    private let stale = RawOutcome.refused(.replicaTooStale("old"))
    private let one = RawOutcome.found(RawValue(value: [1]))

    private func field(_ host: borrowing LoneGateway, _ name: ResponseHeaderName) -> String? {
        host.responses.last?[name].map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func whatTheRequestSaysTravels() {
        var host = LoneGateway()
        host.ask(.get, "/v1/raw/kv/a?consistency=stale")
        host.ask(.get, "/v1/raw/kv/a?consistency=stale&max_staleness_seconds=3&replica=follower")
        host.ask(.get, "/v1/raw/kv/a?min_version=7")
        host.ask(.get, "/v1/raw/kv/a")
        #expect(
            host.rules == [
                ReadRule(replica: .any, ageMillisecondsMax: 10_000),
                ReadRule(replica: .follower, ageMillisecondsMax: 3_000),
                ReadRule(replica: .leader, minVersion: 7), nil,
            ])
    }

    @Test func aStaleReadStaysHereAndSaysWhatItGot() {
        var host = LoneGateway()
        host.leads(.store(other))
        host.ask(.get, "/v1/raw/kv/a?consistency=stale")
        host.answer(
            one, stamp: ReplicaStamp(role: .follower, version: 12, ageMilliseconds: 340))
        #expect(host.targets == [nil])
        #expect(field(host, .servedBy) == "store=1 role=follower")
        #expect(field(host, .readVersion) == "12")
        #expect(field(host, .staleness) == "340")
        host.ask(.get, "/v1/raw/entry?key=a&consistency=stale")
        host.answer(one, stamp: ReplicaStamp(role: .follower, version: 12, ageMilliseconds: 0))
        let text = String(decoding: host.responses.last?.body ?? [], as: UTF8.self)
        #expect(text.contains(#""version":"12","staleness_ms":0}"#), "\(text)")
    }

    @Test func whatIsTooOldHereIsAskedOfWhoLeads() {
        var host = LoneGateway()
        host.leads(.store(other))
        host.ask(.get, "/v1/raw/kv/a?consistency=stale")
        host.answer(stale)
        host.answer(one, from: other, stamp: ReplicaStamp(role: .leader, version: 3))
        #expect(host.targets == [nil, other])
        #expect(host.statuses == [200])
        // Who wants a follower gets no leader.
        host.ask(.get, "/v1/raw/kv/a?consistency=stale&replica=follower")
        host.answer(stale)
        #expect(host.statuses == [200, 503])
        #expect(host.responses.last?.problem == .replicaTooStale)
    }

    @Test func whoLeadsSendsToAFollower() {
        var host = LoneGateway()
        host.ask(.get, "/v1/raw/kv/a?replica=follower")
        host.answer(.refused(.notFollower(elsewhere: other)))
        host.answer(one, from: other, stamp: ReplicaStamp(role: .follower, version: 3))
        #expect(host.targets == [nil, other])
        #expect(field(host, .servedBy) == "store=2 role=follower")
        host.ask(.get, "/v1/raw/kv/a?replica=follower")
        host.answer(.refused(.notFollower(elsewhere: nil)))
        #expect(host.statuses == [200, 503])
        #expect(host.responses.last?.problem == .noFollower)
    }

    /// A leadership that wanders is not followed for ever.
    @Test func detoursEnd() {
        var host = LoneGateway()
        host.ask(.get, "/v1/raw/kv/a?replica=follower")
        var from: StoreID?
        for _ in 0..<20 where host.statuses.isEmpty {
            let next = from == nil ? other : StoreID(1)
            host.answer(.refused(.notFollower(elsewhere: next)), from: from)
            from = host.targets.last ?? nil
        }
        #expect(host.statuses == [503])
        let isIdle = host.isIdle
        #expect(isIdle)
    }

    /// No read of a batch sees an older state than the one before it, whoever answers.
    @Test func aBatchOnlyGoesForward() {
        var host = LoneGateway()
        let ops = Array(repeating: #"{"op":"get","key":"a"}"#, count: 20).joined(separator: ",")
        host.ask(.post, "/v1/raw/batch?consistency=stale", #"{"ops":[\#(ops)]}"#)
        host.answer(
            Array(repeating: one, count: 16),
            stamp: ReplicaStamp(role: .leader, version: 9, ageMilliseconds: 0))
        #expect(host.rules.map { $0?.minVersion } == [0, 9])
    }

    @Test func writesTakeNoneOfIt() {
        var host = LoneGateway()
        host.ask(.put, "/v1/raw/kv/a?consistency=stale", "1")
        host.ask(.delete, "/v1/raw/kv/a?replica=any")
        let put = #"{"ops":[{"op":"get","key":"a"},{"op":"put","key":"a","value":"1"}]}"#
        host.ask(.post, "/v1/raw/batch?min_version=4", put)
        host.ask(.get, "/v1/raw/kv/a?max_staleness_seconds=3")
        host.ask(.get, "/v1/raw/kv/a?consistency=eventual")
        host.ask(.get, "/v1/raw/kv/a?replica=leader&replica=any")
        host.ask(.get, "/v1/raw/kv/a?min_version=-1")
        host.ask(.get, "/v1/raw/kv/a?timeout_ms=0")
        host.ask(.get, "/v1/status?consistency=stale")
        #expect(host.statuses == Array(repeating: 400, count: 9))
        #expect(host.targets.isEmpty)
    }

    @Test func timeoutIsTheDeadline() {
        var host = LoneGateway()
        let begin = host.now.instant
        host.ask(.put, "/v1/raw/kv/a?timeout_ms=250", "1")
        #expect(host.gateway.nextDeadline == begin + .milliseconds(250))
    }

    @Test func aWriteSaysItsVersion() {
        var host = LoneGateway()
        host.ask(.put, "/v1/raw/kv/a", "1")
        host.answer(.written(previous: nil), stamp: ReplicaStamp(role: .leader, version: 41))
        let text = String(decoding: host.responses.last?.body ?? [], as: UTF8.self)
        #expect(text.contains(#""version":"41"}"#), "\(text)")
    }
}
