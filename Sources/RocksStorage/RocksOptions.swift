/// How much RocksDB may use of the machine, and what it may throw away.
///
/// Everything here is a size or a count; how RocksDB is told is in `RocksTuning`. The defaults are
/// shares of what the machine has, so that the engine's resident memory is bounded by `memoryBound`
/// whatever is stored: nothing else in RocksDB grows with the data, because filters and indexes
/// live in the block cache and open tables are limited in number.
internal import Failpoints
package import Injection
package import Storage

package struct RocksOptions: Sendable {
    /// Data, index and filter blocks of tables, uncompressed.
    package var blockCacheBytes: Int
    /// One table as compactions make them.
    package var tableBytes: Int
    /// One memtable of a family; full, it is written out as a table. All families are written out
    /// together, so that one of them full, or with no memtable left, holds up all: each has as
    /// much room.
    package var memtableBytes: Int
    /// Memtables of a family in memory, the one being filled and those being written out.
    /// With all of them full, writes wait: that is the bound.
    package var memtablesMax: Int
    /// What one compaction reads, level 0 aside, and so what it may write before its input goes.
    package var compactionBytesMax: Int
    /// RocksDB's own log, its manifest: bytes of one file.
    package var ownLogBytes: Int
    /// Flushes and compactions running at once.
    package var backgroundJobs: Int
    /// Tables open at once, each a file descriptor.
    package var openFilesMax: Int
    /// By family: values that no reader can see any more and that a compaction may therefore drop.
    /// Called on RocksDB's threads, with views held at that moment not considered: what it drops
    /// must be invisible to every reader, however old its view.
    package var isGarbage: [ColumnFamily: @Sendable (UnsafeRawBufferPointer) -> Bool]

    package var failpoints = FailpointRegistry()

    /// What an open table keeps outside the cache: its reader, its properties, its name.
    static let bytesPerOpenFile = 16 << 10
    /// What one flush or compaction holds: input and output blocks, compression buffers, a filter.
    static let bytesPerJob = 16 << 20

    /// - Parameters:
    ///   - machine: half of its file descriptors are left to connections.
    ///   - diskBytes: the size of the file system that holds the data.
    package init(for machine: MachineResources, diskBytes: UInt64) {
        let memoryBytes = machine.memoryBytes
        // A quarter: another stays for connections, requests and memtables, and the rest for the
        // page cache, which serves the compressed blocks that the block cache does not hold.
        blockCacheBytes = max(8 << 20, memoryBytes / 4)
        // 64 MiB is RocksDB's own default. Compactions come in multiples of it, and have to fit a
        // small disk many times: from 16 GiB on it is the memory alone that counts.
        let diskBytes = Int(clamping: diskBytes)
        tableBytes = max(min(memoryBytes / 128, diskBytes / 256, 64 << 20), 1 << 20)
        // A memtable keeps every version of a key until it is written out, and a scan steps over
        // all of them: with 64 MiB and 20,000 keys written over and over, a page of 1,000 entries
        // cost four times as much as with 16 MiB (350 against 1,450 pages a second). More of them
        // instead take the same bursts of large values.
        memtableBytes = min(tableBytes, 16 << 20)
        memtablesMax = max(3, min(3 * tableBytes / memtableBytes, 6))
        // RocksDB's own default is 25 tables. Fewer cost write amplification, more keep a larger
        // part of the disk free for the output.
        compactionBytesMax = min(max(diskBytes / 16, 8 * tableBytes), 25 * tableBytes)
        // Enough for a support case, but no large part of a small disk: four are kept.
        ownLogBytes = min(max(diskBytes / 256, 64 << 10), 4 << 20)
        // One flush must always be able to run beside one compaction, or writes stall behind
        // compactions.
        // One compaction at a time on a small disk: the space kept free is for one.
        backgroundJobs = diskBytes < 16 << 30 ? 2 : max(2, min(machine.cores, 8))
        openFilesMax = Self.openFiles(under: machine.fileDescriptors)
        isGarbage = [:]
    }

    /// What is set aside on the disk (`DiskReserve`): what a start needs at least, and what it may
    /// flush of the log that it replays.
    package var reserveBytes: UInt64 {
        DataDirectory.bytesToStart + UInt64(2 * memtableBytes)
    }

    /// Half of what the process may open, at least a table for each input of a large compaction
    /// and for the reads beside it.
    private static func openFiles(under limit: Int) -> Int { min(max(limit / 2, 64), 8_192) }

    /// Tables that the data and the log beside it keep open at most, under a limit of file
    /// descriptors. RocksDB does not survive a table that it cannot open: the limit has to have
    /// room for so many.
    package static func storeOpenFiles(under limit: Int) -> Int {
        let data = openFiles(under: limit)
        return data + RocksLogOptions.openFiles(beside: data)
    }

    /// Bytes of resident memory that this database stays below; told with its log's as
    /// `storeMemoryBound`.
    package var memoryBound: Int {
        blockCacheBytes + memtableBytes * memtablesMax * ColumnFamily.allCases.count
            + openFilesMax * Self.bytesPerOpenFile + backgroundJobs * Self.bytesPerJob
    }
}
