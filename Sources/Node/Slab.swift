/// Items by small integer handles that go stale when their item is removed.
///
/// Removal frees a place for the next item and raises the place's generation, so that a late
/// completion that names a removed item finds nothing instead of a stranger. No allocation once it
/// has grown. It lives beside its users: a generic type of another module is not specialised for
/// them, and costs ten times as much.
internal import Base

struct Slab<Item: Sendable>: Sendable {
    struct Handle: Hashable, Sendable {
        var index: UInt32
        var generation: UInt32

        init(index: UInt32, generation: UInt32) {
            self.index = index
            self.generation = generation
        }

        /// The handle as one number, and back.
        var number: UInt64 { UInt64(generation) << 32 | UInt64(index) }

        init(number: UInt64) {
            index = UInt32(truncatingIfNeeded: number)
            generation = UInt32(truncatingIfNeeded: number >> 32)
        }
    }

    private var items: [Item?] = []
    private var generations: [UInt32] = []
    private var free: [UInt32] = []
    private(set) var count = 0

    init() {}

    var isEmpty: Bool { count == 0 }

    mutating func insert(_ item: Item) -> Handle {
        count += 1
        if let index = free.popLast() {
            items[Int(index)] = item
            return Handle(index: index, generation: generations[Int(index)])
        }
        items.append(item)
        generations.append(0)
        return Handle(index: UInt32(items.count - 1), generation: 0)
    }

    func contains(_ handle: Handle) -> Bool {
        Int(handle.index) < items.count && generations[Int(handle.index)] == handle.generation
            && items[Int(handle.index)] != nil
    }

    /// The item; nil if the handle is stale. Setting through a stale handle does nothing.
    subscript(_ handle: Handle) -> Item? {
        get { contains(handle) ? items[Int(handle.index)] : nil }
        _modify {
            if contains(handle) {
                yield &items[Int(handle.index)]
                invariant(items[Int(handle.index)] != nil, "an item leaves its slab by remove")
            } else {
                var none: Item?
                yield &none
            }
        }
    }

    @discardableResult
    mutating func remove(_ handle: Handle) -> Item? {
        guard contains(handle) else { return nil }
        let item = items[Int(handle.index)].take()
        generations[Int(handle.index)] &+= 1
        free.append(handle.index)
        count -= 1
        return item
    }

    /// Every handle in use, in the order of their places.
    var handles: [Handle] {
        items.indices.compactMap { index in
            items[index].map { _ in
                Handle(index: UInt32(index), generation: generations[index])
            }
        }
    }
}
