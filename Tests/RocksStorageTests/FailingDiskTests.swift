// A disk that is full, and a disk that fails: what was acknowledged stays, what was refused never
// comes, and a store that failed once is not written again.
import Base
import EngineSuite
import Foundation
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

    /// Takes up so much more, or what is left.
    func grow(by bytes: Int) throws {
        let descriptor = open(path + "/filler", O_WRONLY | O_APPEND)
        guard descriptor >= 0 else { throw CocoaError(.fileWriteUnknown) }
        defer { close(descriptor) }
        let zeros = [UInt8](repeating: 0, count: bytes)
        if write(descriptor, zeros, bytes) < 0, errno != ENOSPC {
            throw CocoaError(.fileWriteUnknown)
        }
    }

    func empty() throws { try FileManager.default.removeItem(atPath: path + "/filler") }
}

@Suite struct FailingDiskTests {
    private let history = NumberedHistory(seed: 21, largestValue: 60_000)

    /// Writes until the disk has refused five times. Overwriting frees space now and then, so the
    /// filler grows as well.
    private func writeUntilRefused(
        _ engine: RocksEngine, _ disk: SmallDisk, _ last: inout UInt64
    ) throws {
        var refusals = 0
        while refusals < 5 {
            if last % 50 == 0 { try disk.grow(by: 1 << 20) }
            do throws(StorageError) {
                try engine.write(history.batch(last + 1).batch, sync: true)
                last += 1
            } catch {
                guard case .full = error else { throw error }
                refusals += 1
            }
        }
    }

    /// What a kill would leave now. A copy is the state of one moment only if no file came or went
    /// while it was made.
    private func survivors(_ disk: SmallDisk, of engine: RocksEngine) throws -> UInt64 {
        let path = disk.path + "/db"
        func names() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: path).sorted()
        }
        for _ in 0..<400 {
            let statistics = engine.statistics()
            let isQuiet = statistics.runningFlushes == 0 && statistics.runningCompactions == 0
            let image = TemporaryFolder()
            let before = try names()
            if isQuiet, copies(path, to: image.path + "/db"), try names() == before {
                return try history.verify(
                    RocksEngine(
                        path: image.path + "/db", options: .small, creating: false, lease: image))
            }
            usleep(50_000)
        }
        throw NeverQuiet()
    }

    private struct NeverQuiet: Error {}

    /// False if a file went away meanwhile.
    private func copies(_ path: String, to target: String) -> Bool {
        do {
            try FileManager.default.copyItem(atPath: path, toPath: target)
            return true
        } catch {
            return false
        }
    }

    /// Whatever space is left when writes are refused suffices to flush, to compact and to restart.
    @Test(.enabled(if: SmallDisk.isPossible, "needs the right to mount a tmpfs"))
    func aFullDiskRefusesWritesAndRecovers() throws {
        guard let disk = SmallDisk(megabytes: 48) else { return }
        func open(creating: Bool) throws -> RocksEngine {
            try RocksEngine(
                path: disk.path + "/db", options: .small, creating: creating, lease: disk)
        }
        var engine: RocksEngine? = try open(creating: true)
        var last: UInt64 = 0
        for round in 0..<8 {
            try fillAndRefuse(#require(engine), disk, round, &last)
            if round % 3 == 0 { engine = nil }
            if engine == nil { engine = try open(creating: false) }
            #expect(try engine.map { try history.verify($0) } == last)
            try disk.empty()
        }
        #expect(engine?.statistics().backgroundErrors == 0)
    }

    private func fillAndRefuse(
        _ current: RocksEngine, _ disk: SmallDisk, _ round: Int, _ last: inout UInt64
    ) throws {
        for _ in 0..<40 {
            last += 1
            try current.write(history.batch(last).batch, sync: true)
        }
        try disk.fill(leaving: 4 << 20 + round * 1_000_000)
        try writeUntilRefused(current, disk, &last)
        #expect(try history.verify(current) == last, "reads go on, without what was refused")
        #expect(try survivors(disk, of: current) == last)
        if round % 2 == 0 {
            try current.flush()
            current.compact(.raw, .all)
        }
    }

    /// Somebody else takes the last byte of a store that is full already. RocksDB would end the
    /// process if it were told to flush now.
    @Test(.enabled(if: SmallDisk.isPossible)) func nothingIsFlushedWhereThereIsNoRoom() throws {
        let disk = try #require(SmallDisk(megabytes: 64))
        let engine = try RocksEngine(
            path: disk.path + "/db", options: .small, creating: true, lease: disk)
        for number in 1...40 as ClosedRange<UInt64> {
            try engine.write(history.batch(number).batch, sync: true)
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

    /// The log cannot grow any more: the write fails, and so does every later one, although the
    /// file system has long recovered. Opened anew, the store holds what was acknowledged.
    @Test func aFailedLogIsNeverWrittenAgain() async throws {
        let folder = TemporaryFolder()
        let path = folder.path
        let history = history
        await #expect(processExitsWith: .success) {
            [path = path as String, history = history as NumberedHistory] in
            signal(SIGXFSZ, SIG_IGN)
            let engine = try RocksEngine(
                path: path + "/db", options: .small, creating: true, lease: 0)
            for number in 1...10 as ClosedRange<UInt64> {
                try engine.write(history.batch(number).batch, sync: true)
            }
            var limit = rlimit()
            precondition(getrlimit(fileSizeLimit, &limit) == 0)
            // Less than the next batch needs, and more than RocksDB's own log.
            limit.rlim_cur = 200_000
            precondition(setrlimit(fileSizeLimit, &limit) == 0)
            let large = [ModelWrite.put(.raw, [1], Bytes(repeating: 1, count: 300_000))].batch
            let first = try failure { try engine.write(large, sync: true) }
            limit.rlim_cur = limit.rlim_max
            precondition(setrlimit(fileSizeLimit, &limit) == 0)
            guard case .failed = first else { preconditionFailure("\(String(describing: first))") }
            for _ in 0..<3 {
                let again = try failure { try engine.write(history.batch(11).batch, sync: true) }
                precondition(again == first)
            }
            let survived = try history.verify(engine)
            precondition(survived == 10)
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
            signal(SIGXFSZ, SIG_IGN)
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
    let engine = try RocksEngine(path: path, options: options, creating: true, lease: 0)
    var limit = rlimit()
    precondition(getrlimit(fileSizeLimit, &limit) == 0)
    limit.rlim_cur = 200_000
    precondition(setrlimit(fileSizeLimit, &limit) == 0)
    let large = [ModelWrite.put(.raw, [1], Bytes(repeating: 1, count: 300_000))].batch
    guard case .failed? = try failure({ try engine.write(large, sync: true) }) else {
        preconditionFailure("the write is larger than a file may be")
    }
    return { [weak witness] in witness }
}

private let fileSizeLimit = __rlimit_resource_t(RLIMIT_FSIZE.rawValue)

private func failure(_ body: () throws -> Void) throws -> StorageError? {
    do {
        try body()
        return nil
    } catch let error as StorageError {
        return error
    }
}
