// Buckets, sums and merging of histograms, by trying every bound and its neighbours.
import Base
import Telemetry
import Testing

@Suite struct HistogramTests {
    static let kinds: [HistogramKind] = [.requestDuration, .syncDuration, .size, .count]

    @Test(arguments: kinds) func boundsRise(_ kind: HistogramKind) {
        for (lower, upper) in zip(kind.bounds, kind.bounds.dropFirst()) {
            #expect(lower < upper)
        }
    }

    @Test(arguments: kinds) func aBoundBelongsToItsOwnBucket(_ kind: HistogramKind) {
        for (index, bound) in kind.bounds.enumerated() {
            var histogram = Histogram(kind)
            histogram.observe(bound - 1)
            histogram.observe(bound)
            histogram.observe(bound + 1)
            var expected = [UInt64](repeating: 0, count: kind.bounds.count + 1)
            let below = kind.bounds.firstIndex { bound - 1 <= $0 } ?? kind.bounds.count
            let above = kind.bounds.firstIndex { bound + 1 <= $0 } ?? kind.bounds.count
            expected[below] += 1
            expected[index] += 1
            expected[above] += 1
            #expect(histogram.counts == expected)
            #expect(histogram.sum == 3 * bound)
            #expect(histogram.count == 3)
        }
    }

    @Test func whatExceedsAllBoundsIsCountedAndTheSumSaturates() {
        var histogram = Histogram(.syncDuration)
        histogram.observe(.max)
        histogram.observe(.max)
        #expect(histogram.counts.last == 2)
        #expect(histogram.sum == .max)
    }

    @Test func aClockThatGoesBackCountsAsZero() {
        var histogram = Histogram(.requestDuration)
        histogram.observe(from: Instant(nanoseconds: 5), to: Instant(nanoseconds: 3))
        histogram.observe(from: Instant(nanoseconds: 5), to: Instant(nanoseconds: 700_005))
        #expect(histogram.sum == 700_000)
        #expect(histogram.counts[0] == 1)
        #expect(histogram.counts[1] == 1)
    }

    @Test func mergingIsTheSameAsObservingInOne() {
        var random = SeededGenerator(seed: 7)
        var whole = Histogram(.size)
        var parts = [Histogram(.size), Histogram(.size), Histogram(.size)]
        for index in 0..<1000 {
            let value = random.next() >> UInt64.random(in: 20...63, using: &random)
            whole.observe(value)
            parts[index % 3].observe(value)
        }
        var merged = parts[2]
        merged.merge(parts[0])
        merged.merge(parts[1])
        #expect(merged == whole)
    }
}
