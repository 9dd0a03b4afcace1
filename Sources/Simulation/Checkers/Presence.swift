/// What is certain about a key over an interval, from calls and answers alone: that it was there,
/// or that it was not. Where calls overlap nothing is certain, so what builds on this is sound and
/// not complete.
///
/// A key was there from some moment on if a write of it was acknowledged and every delete that may
/// have happened was over before that write was asked for; and the other way round. So for each
/// kind of write it is enough to know the last request of an acknowledged one, and the last end of
/// any.
internal import Base
internal import Regions

struct Presence {
    private struct Write {
        var id: Int
        var invoked: Instant
        var effectBefore: Instant
        var isAcknowledged: Bool
        var stores: Bool
        var expires: Bool
    }

    /// In the order of their requests.
    private var writes: [Key: [Write]] = [:]
    /// For each write, the latest end of all that were asked for before it: bounds how far back to
    /// look.
    private var latestEnds: [Key: [Instant]] = [:]

    init(_ history: History) {
        for call in history.calls where call.mayHaveWritten {
            let stored = call.command.storedValue
            let write = Write(
                id: call.id, invoked: call.invokedAt, effectBefore: call.effectBefore,
                isAcknowledged: call.isAcknowledged, stores: stored != nil,
                expires: stored?.timeToLive != nil)
            if case .deleteRange(let range, _) = call.command {
                for key in SimKeys.sorted where range.contains(key) { add(write, key) }
            } else if let key = call.command.writtenKey {
                add(write, key)
            }
        }
    }

    private mutating func add(_ write: Write, _ key: Key) {
        let latest = latestEnds[key]?.last ?? .origin
        writes[key, default: []].append(write)
        latestEnds[key, default: []].append(max(latest, write.effectBefore))
    }

    /// Whether the key was there, for certain, all the time from `start` to `end`.
    func isCertain(_ key: Key, from start: Instant, to end: Instant, without id: Int) -> Bool {
        holds(
            key, from: start, to: end, without: id, isGood: { $0.stores && !$0.expires },
            initially: false)
    }

    /// Whether the key was absent, for certain, all the time from `start` to `end`.
    func isExcluded(_ key: Key, from start: Instant, to end: Instant, without id: Int) -> Bool {
        holds(key, from: start, to: end, without: id, isGood: { !$0.stores }, initially: true)
    }

    /// Whether some acknowledged good write ended before `start`, and every bad write that may have
    /// happened up to `end` was over before it was asked for.
    private func holds(
        _ key: Key, from start: Instant, to end: Instant, without id: Int,
        isGood: (Write) -> Bool, initially: Bool
    ) -> Bool {
        guard let writes = writes[key], let latestEnds = latestEnds[key] else { return initially }
        var latestBad = Instant.origin
        var hasBad = false
        var index = firstIndex(after: end, in: writes) - 1
        // Backwards: a good write is good enough if no bad one, before or after it, ended later
        // than it began.
        var best = Instant.origin
        var hasGood = false
        while index >= 0 {
            let write = writes[index]
            if write.id != id {
                if isGood(write) {
                    if write.isAcknowledged, write.effectBefore < start {
                        best = max(best, write.invoked)
                        hasGood = true
                    }
                } else {
                    latestBad = max(latestBad, write.effectBefore)
                    hasBad = true
                }
            }
            if hasGood, latestBad >= best { return false }
            index -= 1
            // Nothing further back ended late enough to matter.
            if hasGood, index >= 0, latestEnds[index] < best { return true }
        }
        if hasGood { return true }
        return initially && !hasBad
    }

    private func firstIndex(after end: Instant, in writes: [Write]) -> Int {
        var low = 0
        var high = writes.count
        while low < high {
            let middle = (low + high) / 2
            if writes[middle].invoked > end { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
