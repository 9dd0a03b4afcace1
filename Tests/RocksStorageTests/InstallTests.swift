// A snapshot's tables take the place of the data, and what a start makes of an install that was
// interrupted: by a crash, on a disk without room, or with its folder gone.
import Base
import Failpoints
import Foundation
import Injection
import RocksStorage
import Storage
import Testing

@Suite struct InstallTests {
    private let folder = TemporaryFolder()

    private func directory(_ name: String, _ seed: UInt64 = 1) throws -> DataDirectory {
        var generator = SeededGenerator(seed: seed)
        return try DataDirectory(
            path: folder.path + "/" + name, now: WallTime(milliseconds: 1), using: &generator)
    }

    private func key(_ number: Int) -> Key { Key([UInt8(number >> 8), UInt8(number & 0xFF)]) }

    private func batch(_ numbers: Range<Int>, _ value: Bytes) -> WriteBatch {
        var batch = WriteBatch()
        for number in numbers { batch.put(.raw, key(number), value) }
        return batch
    }

    private var facts: WriteBatch {
        var facts = WriteBatch()
        facts.put(.meta, Key(utf8: "fact"), [1])
        return facts
    }

    private func values(_ engine: RocksEngine) throws -> [Bytes] {
        var values: [Bytes] = []
        _ = try engine.view().scan(.raw, .all, reverse: false, tier: .disk) { _, value in
            values.append(Bytes(value))
            return .more
        }
        return values
    }

    private let old = Bytes("old".utf8)
    private let new = Bytes("new".utf8)

    /// A store whose install ended at that place, as the disk holds it; the process did not end,
    /// so a copy with all links is what is opened next.
    private func interrupted(at point: Failpoint) throws -> DataDirectory {
        let first = try directory("first")
        var options = RocksOptions.small
        options.failpoints = FailpointRegistry(
            [FailpointSetting(point: point, program: try FailpointProgram("return", for: point))],
            generator: SeededGenerator(seed: 1), tell: { _ in })
        let engine = try first.openStore(options).engine
        try engine.write(batch(0..<300, old), sync: false)
        try engine.flush()
        let files = try first.makeSnapshot("9-2-a-1", engine)
        try files.append(batch(100..<400, new))
        try files.finish(record: [7])
        #expect(throws: StorageError.self) { try engine.install(files, facts: facts) }
        let copy = Process()
        copy.executableURL = URL(fileURLWithPath: "/bin/cp")
        copy.arguments = ["-a", folder.path + "/first", folder.path + "/second"]
        try copy.run()
        copy.waitUntilExit()
        #expect(copy.terminationStatus == 0)
        return try directory("second")
    }

    private func finish(_ directory: DataDirectory, _ engine: RocksEngine) throws {
        try directory.finishInstall(engine) { record throws(StorageError) in
            #expect(record == [7])
            return facts
        }
    }

    private func expectInPlace(_ engine: RocksEngine) throws {
        #expect(try values(engine) == Array(repeating: new, count: 300))
        #expect(try engine.get(.meta, Key(utf8: "fact"), tier: .disk) == .found([1]))
    }

    @Test(arguments: [Failpoint.snapshotMarked, .snapshotCleared, .snapshotTakenIn])
    func aStartEndsIt(point: Failpoint) throws {
        let second = try interrupted(at: point)
        let engine = try second.openStore(.small).engine
        try finish(second, engine)
        try expectInPlace(engine)
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/second/snapshots"))
    }

    @Test(arguments: [Failpoint.snapshotMarked, .snapshotCleared, .snapshotTakenIn])
    func whoLooksSeesItAndLeavesItAsItIs(point: Failpoint) throws {
        _ = try interrupted(at: point)
        let path = folder.path + "/second"
        do {
            let seen = try #require(try DataDirectory(lookingAt: path))
            let engine = try seen.lookAtStore(.small).engine
            #expect(try seen.unfinishedInstall(engine))
        }
        let second = try directory("second")
        let engine = try second.openStore(.small).engine
        #expect(try second.unfinishedInstall(engine))
        try finish(second, engine)
        try expectInPlace(engine)
        #expect(try !second.unfinishedInstall(engine))
    }

    // History: without room the tables of the first time are not compacted away; those of the
    // second time are the same files under other names, and RocksDB writes into them.
    @Test func aSecondTimeDoesNotDamageTheTablesOfTheFirst() throws {
        let second = try interrupted(at: .snapshotTakenIn)
        do {
            let engine = try second.openStore(.small).engine
            // As where there is no room for a compaction.
            engine.stopCompacting()
            try finish(second, engine)
            try expectInPlace(engine)
        }
        let engine = try second.openStore(.small).engine
        try expectInPlace(engine)
        engine.compact(.raw, .all)
        try expectInPlace(engine)
    }

    // Nothing was deleted yet, so nothing is lost.
    @Test func withoutItsFolderAnInstallThatHasNotBegunIsForgotten() throws {
        let second = try interrupted(at: .snapshotMarked)
        try FileManager.default.removeItem(atPath: folder.path + "/second/snapshots")
        for _ in 0..<2 {
            let engine = try second.openStore(.small).engine
            try finish(second, engine)
            #expect(try values(engine) == Array(repeating: old, count: 300))
            #expect(try engine.get(.meta, Key(utf8: "fact"), tier: .disk) == .missing)
        }
    }

    @Test(arguments: [Failpoint.snapshotCleared, .snapshotTakenIn])
    func withoutItsFolderOneThatHasBegunIsRefused(point: Failpoint) throws {
        let second = try interrupted(at: point)
        try FileManager.default.removeItem(atPath: folder.path + "/second/snapshots")
        let engine = try second.openStore(.small).engine
        let error = #expect(throws: StorageError.self) { try finish(second, engine) }
        guard case .corrupt(let reason)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(reason.contains("9-2-a-1"))
    }
}
