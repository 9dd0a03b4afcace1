// How old a replica takes its data to be: by what it was told, and how far it has applied.
import Base
import Regions
import Testing

@Suite struct FreshnessTests {
    private func at(_ seconds: UInt64) -> Instant { .origin + .seconds(seconds) }

    @Test func whatIsAppliedCountsAtOnceAndTheRestLater() {
        var freshness = Freshness()
        #expect(freshness.age(at: at(9)) == nil)
        freshness.learn(5, asOf: at(1), applied: 5)
        #expect(freshness.age(at: at(9)) == .seconds(8))
        freshness.learn(8, asOf: at(3), applied: 5)
        freshness.learn(10, asOf: at(4), applied: 5)
        #expect(freshness.age(at: at(9)) == .seconds(8))
        freshness.applied(through: 9)
        #expect(freshness.age(at: at(9)) == .seconds(6))
        freshness.applied(through: 10)
        #expect(freshness.age(at: at(9)) == .seconds(5))
    }

    @Test func whatWasOvertakenTellsNothing() {
        var freshness = Freshness()
        freshness.learn(8, asOf: at(3), applied: 5)
        freshness.learn(7, asOf: at(2), applied: 5)
        freshness.learn(5, asOf: at(4), applied: 5)
        #expect(freshness.age(at: at(9)) == .seconds(5))
        freshness.applied(through: 8)
        #expect(freshness.age(at: at(9)) == .seconds(5))
    }

    /// Held against the facts themselves: no data is ever taken to be fresher than some fact says
    /// whose index is applied, and little is kept.
    @Test func randomFacts() {
        for seed in 1...200 as ClosedRange<UInt64> {
            var generator = SeededGenerator(seed: seed)
            var freshness = Freshness()
            var facts: [(index: UInt64, asOf: Instant)] = []
            var applied: UInt64 = 0
            for step in 1...200 as ClosedRange<UInt64> {
                if generator.chance(1, in: 3) {
                    applied += generator.next() % 4
                    freshness.applied(through: applied)
                } else {
                    let asOf = at(step - generator.next() % min(step, 5))
                    let index = step + generator.next() % 8
                    facts.append((index, asOf))
                    freshness.learn(index, asOf: asOf, applied: applied)
                }
                let best = facts.filter { $0.index <= applied }.map(\.asOf).max()
                let age = freshness.age(at: at(step))
                if let age {
                    #expect(best.map { at(step).since($0) <= age } == true, "seed \(seed)")
                }
            }
        }
    }
}
