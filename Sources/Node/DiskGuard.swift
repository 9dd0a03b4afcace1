/// Decides when a store is too full to take writes, with hysteresis: full below the floor, well
/// again only above a higher mark, so that a store at its limit does not flap between the two with
/// each request.
///
/// The floor is what a running store needs to go on by itself: write-ahead log, flushes and
/// compactions of what it has already acknowledged, and deletes that will bring space back.
package struct DiskGuard: Hashable, Sendable {
    /// Parts per hundred of the capacity that are kept free…
    static let floorPercent: UInt64 = 5
    /// …and at which writes are taken again.
    static let resumePercent: UInt64 = 8
    /// Floor for small file systems: room for one log, one flush and one compaction of the smallest
    /// memtable.
    static let floorBytesMin: UInt64 = 24 << 20

    package private(set) var isFull = false
    package private(set) var space: DiskSpace?

    package init() {}

    package var floorBytes: UInt64 {
        guard let space else { return 0 }
        return max(space.capacityBytes / 100 * Self.floorPercent, Self.floorBytesMin)
    }

    var resumeBytes: UInt64 {
        guard let space else { return 0 }
        let byPercent = space.capacityBytes / 100 * Self.resumePercent
        return max(byPercent, Self.floorBytesMin / Self.floorPercent * Self.resumePercent)
    }

    package mutating func observe(_ space: DiskSpace) {
        self.space = space
        isFull = space.freeBytes < (isFull ? resumeBytes : floorBytes)
    }
}
