/// Lets a range be counted and deleted as one step while writes elsewhere go on.
///
/// From the moment a range delete arrives, later writes into its range wait for it; it begins once
/// every write that was admitted before it is durable. Epochs tell "before": each range delete ends
/// one, and a write belongs to the epoch in which it was admitted. Two deletes of overlapping
/// ranges follow each other.
internal import Base

struct RangeGate: Sendable {
    struct Closed: Sendable {
        var range: KeyRange
        var delete: WriteTask.Handle
        /// Writes of this epoch and older ones come before it.
        var epoch: UInt64
        /// Writes and overlapping range deletes that wait until it is over.
        var waiting: [WriteTask.Handle] = []
        var hasBegun = false
    }

    private(set) var closed: [Closed] = []
    private var epoch: UInt64 = 0
    /// At least as many as names of writes that gave up.
    private var withdrawnCount = 0
    /// Writes under way in each epoch that has any.
    private var underWay: [UInt64: Int] = [:]

    /// Whether no range is closed and no write is under way.
    var isIdle: Bool { closed.isEmpty && underWay.isEmpty }

    /// True if the write has to wait for a range delete; it is queued there.
    mutating func holdsBack(_ key: Key, _ write: WriteTask.Handle) -> Bool {
        guard !closed.isEmpty else { return false }
        guard let index = closed.firstIndex(where: { $0.range.contains(key) }) else { return false }
        closed[index].waiting.append(write)
        return true
    }

    /// Counts a write in; the result is what `leave` wants back.
    mutating func enter() -> UInt64 {
        underWay[epoch, default: 0] += 1
        return epoch
    }

    mutating func leave(epoch: UInt64) {
        guard let count = underWay[epoch] else {
            invariant(false, "a write that leaves has entered")
            return
        }
        underWay[epoch] = count == 1 ? nil : count - 1
    }

    /// Closes a range. False if an earlier delete of an overlapping range has to end first.
    mutating func close(_ range: KeyRange, for delete: WriteTask.Handle) -> Bool {
        if let index = closed.firstIndex(where: { $0.range.overlaps(range) }) {
            closed[index].waiting.append(delete)
            return false
        }
        closed.append(Closed(range: range, delete: delete, epoch: epoch))
        epoch += 1
        return true
    }

    /// The deletes for which everything older is over; each is named once.
    mutating func takeReady(despiteOlder: Bool) -> [Closed] {
        guard !closed.isEmpty else { return [] }
        let oldest = despiteOlder ? .max : underWay.keys.min() ?? .max
        var ready: [Closed] = []
        for index in closed.indices where !closed[index].hasBegun && closed[index].epoch < oldest {
            closed[index].hasBegun = true
            ready.append(closed[index])
        }
        return ready
    }

    /// Names in queues, those of who gave up included.
    var queuedCount: Int { closed.reduce(0) { $0 + $1.waiting.count } }

    /// One that waited gave up; its name stays until there are many such names: a range may be
    /// closed for as long as a disk hangs.
    mutating func noteWithdrawn(_ writes: Slab<WriteTask>) {
        withdrawnCount += 1
        guard withdrawnCount >= Latches.sweptAtOnce, withdrawnCount * 2 > queuedCount else {
            return
        }
        withdrawnCount = 0
        for index in closed.indices {
            closed[index].waiting.removeAll { !writes.contains($0) }
        }
    }

    /// Opens the range again; who waited for it may go on.
    mutating func open(_ delete: WriteTask.Handle) -> [WriteTask.Handle] {
        guard let index = closed.firstIndex(where: { $0.delete == delete }) else { return [] }
        return closed.remove(at: index).waiting
    }
}
