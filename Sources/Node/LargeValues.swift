/// Lets answers that carry the same large value share one copy of it.
///
/// A hundred clients that ask for one value of 4 MiB and read slowly would else hold 400 MiB of
/// equal bytes. The last few large values that were answered are remembered; one that is read again
/// and is still equal is replaced by the remembered array, which Swift shares by reference. Bounded
/// by count, so by 32 MiB a core.
internal import Base
internal import Regions

struct LargeValues: Sendable {
    /// Below it, one copy each costs less than remembering.
    static let countMin = 64 << 10
    static let entries = 8

    private var recent: [(key: Key, value: Bytes)] = []

    /// - Returns: the bytes that others have too.
    mutating func share(_ outcomes: inout [RawOutcome], for commands: [RawCommand]) -> Int {
        var sharedBytes = 0
        for index in outcomes.indices {
            guard case .found(let found) = outcomes[index], found.value.count >= Self.countMin,
                case .get(let key) = commands[index]
            else { continue }
            guard let value = remembered(key, found.value) else { continue }
            sharedBytes += value.count
            outcomes[index] = .found(RawValue(value: value, expiresAt: found.expiresAt))
        }
        return sharedBytes
    }

    /// nil if this is the first of it.
    private mutating func remembered(_ key: Key, _ value: Bytes) -> Bytes? {
        if let index = recent.firstIndex(where: { $0.key == key }) {
            let entry = recent.remove(at: index)
            if entry.value.isIdentical(to: value) {
                recent.append(entry)
                return entry.value
            }
        }
        if recent.count == Self.entries { recent.removeFirst() }
        recent.append((key, value))
        return nil
    }
}

extension Bytes {
    /// Equality by one `memcmp`.
    fileprivate func isIdentical(to other: Bytes) -> Bool {
        count == other.count
            && withUnsafeBytes { a in other.withUnsafeBytes { b in compareBytes(a, b) == 0 } }
    }
}
