// Large answers are made a few in each turn of the loop, and what is small does not wait for them.
import API
import Base
import Node
import Testing

@Suite struct LargeAnswerTests {
    static let large = 256 << 10

    static func host() -> NodeHost {
        var host = NodeHost()
        _ = host.run(.put, "/v1/raw/kv/large", String(repeating: "\u{1}", count: large))
        _ = host.run(.put, "/v1/raw/kv/small", "v")
        return host
    }

    @Test(arguments: ["/v1/raw/entry?key=large", "/v1/raw/kv/large", "/v1/raw/scan?prefix=large"])
    func aTurnIsBounded(target: String) {
        var host = Self.host()
        let exchanges = (0..<40).map { _ in host.send(.get, target) }
        // Reader threads have what the loop did not read.
        host.finishReads()
        var turns = 1
        var before = exchanges.count { host.responses[$0] != nil }
        #expect(before * Self.large <= Limits.answerBytesPerTurn + Self.large)
        while !exchanges.allSatisfy({ host.responses[$0] != nil }), turns < 100 {
            host.endTurn()
            turns += 1
            let done = exchanges.count { host.responses[$0] != nil }
            #expect((done - before) * Self.large <= Limits.answerBytesPerTurn + Self.large)
            before = done
        }
        #expect(turns >= 40 * Self.large / Limits.answerBytesPerTurn)
        for exchange in exchanges {
            #expect(host.responses[exchange]?.count == 1)
            #expect(host.responses[exchange]?.first?.status == 200)
        }
        let isIdle = host.gateway.isIdle && host.shard.isIdle
        #expect(isIdle)
    }

    @Test func whatIsSmallDoesNotWait() {
        var host = Self.host()
        let exchanges = (0..<40).map { _ in host.send(.get, "/v1/raw/entry?key=large") }
        host.endTurn()
        let small = host.send(.get, "/v1/raw/kv/small")
        #expect(host.responses[small]?.first?.status == 200)
        #expect(exchanges.contains { host.responses[$0] == nil })
        host.settle()
    }

    // Its client leaves, or its time is over, while its answer waits for its turn.
    @Test func whoLeavesIsReleased() {
        var host = Self.host()
        let exchanges = (0..<40).map { _ in host.send(.get, "/v1/raw/entry?key=large") }
        host.finishReads()
        let last = exchanges[39]
        host.handle(.gateway, .cancelled(last))
        host.settle()
        #expect(host.responses[last] == nil)
        #expect(host.released == [last])
        #expect(exchanges.dropLast().allSatisfy { host.responses[$0]?.count == 1 })
    }

    // What is there is told, late as it is.
    @Test func aDeadlineChangesNothing() {
        var host = Self.host()
        let exchanges = (0..<40).map { _ in host.send(.get, "/v1/raw/entry?key=large") }
        host.finishReads()
        host.now.instant = host.now.instant + Limits.requestTimeoutDefault + .seconds(1)
        host.settle()
        #expect(exchanges.allSatisfy { host.responses[$0]?.count == 1 })
    }

    @Test func theyKeepTheirOrder() {
        var host = Self.host()
        let exchanges = (0..<12).map { _ in host.send(.get, "/v1/raw/entry?key=large") }
        host.finishReads()
        host.endTurn()
        // Comes first in a turn, and there are those that wait.
        let late = host.send(.get, "/v1/raw/entry?key=large")
        host.finishReads()
        while host.responses[late] == nil { host.endTurn() }
        #expect(exchanges.allSatisfy { host.responses[$0] != nil })
    }

    // (1) many different values are read faster than answers are made of them, (2) each waits with
    // its value, (3) the node has no memory left. One value that all of them want is there once.
    @Test(arguments: [true, false]) func whatWaitsIsBounded(isOneValue: Bool) {
        var host = NodeHost()
        let value = String(repeating: "v", count: 4 << 20)
        let keys = (0..<24).map { isOneValue ? "k" : "k\($0)" }
        for key in Set(keys) { _ = host.run(.put, "/v1/raw/kv/\(key)", value) }
        let exchanges = keys.map { host.send(.get, "/v1/raw/kv/\($0)") }
        host.finishReads()
        host.settle()
        let statuses = exchanges.map { host.responses[$0]?.first?.status }
        let done = statuses.count { $0 == 200 }
        #expect(statuses.count { $0 == 429 } == exchanges.count - done)
        #expect(isOneValue ? done == exchanges.count : 16...18 ~= done)
        let after = host.run(.get, "/v1/raw/kv/\(keys[23])")
        #expect(after?.status == 200)
    }
}
