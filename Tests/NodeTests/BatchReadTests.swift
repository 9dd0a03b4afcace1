// The reads of one request: from memory, from disk and mixed, none sees an older state than the one
// before it, in whatever order the reader threads come back.
import Base
import Node
import Regions
import Storage
import Testing

@Suite struct BatchReadTests {
    static let letters = ["a", "b", "c"]

    /// A host whose store holds `1` under each key, of which those of `cold` need the disk.
    static func host(cold: Set<String>) -> ShardHost {
        // Coldness is a matter of the seed: look for one that makes just these keys cold.
        let engine = MemoryEngine()
        for seed in UInt64(0)... {
            engine.setCold(1, in: 2, seed: seed)
            let isCold = letters.filter {
                (try? engine.get(.raw, RawSpace.key(Key(utf8: $0)), tier: .cached)) == .notCached
            }
            if Set(isCold) == cold { break }
        }
        var host = ShardHost(engine: engine)
        for letter in letters { _ = host.run(.put(letter, "1")) }
        return host
    }

    /// Every set of cold keys, every order in which the readers come back, a write after each.
    @Test func noReadSeesAnOlderStateThanTheOneBeforeIt() {
        for bits in 0..<8 {
            let cold = Set(
                Self.letters.enumerated().filter { bits >> $0.offset & 1 == 1 }
                    .map(\.element))
            for order in 0..<6 {
                var host = Self.host(cold: cold)
                let commands = (Self.letters + Self.letters).map { RawCommand.get($0) }
                let number = host.sendAll(commands)
                var version = 1
                while host.replies[number] == nil {
                    version += 1
                    for letter in Self.letters { _ = host.send(.put(letter, "\(version)")) }
                    host.endTurn()
                    host.sync()
                    host.finishRead((order * version) % host.readCount)
                }
                let seen = host.replies[number]?.map { outcome -> Int in
                    guard case .found(let value) = outcome else { return 0 }
                    return Int(String(decoding: value.value, as: UTF8.self)) ?? 0
                }
                #expect(seen == seen?.sorted(), "cold \(cold.sorted()), order \(order)")
                #expect(seen?.contains(0) == false)
            }
        }
    }

    @Test func aBatchThatMemoryAnswersWaitsForNobody() {
        var host = Self.host(cold: [])
        let number = host.send(.get("a"), .get("b"))
        #expect(host.replies[number] == [.found("1"), .found("1")])
        #expect(host.readCount == 0)
    }

    /// One view is taken for all cold reads of a request, and none for a read that is alone.
    @Test func aColdReadAloneSeesTheNewestState() {
        var host = Self.host(cold: ["a", "b", "c"])
        let number = host.send(.get("a"))
        _ = host.send(.put("a", "2"))
        host.endTurn()
        host.sync()
        host.finishReads()
        #expect(host.replies[number] == [.found("2")])
    }
}
