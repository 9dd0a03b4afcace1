// A batch that memory can answer goes a little further in each turn of the loop: others are
// answered between its runs, and its deadline or its client's leaving ends it there.
import API
import Base
import Node
import Testing

@Suite struct BatchTurnTests {
    static func batch(_ operation: String, count: Int) -> String {
        let operations = Array(repeating: operation, count: count).joined(separator: ",")
        return #"{"ops":[\#(operations)]}"#
    }

    static let get = #"{"op":"get","key":"k"}"#

    /// A node with a batch of ten thousand reads under way, at the end of its first turn.
    static func begun(
        _ host: inout NodeHost, _ fields: [HeaderName: String] = [:]
    ) -> ExchangeID {
        _ = host.run(.put, "/v1/raw/kv/k", "v")
        return send(get, count: 10_000, to: &host, fields)
    }

    static func send(
        _ operation: String, count: Int, to host: inout NodeHost,
        _ fields: [HeaderName: String] = [:]
    ) -> ExchangeID {
        let json = [HeaderName.contentType: "application/json"]
        return host.send(
            .post, "/v1/raw/batch", batch(operation, count: count),
            json.merging(fields) { $1 })
    }

    static func readsDone(_ host: borrowing NodeHost) -> Int {
        Int(host.shard.counters[.get, .ok])
    }

    @Test(arguments: [get, #"{"op":"scan","prefix":"k","limit":9}"#, #"{"op":"get","key":"no"}"#])
    func aTurnIsBounded(operation: String) {
        var host = NodeHost()
        _ = host.run(.put, "/v1/raw/kv/k", "v")
        let exchange = Self.send(operation, count: 2_000, to: &host)
        var turns = 0
        var before = 0
        while host.responses[exchange] == nil, turns < 2_000 {
            let counters = host.shard.counters
            let done =
                counters[.get, .ok] + counters[.get, .missing] + counters[.scan, .ok]
            #expect(Int(done) - before <= Limits.batchWeightPerTurn)
            #expect(Int(done) > before, "each turn does something")
            before = Int(done)
            host.endTurn()
            turns += 1
        }
        #expect(host.responses[exchange]?.first?.status == 200)
        #expect(turns >= 2_000 / Limits.batchWeightPerTurn)
        let isIdle = host.gateway.isIdle && host.shard.isIdle
        #expect(isIdle)
    }

    @Test func largeValuesMakeATurnShorter() {
        var host = NodeHost()
        _ = host.run(.put, "/v1/raw/kv/k", String(repeating: "x", count: 64 << 10))
        let exchange = Self.send(Self.get, count: 200, to: &host)
        #expect(Self.readsDone(host) == 16, "a megabyte is a turn's work")
        host.settle()
        #expect(host.responses[exchange]?.first?.status == 200)
    }

    @Test func anotherClientIsAnsweredBetweenRuns() {
        var host = NodeHost()
        let batch = Self.begun(&host)
        for _ in 0..<3 {
            let other = host.send(.get, "/v1/raw/kv/k")
            #expect(host.responses[other]?.first?.status == 200)
            #expect(host.responses[batch] == nil)
            let due = host.gateway.nextDeadline
            #expect(due.map { $0 <= host.now.instant } == true, "it wants its next turn at once")
            host.endTurn()
        }
        host.settle()
        let text = host.responses[batch]?.first?.text ?? ""
        #expect(host.responses[batch]?.first?.status == 200)
        #expect(text.components(of: #""value":"v""#) == 10_000)
    }

    /// A later batch does not wait for all of an earlier one.
    @Test func batchesTakeTurns() {
        var host = NodeHost()
        let large = Self.begun(&host)
        let small = Self.send(Self.get, count: 100, to: &host)
        var turns = 0
        while host.responses[small] == nil, turns < 100 {
            host.endTurn()
            turns += 1
        }
        #expect(turns <= 100 / 16 + 1)
        #expect(host.responses[large] == nil)
        host.settle()
        #expect(host.responses[large]?.first?.status == 200)
    }

    @Test func aDeadlineEndsABatchBetweenRuns() {
        var host = NodeHost()
        let batch = Self.begun(&host, [.requestTimeout: "0.5"])
        host.endTurn()
        let done = Self.readsDone(host)
        host.now.instant = host.now.instant + .milliseconds(500)
        host.handle(.gateway, .deadlineReached)
        let text = host.responses[batch]?.first?.text ?? ""
        #expect(text.components(of: #""value":"v""#) == done)
        #expect(text.components(of: #""code":"deadline_exceeded""#) == 10_000 - done)
        host.settle()
        #expect(Self.readsDone(host) == done, "nothing is read for it any more")
        #expect(host.responses[batch]?.count == 1)
        let isIdle = host.gateway.isIdle && host.shard.isIdle
        #expect(isIdle && host.gateway.nextDeadline == nil)
    }

    @Test func aClientThatLeavesEndsItsBatchBetweenRuns() {
        var host = NodeHost()
        let batch = Self.begun(&host)
        host.endTurn()
        let done = Self.readsDone(host)
        host.handle(.gateway, .cancelled(batch))
        #expect(host.released == [batch])
        host.settle()
        #expect(Self.readsDone(host) == done && host.responses[batch] == nil)
        #expect(host.released == [batch])
        let isIdle = host.gateway.isIdle && host.shard.isIdle
        #expect(isIdle && host.gateway.nextDeadline == nil)
    }
}

extension String {
    /// How often that is in it.
    fileprivate func components(of part: String) -> Int {
        split(separator: part, omittingEmptySubsequences: false).count - 1
    }
}
