/// Which key the next request is about: uniform, zipfian, or the newest first.
///
/// Zipfian with θ = 0.99 as in YCSB, after Gray et al., "Quickly Generating Billion-Record
/// Synthetic Databases" (SIGMOD 1994), and scrambled: the rank is hashed, so that the popular keys
/// lie all over the key space and not side by side. As in YCSB two ranks may meet on one key.
package import Base
private import Glibc

package enum Distribution: String, CaseIterable, Hashable, Sendable {
    case uniform
    case zipfian
    /// Zipfian over age: the newest key is the most popular (YCSB D).
    case latest
}

/// Ranks from 0, the most popular, on.
package struct ZipfianRanks: Sendable {
    package static let theta = 0.99

    package private(set) var count: Int
    private var zeta: Double
    private var eta: Double
    private static let zetaOfTwo = 1 + pow(0.5, theta)
    private static let alpha = 1 / (1 - theta)

    package init(count: Int) {
        invariant(count > 0, "ranks of at least one key")
        self.count = 0
        zeta = 0
        eta = 0
        grow(to: count)
    }

    /// More keys: only the new terms of the sum are added.
    package mutating func grow(to count: Int) {
        for rank in self.count..<max(count, self.count) {
            zeta += pow(Double(rank + 1), -Self.theta)
        }
        self.count = max(count, self.count)
        eta =
            (1 - pow(2 / Double(self.count), 1 - Self.theta)) / (1 - Self.zetaOfTwo / zeta)
    }

    /// `draw` is uniform in 0..<1.
    package func rank(for draw: Double) -> Int {
        let scaled = draw * zeta
        if scaled < 1 { return 0 }
        if scaled < Self.zetaOfTwo { return min(1, count - 1) }
        let rank = Int(Double(count) * pow(eta * draw - eta + 1, Self.alpha))
        return min(rank, count - 1)
    }

    /// The share of draws that fall on a rank, by the formula and not by sampling.
    package func probability(of rank: Int) -> Double { pow(Double(rank + 1), -Self.theta) / zeta }
}

package struct KeyChooser: Sendable {
    private let distribution: Distribution
    private var random: SeededGenerator
    private var ranks: ZipfianRanks?
    /// Keys that exist: numbers from 0 to `count - 1`.
    package private(set) var count: Int

    package init(_ distribution: Distribution, count: Int, random: SeededGenerator) {
        self.distribution = distribution
        self.random = random
        self.count = count
        if distribution != .uniform { ranks = ZipfianRanks(count: count) }
    }

    package mutating func grow(to count: Int) {
        guard count > self.count else { return }
        self.count = count
        ranks?.grow(to: count)
    }

    // Hot path: once per request.
    package mutating func next() -> Int {
        guard let ranks else { return Int.random(in: 0..<count, using: &random) }
        // 53 random bits fill the significand.
        let draw = Double(random.next() >> 11) * 0x1p-53
        let rank = ranks.rank(for: draw)
        return distribution == .latest ? count - 1 - rank : scrambled(rank)
    }

    /// splitmix64's finaliser: a bijection of 64 bits, so only the modulus makes ranks meet.
    private func scrambled(_ rank: Int) -> Int {
        var z = UInt64(rank) &+ 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        z ^= z >> 31
        return Int(z % UInt64(count))
    }
}
