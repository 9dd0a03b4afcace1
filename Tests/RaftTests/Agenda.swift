// What is to happen, by time: a binary heap. Equal times keep the order in which they were added.

struct Agenda<What> {
    private struct Item {
        var at: UInt64
        var sequence: UInt64
        var what: What

        func precedes(_ other: Item) -> Bool {
            (at, sequence) < (other.at, other.sequence)
        }
    }

    private var items: [Item] = []
    private var sequence: UInt64 = 0

    var nextTime: UInt64? { items.first?.at }

    mutating func add(_ what: What, at time: UInt64) {
        sequence += 1
        items.append(Item(at: time, sequence: sequence, what: what))
        var child = items.count - 1
        while child > 0, items[child].precedes(items[(child - 1) / 2]) {
            items.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func removeFirst() -> What {
        items.swapAt(0, items.count - 1)
        let first = items.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < items.count && items[child].precedes(items[least]) {
                least = child
            }
            if least == parent { break }
            items.swapAt(parent, least)
            parent = least
        }
        return first.what
    }
}
