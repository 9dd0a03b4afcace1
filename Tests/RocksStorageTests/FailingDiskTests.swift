// A disk that is full, and a disk that fails: nothing is begun that finds no room, and a store that
// failed once is not written again.
import Base
import EngineSuite
import Failpoints
import Foundation
import Injection
import RocksStorage
import Storage
import Testing

/// A small file system of its own in memory; nil where the process may not mount one.
private final class SmallDisk: Sendable {
    private let folder = TemporaryFolder()
    var path: String { folder.path }

    init?(megabytes: Int) {
        guard mount("tmpfs", folder.path, "tmpfs", 0, "size=\(megabytes)m") == 0 else {
            return nil
        }
    }

    deinit { umount2(folder.path, Int32(MNT_DETACH)) }

    static var isPossible: Bool { SmallDisk(megabytes: 1) != nil }

    /// Takes up all but `bytes` of what is free.
    func fill(leaving bytes: Int) throws {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { throw CocoaError(.fileReadUnknown) }
        let free = Int(status.f_bavail) * Int(status.f_frsize)
        try Data(count: max(0, free - bytes)).write(to: URL(fileURLWithPath: path + "/filler"))
    }

    func empty() throws { try FileManager.default.removeItem(atPath: path + "/filler") }
}

@Suite struct FailingDiskTests {
    private let history = NumberedHistory(seed: 21, largestValue: 60_000)

    /// Somebody else takes the last byte of a store that is full already. RocksDB would end the
    /// process if it were told to flush now.
    @Test(.enabled(if: SmallDisk.isPossible)) func nothingIsFlushedWhereThereIsNoRoom() throws {
        let disk = try #require(SmallDisk(megabytes: 64))
        let engine = try RocksEngine(
            path: disk.path + "/db", options: .small, creating: true, lease: disk)
        for number in 1...40 as ClosedRange<UInt64> {
            try engine.write(history.batch(number).batch, sync: false)
        }
        try disk.fill(leaving: 0)
        #expect(try engine.lookAtDisk().space.isFull)
        #expect(try engine.reclaim() == false)
        try disk.empty()
        try disk.fill(leaving: 8 << 20)
        #expect(try engine.lookAtDisk().space.isFull)
        #expect(try engine.reclaim())
        #expect(try history.verify(engine) == 40)
        #expect(engine.statistics().backgroundErrors == 0)
    }

    /// A snapshot that comes is written beside all that is there. Told before RocksDB is asked to
    /// write what it has no room for, and of no consequence for the store.
    @Test(.enabled(if: SmallDisk.isPossible)) func wantOfRoomForASnapshotIsSaid() throws {
        let disk = try #require(SmallDisk(megabytes: 64))
        var generator = SeededGenerator(seed: 1)
        let directory = try DataDirectory(
            path: disk.path + "/store", now: WallTime(milliseconds: 1), using: &generator)
        let engine = try directory.openStore(.small).engine
        try engine.write(history.batch(1).batch, sync: true)
        let files = try directory.makeSnapshot("9-2-a-1", engine)
        let batches = (0..<20 as Range<UInt8>).map { number in
            var batch = WriteBatch()
            batch.put(.raw, Key([number]), Bytes(repeating: number, count: 60_000))
            return batch
        }
        for batch in batches[..<10] { try files.append(batch) }
        try disk.fill(leaving: 0)
        guard case .full(let reason)? = try failure({ try files.append(batches[10]) }) else {
            Issue.record("it had no room")
            return
        }
        #expect(reason.contains("snapshot"))
        #expect(engine.statistics().backgroundErrors == 0)
        try disk.empty()
        try files.remove()
        let again = try directory.makeSnapshot("9-2-a-2", engine)
        for batch in batches { try again.append(batch) }
        try again.finish(record: [1])
        #expect(try history.verify(engine) == 1)
    }

    /// A flush fails, and so does every later write, although the disk has long recovered. Opened
    /// anew, the store holds what was on disk before.
    @Test func aStoreThatFailedIsNeverWrittenAgain() async throws {
        let folder = TemporaryFolder()
        let path = folder.path
        let history = history
        await #expect(processExitsWith: .success) {
            [path = path as String, history = history as NumberedHistory] in
            let engine = try failingEngine(path: path + "/db", "10*off->1*return")
            for number in 1...10 as ClosedRange<UInt64> {
                try engine.write(history.batch(number).batch, sync: true)
            }
            let next = history.batch(11).batch
            let first = try failure { try engine.write(next, sync: true) }
            guard case .failed = first else { preconditionFailure("\(String(describing: first))") }
            for _ in 0..<3 {
                let again = try failure { try engine.write(next, sync: false) }
                precondition(again == first)
            }
        }
        let engine = try RocksEngine(
            path: path + "/db", options: .small, creating: false, lease: folder)
        #expect(try history.verify(engine) == 10)
    }

    /// RocksDB's threads go on in a store that failed, and may be calling its filter.
    @Test func aStoreThatFailedKeepsItsFilter() async throws {
        let folder = TemporaryFolder()
        let path = folder.path
        await #expect(processExitsWith: .success) { [path = path as String] in
            let filter = try abandonedFilter(path: path + "/db")
            precondition(filter() != nil, "the filter of a running database was destroyed")
        }
        withExtendedLifetime(folder) {}
    }
}

/// Told apart from what was let go of by a weak reference.
private final class Witness: Sendable {
    let isGarbage = false
}

/// Makes an engine, lets its disk fail, and lets go of it; weakly, what its compaction filter uses.
private func abandonedFilter(path: String) throws -> () -> Witness? {
    let witness = Witness()
    var options = RocksOptions.small
    options.isGarbage = [.raw: { _ in witness.isGarbage }]
    let engine = try failingEngine(path: path, "return", options)
    let batch = [ModelWrite.put(.raw, [1], [1])].batch
    guard case .failed? = try failure({ try engine.write(batch, sync: true) }) else {
        preconditionFailure("its flush was to fail")
    }
    return { [weak witness] in witness }
}

/// - Parameter flushes: what a failpoint does to them.
private func failingEngine(
    path: String, _ flushes: String, _ options: RocksOptions = .small
) throws -> RocksEngine {
    var options = options
    let program = try FailpointProgram(flushes, for: .flushBegin)
    options.failpoints = FailpointRegistry(
        [FailpointSetting(point: .flushBegin, program: program)],
        generator: SeededGenerator(seed: 1), tell: { _ in })
    return try RocksEngine(path: path, options: options, creating: true, lease: 0)
}

private func failure(_ body: () throws -> Void) throws -> StorageError? {
    do {
        try body()
        return nil
    } catch let error as StorageError {
        return error
    }
}
