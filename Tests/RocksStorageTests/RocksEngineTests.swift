// RocksDB behind the seam passes the engine suite.
import Base
import EngineSuite
import RocksStorage
import Storage
import Testing

@Suite struct RocksEngineTests {
    @Test func shortHistories() throws {
        try EngineSuite.checkShortHistories(RocksSubject())
    }

    @Test(arguments: 1...12 as ClosedRange<UInt64>) func randomHistories(seed: UInt64) throws {
        try EngineSuite.checkRandomHistory(RocksSubject(), seed: seed, steps: 600)
    }

    @Test func largeThings() throws { try EngineSuite.checkLargeThings(RocksSubject()) }

    @Test func sparseScan() throws {
        try EngineSuite.checkSparseScan(RocksSubject(), count: 100_000)
    }

    @Test func emptyBatch() throws { try EngineSuite.checkEmptyBatch(RocksSubject()) }
}
