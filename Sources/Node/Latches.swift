/// Keeps writes of one key from overtaking a decision about it.
///
/// A write that is decided blindly holds its key *shared*: the order of such writes is the order in
/// which they enter the log, and any order is a legal one. A write whose rule reads the key first
/// holds it *exclusively* from before the read until its write is durable, so that what the rule
/// saw is still true. History it prevents: (1) PUT k=2 is queued for the disk, (2) a
/// compare-and-swap reads k=1 from the engine and queues k=3, (3) both are acknowledged, and the
/// swap has replaced a value it never saw.
///
/// Slots, not keys: keys are hashed to a fixed number of slots (TiKV's scheduler latches), so that
/// the table never grows and a write costs no dictionary entry; two keys in one slot only wait
/// needlessly. Waiters are served in their order, blind ones behind exclusive ones, so that none
/// starves.
internal import Base
private import DequeModule

struct Latches: Sendable {
    enum Mode: Hashable, Sendable {
        case shared
        case exclusive
    }

    /// The holder's or waiter's name.
    typealias Waiter = Slab<WriteTask>.Handle

    private struct Slot: Sendable {
        var shared = 0
        var exclusive = false
        var waiting: Deque<(waiter: Waiter, mode: Mode)> = []
        /// Of those that wait.
        var withdrawnCount = 0

        func admits(_ mode: Mode) -> Bool {
            switch mode {
            case .shared: !exclusive
            case .exclusive: !exclusive && shared == 0
            }
        }

        mutating func take(_ mode: Mode) {
            switch mode {
            case .shared: shared += 1
            case .exclusive: exclusive = true
            }
        }
    }

    /// Names of waiters that gave up, before it is worth while to walk over a queue for them.
    static let sweptAtOnce = 64

    private var slots: [Slot]
    /// Withdrawn and still in a queue: taking each out of a long one as it goes would make ten
    /// thousand that go a matter of their square.
    private var withdrawn: Set<Waiter> = []

    /// Whether nobody holds a latch or waits for one.
    var areFree: Bool {
        slots.allSatisfy { $0.shared == 0 && !$0.exclusive && $0.waiting.isEmpty }
    }

    init(slotCount: Int = 4096) {
        invariant(slotCount.nonzeroBitCount == 1, "a power of two, so that a mask picks the slot")
        slots = Array(repeating: Slot(), count: slotCount)
    }

    func slot(of key: Key) -> Int {
        // FNV-1a: a few nanoseconds for a short key, and an attacker who collides keys only makes
        // them wait.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in key.bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return Int(truncatingIfNeeded: hash ^ (hash >> 32)) & (slots.count - 1)
    }

    /// True if the latch is held now; otherwise the waiter stands in the queue and is named by a
    /// later release.
    mutating func acquire(_ slot: Int, _ mode: Mode, _ waiter: Waiter) -> Bool {
        guard slots[slot].waiting.isEmpty, slots[slot].admits(mode) else {
            slots[slot].waiting.append((waiter, mode))
            return false
        }
        slots[slot].take(mode)
        return true
    }

    /// Gives a held latch back; the waiters that hold it from now on are appended to `admitted`.
    mutating func release(_ slot: Int, _ mode: Mode, admitted: inout [Waiter]) {
        switch mode {
        case .shared:
            invariant(slots[slot].shared > 0, "a shared latch that is released was held")
            slots[slot].shared -= 1
        case .exclusive:
            invariant(slots[slot].exclusive, "an exclusive latch that is released was held")
            slots[slot].exclusive = false
        }
        admit(slot, &admitted)
    }

    /// Takes a waiter out of the queue; those behind it that may go now are appended to `admitted`.
    mutating func withdraw(_ slot: Int, _ waiter: Waiter, admitted: inout [Waiter]) {
        withdrawn.insert(waiter)
        slots[slot].withdrawnCount += 1
        sweep(slot)
        admit(slot, &admitted)
    }

    /// Who holds the latch may hold it for as long as a disk hangs: names of those that gave up
    /// meanwhile may not pile up.
    private mutating func sweep(_ slot: Int) {
        let count = slots[slot].withdrawnCount
        guard count >= Self.sweptAtOnce, count * 2 > slots[slot].waiting.count else { return }
        var waiting = Deque<(waiter: Waiter, mode: Mode)>()
        for next in slots[slot].waiting where withdrawn.remove(next.waiter) == nil {
            waiting.append(next)
        }
        slots[slot].waiting = waiting
        slots[slot].withdrawnCount = 0
    }

    /// Names in queues, those of who gave up included.
    var queuedCount: Int { slots.reduce(0) { $0 + $1.waiting.count } }

    private mutating func admit(_ slot: Int, _ admitted: inout [Waiter]) {
        while let next = slots[slot].waiting.first {
            if !withdrawn.isEmpty, withdrawn.remove(next.waiter) != nil {
                slots[slot].withdrawnCount -= 1
                slots[slot].waiting.removeFirst()
                continue
            }
            guard slots[slot].admits(next.mode) else { return }
            slots[slot].waiting.removeFirst()
            slots[slot].take(next.mode)
            admitted.append(next.waiter)
        }
    }
}
