/// What is going to happen in a world, in order: a heap of (instant, sequence number, event).
///
/// Two events of one instant happen in the order in which they were scheduled, so that nothing
/// depends on how a heap breaks ties.
internal import API
internal import Base
internal import Node
internal import Regions

/// One life of one core: what was meant for an earlier life finds nobody.
struct CorePlace: Hashable, Sendable {
    var node: Int
    var core: Int
    var incarnation: Int
}

enum WorldEvent: Sendable {
    /// Something reaches a core's inbox.
    case arrives(CorePlace, UnitAddress.Unit, Event)
    /// A core takes what is in its inbox.
    case turn(CorePlace)
    case deadline(CorePlace, Instant)
    /// A worker's batch reaches the log or the data…
    case writes(SimDisk.Part, node: Int, incarnation: Int)
    /// …and those who wait for it are told.
    case reports(SimDisk.Part, node: Int, incarnation: Int)
    /// The data is written out, as RocksDB does when it likes.
    case flushes(node: Int, incarnation: Int)
    case reads(CorePlace, SimCore.Read)
    /// A response reaches its client.
    case answered(ExchangeID, Response, node: Int, incarnation: Int)
    case clientActs(Int)
    case clientLeaves(ExchangeID, node: Int, incarnation: Int)
    case fault(Fault)
    case resumes(CorePlace)
    case diskHasRoom(node: Int, incarnation: Int)
    case stops(node: Int, incarnation: Int)
    case restarts(node: Int)
    /// Something reaches the other end of a link.
    case carries(Cargo, Link)
    /// A node learns that its connection to a peer is gone.
    case learnsLoss(node: Int, incarnation: Int, peer: StoreID)
    /// The next chunk of a snapshot leaves.
    case transfers(Int)
    /// Whoever runs the group looks after its members.
    case operatorLooks
    /// That partition is over.
    case mends(Int)
    /// A node is struck at a moment that matters.
    case strikes(node: Int, incarnation: Int, among: [Strike])
    /// Links are cut, for so long; a node may be restarted with it.
    case cuts([Link], nanoseconds: UInt64, restarts: Int?)
    /// No faults from here on.
    case heals
    /// A story has let so much time pass.
    case goesOn
    case looksAtSpace(node: Int, incarnation: Int)
    /// A failpoint let it wait.
    indirect case keptBack(WorldEvent)
}

struct Agenda {
    /// Small, because a heap moves its entries about: the events themselves stay where they are.
    private struct Entry {
        var at: UInt64
        var sequence: UInt64
        var slot: Int

        static func < (a: Entry, b: Entry) -> Bool {
            a.at == b.at ? a.sequence < b.sequence : a.at < b.at
        }
    }

    private var heap: [Entry] = []
    private var events: [WorldEvent?] = []
    private var freeSlots: [Int] = []
    private var nextSequence: UInt64 = 0
    /// True time, which no node knows.
    private(set) var now = Instant.origin

    var isEmpty: Bool { heap.isEmpty }
    var nextInstant: Instant? { heap.first.map { Instant(nanoseconds: $0.at) } }

    mutating func schedule(_ event: WorldEvent, at instant: Instant) {
        let slot: Int
        if let free = freeSlots.popLast() {
            slot = free
            events[slot] = event
        } else {
            slot = events.count
            events.append(event)
        }
        let at = max(instant.nanoseconds, now.nanoseconds)
        heap.append(Entry(at: at, sequence: nextSequence, slot: slot))
        nextSequence += 1
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child] < heap[parent] else { break }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    mutating func schedule(_ event: WorldEvent, after nanoseconds: UInt64) {
        schedule(event, at: Instant(nanoseconds: now.nanoseconds + nanoseconds))
    }

    /// Takes the next event; time goes on to its instant.
    mutating func next() -> WorldEvent? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        if !heap.isEmpty {
            heap[0] = last
            sink()
        }
        now = Instant(nanoseconds: first.at)
        let event = events[first.slot].take()
        freeSlots.append(first.slot)
        return event
    }

    private mutating func sink() {
        var parent = 0
        while true {
            var least = parent
            let left = 2 * parent + 1
            if left < heap.count, heap[left] < heap[least] { least = left }
            if left + 1 < heap.count, heap[left + 1] < heap[least] { least = left + 1 }
            guard least != parent else { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
