/// How full a simulated disk is. What that means for writes is decided by `DiskGuard`, as in
/// production.
internal import Base
internal import Storage

struct SimSpace {
    private static let capacityBytes: UInt64 = 1 << 30
    private static let freeBytesOfEmpty = capacityBytes / 2
    private static let needs = DiskGuard.Needs(
        flushBytes: 8 << 20, compactionBytes: 64 << 20, memtableBytes: 16 << 20)

    private var disk = DiskGuard()
    private var freeBytes = Self.freeBytesOfEmpty
    /// Something else takes up the disk.
    private(set) var isFilled = false

    /// What the watch of a node tells its units.
    mutating func look() -> DiskGuard {
        disk.observe(
            freeBytes: freeBytes, capacityBytes: Self.capacityBytes, freeFiles: nil,
            needs: Self.needs)
        return disk
    }

    /// Leaves a little more or less than one of the marks of `DiskGuard`, so that a few writes or
    /// a compaction cross it.
    mutating func fill(_ generator: inout SeededGenerator) {
        _ = look()
        let marks = [0, disk.deleteFloor, disk.writeFloor, disk.resumeMark]
        freeBytes = marks[Int(generator.next() % 4)] + generator.next() % 4_096
        isFilled = true
    }

    mutating func empty() {
        freeBytes = Self.freeBytesOfEmpty
        isFilled = false
    }

    /// False if there is no room for so much.
    mutating func take(_ byteCount: Int) -> Bool {
        guard freeBytes >= UInt64(byteCount) else { return false }
        freeBytes -= UInt64(byteCount)
        return true
    }

    mutating func give(_ byteCount: Int) { freeBytes += UInt64(byteCount) }

    /// Whoever watched it has gone.
    mutating func forget() { disk = DiskGuard() }
}
