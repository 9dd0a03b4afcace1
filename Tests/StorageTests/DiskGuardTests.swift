// The one decision about a disk that fills up: its three marks, on disks of every size.
import Storage
import Testing

@Suite struct DiskGuardTests {
    private let mebibyte: UInt64 = 1 << 20

    private func needs(flush: UInt64 = 3, compaction: UInt64 = 8) -> DiskGuard.Needs {
        DiskGuard.Needs(
            flushBytes: flush * mebibyte, compactionBytes: compaction * mebibyte,
            memtableBytes: mebibyte)
    }

    private func disk(
        free: UInt64, of capacity: UInt64, files: UInt64? = nil,
        after earlier: DiskGuard = DiskGuard()
    ) -> DiskGuard {
        var disk = earlier
        disk.observe(
            freeBytes: free, capacityBytes: capacity, freeFiles: files, needs: needs())
        return disk
    }

    /// 4 spare, 3 to flush, 8 to compact: 15 MiB for deletes, and for writes the compaction once
    /// more and four memtables.
    @Test func aSmallDiskKeepsWhatTheEngineNeeds() {
        let capacity = 64 * mebibyte
        var disk = disk(free: 28 * mebibyte, of: capacity)
        #expect(!disk.isFull)
        #expect(disk.space.neededBytes == 27 * mebibyte)
        #expect(disk.admit(1 << 10, storesNothing: false) == nil)
        let shortage = disk.admit(1 << 20, storesNothing: false)
        #expect(shortage?.needed == 32 * mebibyte)
        #expect(shortage?.free == 28 * mebibyte - 5 << 10, "what was admitted counts")
        #expect(disk.admit(1 << 20, storesNothing: true) == nil)
    }

    @Test func deletesHaveAReserveOfTheirOwnAndAnEnd() {
        var disk = disk(free: 16 * mebibyte, of: 64 * mebibyte)
        #expect(disk.isFull)
        #expect(disk.admit(1, storesNothing: false)?.refusesDeletes == false)
        var deletes = 0
        while disk.admit(64 << 10, storesNothing: true) == nil { deletes += 1 }
        #expect(deletes == 4, "one MiB above the engine's own needs, four times each")
        let shortage = disk.admit(64 << 10, storesNothing: true)
        #expect(shortage?.refusesDeletes == true)
        #expect(shortage?.needed == 15 * mebibyte + 256 << 10)
    }

    @Test func aFullStoreIsWellOnlySomeWayAboveTheMark() {
        let capacity = 64 * mebibyte
        var disk = disk(free: 26 * mebibyte, of: capacity)
        #expect(disk.isFull)
        disk = self.disk(free: 28 * mebibyte, of: capacity, after: disk)
        #expect(disk.isFull && disk.space.neededBytes == 29 * mebibyte)
        #expect(disk.admit(1, storesNothing: false)?.needed == 29 * mebibyte + 5)
        disk = self.disk(free: 29 * mebibyte, of: capacity, after: disk)
        #expect(!disk.isFull)
        disk = self.disk(free: 27 * mebibyte, of: capacity, after: disk)
        #expect(!disk.isFull)
    }

    /// History: (1) a compaction begins and writes what it may, (2) deletes are refused while its
    /// input is still there. Whatever a store that is not full had left, there is room for them.
    @Test func deletesGoOnWhileACompactionWrites() {
        let capacity = 64 * mebibyte
        let before = disk(free: 27 * mebibyte, of: capacity)
        #expect(!before.isFull)
        var during = disk(free: (27 - 8) * mebibyte, of: capacity, after: before)
        #expect(during.isFull)
        #expect(during.admit(1 << 20, storesNothing: true) == nil)
    }

    /// On a large disk it is five parts in a hundred, and eight to be well again.
    @Test func aLargeDiskKeepsAShare() {
        let capacity: UInt64 = 100 << 30
        var disk = disk(free: (6 << 30) - 1, of: capacity)
        #expect(!disk.isFull)
        #expect(!disk.hasPlenty, "five are kept: one is left, and plenty is more")
        #expect(self.disk(free: 7 << 30, of: capacity).hasPlenty)
        disk = self.disk(free: capacity / 25, of: capacity, after: disk)
        #expect(disk.isFull)
        disk = self.disk(free: capacity / 14, of: capacity, after: disk)
        #expect(disk.isFull)
        disk = self.disk(free: capacity / 12, of: capacity, after: disk)
        #expect(!disk.isFull)
    }

    /// Inodes run out on a disk with all the room in the world: the same three marks, in files.
    @Test func filesRunOutAsBytesDo() {
        let space: UInt64 = 1 << 40
        var disk = disk(free: space, of: space, files: 128)
        #expect(!disk.isFull && !disk.hasPlenty && !disk.space.lacksFiles)
        #expect(disk.admit(1, storesNothing: false) == nil)
        disk = self.disk(free: space, of: space, files: 127, after: disk)
        #expect(disk.isFull && disk.space.lacksFiles)
        #expect(
            disk.admit(1, storesNothing: false)
                == SpaceShortage(.files, free: 127, needed: 160, refusesDeletes: false))
        #expect(disk.admit(1, storesNothing: true) == nil && disk.mayCompact(1))
        disk = self.disk(free: space, of: space, files: 63, after: disk)
        #expect(
            disk.admit(1, storesNothing: true)
                == SpaceShortage(.files, free: 63, needed: 64, refusesDeletes: true))
        #expect(disk.mayFlush && !disk.mayCompact(1))
        disk = self.disk(free: space, of: space, files: 31, after: disk)
        #expect(!disk.mayFlush)
        disk = self.disk(free: space, of: space, files: 159, after: disk)
        #expect(disk.isFull, "well again only some way above the mark")
        disk = self.disk(free: space, of: space, files: 160, after: disk)
        #expect(!disk.isFull)
        #expect(self.disk(free: space, of: space, files: 1 << 20).hasPlenty)
        #expect(self.disk(free: space, of: space, files: nil).hasPlenty)
    }

    /// What is set aside must not make a store full, in bytes or in files.
    @Test func nothingIsSetAsideThatWouldBeMissed() {
        let capacity = 64 * mebibyte
        let mark = 29 * mebibyte
        #expect(disk(free: mark + mebibyte, of: capacity).maySetAside(mebibyte))
        #expect(!disk(free: mark + mebibyte - 1, of: capacity).maySetAside(mebibyte))
        #expect(disk(free: capacity, of: capacity, files: 192).maySetAside(mebibyte))
        #expect(!disk(free: capacity, of: capacity, files: 191).maySetAside(mebibyte))
    }
}
