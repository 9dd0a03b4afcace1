/// Randomness from a seed: xoshiro256** (Blackman and Vigna, 2018), seeded by splitmix64.
///
/// Every random choice below the hosts draws from one of these, handed in by the host, so that a
/// run is replayed from its seed. `split()` gives a stream of its own to each concern: a draw added
/// to one does not shift the others. Not for secrets.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: (UInt64, UInt64, UInt64, UInt64)

    package init(seed: UInt64) {
        var x = seed
        func splitmix() -> UInt64 {
            x &+= 0x9E37_79B9_7F4A_7C15
            var z = x
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
        state = (splitmix(), splitmix(), splitmix(), splitmix())
    }

    package mutating func next() -> UInt64 {
        func rotated(_ x: UInt64, by k: UInt64) -> UInt64 { (x << k) | (x >> (64 - k)) }
        let result = rotated(state.1 &* 5, by: 7) &* 9
        let t = state.1 << 17
        state.2 ^= state.0
        state.3 ^= state.1
        state.1 ^= state.2
        state.0 ^= state.3
        state.2 ^= t
        state.3 = rotated(state.3, by: 45)
        return result
    }

    /// An independent stream for another concern.
    package mutating func split() -> SeededGenerator { SeededGenerator(seed: next()) }

    /// The next draw without taking it: equal at the end of two runs that drew equally often.
    package var peek: UInt64 {
        var copy = self
        return copy.next()
    }

    /// True in `numerator` of `denominator` draws.
    package mutating func chance(_ numerator: UInt64, in denominator: UInt64) -> Bool {
        UInt64.random(in: 0..<denominator, using: &self) < numerator
    }
}
