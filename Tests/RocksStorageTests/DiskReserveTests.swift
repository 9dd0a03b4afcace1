// What is set aside on the disk, and given back.
import Base
import Foundation
import RocksStorage
import Storage
import Testing

@Suite struct DiskReserveTests {
    private let folder = TemporaryFolder()

    private func take() throws -> DataDirectory {
        var generator = SeededGenerator(seed: 1)
        return try DataDirectory(
            path: folder.path + "/data", now: WallTime(milliseconds: 1), using: &generator)
    }

    @Test func itHoldsBlocksAndFilesUntilGivenBack() throws {
        let path = folder.path + "/data"
        do {
            let reserve = try take().reserve
            try reserve.make(1 << 20, if: false)
            #expect(DiskReserve.held(in: path).files == 0)
            try reserve.make(1 << 20, if: true)
            #expect(DiskReserve.held(in: path).files == 32)
            #expect(DiskReserve.held(in: path).bytes >= 1 << 20)
        }
        // The next start finds it.
        let reserve = try take().reserve
        #expect(!reserve.wasGivenBack())
        try reserve.giveBack()
        #expect(reserve.wasGivenBack() && !reserve.wasGivenBack())
        #expect(DiskReserve.held(in: path).files == 0)
        try reserve.giveBack()
        #expect(!reserve.wasGivenBack(), "there was nothing")
    }

    /// History: a kill while files were made leaves some. (1) They held blocks that nobody gave
    /// back; (2) the next making took them for nothing.
    @Test func whatACrashLeftOfItIsGivenBackOrMadeWhole() throws {
        let path = folder.path + "/data"
        try take().reserve.make(1 << 20, if: true)
        let leaveHalf = { (path: String) throws in
            for number in 16..<32 {
                try FileManager.default.removeItem(atPath: "\(path)/reserve/\(number)")
            }
        }
        try leaveHalf(path)
        let half = try take().reserve
        try half.make(1 << 20, if: true)
        #expect(DiskReserve.held(in: path).files == 32)
        try leaveHalf(path)
        try take().reserve.giveBack()
        #expect(DiskReserve.held(in: path).files == 0)
    }

    /// The look before a write: only while there is not plenty, and only if a flush does not fit.
    @Test(
        arguments: [
            (free: 2 << 40, flush: 0, isKept: true), (1 << 20, 1, true), (1 << 20, 1 << 50, false),
        ] as [(free: UInt64, flush: UInt64, isKept: Bool)])
    func aWriteLooksFirst(free: UInt64, flush: UInt64, isKept: Bool) throws {
        let reserve = try take().reserve
        try reserve.make(1 << 20, if: true)
        var disk = DiskGuard()
        disk.observe(
            freeBytes: free, capacityBytes: 1 << 20, freeFiles: nil,
            needs: DiskGuard.Needs(flushBytes: flush, compactionBytes: 0, memtableBytes: 0))
        reserve.expect(disk)
        try reserve.lookBeforeWriting()
        #expect(reserve.wasGivenBack() == !isKept)
    }

    @Test func itIsNoPartOfWhatIsUsed() throws {
        let directory = try take()
        let before = try directory.bytesUsed()
        try directory.reserve.make(1 << 20, if: true)
        #expect(try directory.bytesUsed() == before)
    }
}
