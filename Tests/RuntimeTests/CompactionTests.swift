// Flushes and compactions that somebody asks for: their failpoints, and expired values, which go by
// the rule that a node gives its engine.
import Base
import Failpoints
import Foundation
import Injection
import Regions
import RocksStorage
import Runtime
import Storage
import Testing

@Suite struct CompactionTests {
    private struct Lease: Sendable {}

    private func withEngine(
        _ failpoints: String, _ body: (RocksEngine, FailpointRegistry) throws -> Void
    ) throws {
        let folder = RunningNodeTests.temporaryFolder()
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let registry = FailpointRegistry(
            try FailpointSetting.list(failpoints), generator: SeededGenerator(seed: 1)
        ) { _ in }
        let machine = MachineResources(memoryBytes: 256 << 20, cores: 2, fileDescriptors: 1024)
        var options = RocksOptions(for: machine, diskBytes: 64 << 20)
        options.isGarbage = [.raw: RunningNode.isGarbage(registry)]
        options.failpoints = registry
        let engine = try RocksEngine(
            path: folder + "/db", options: options, creating: true, lease: Lease())
        try body(engine, registry)
    }

    /// What a compaction that is told to keep leaves behind, the next one takes.
    @Test func expiredValuesGoUnlessKept() throws {
        try withEngine("compaction.expired=1*return(kept);compaction.begin=yield") {
            engine, failpoints in
            let past = WallTime(milliseconds: 1)
            let future = WallTime(milliseconds: .max)
            var batch = WriteBatch()
            for (name, end) in [("expired", past), ("lasting", future), ("plain", nil)] {
                let record = RawRecord.encode(Bytes("v".utf8), expiresAt: end)
                batch.put(.raw, Key(Bytes(name.utf8)), record)
            }
            try engine.write(batch, sync: false)
            func names() throws -> [String] {
                var names: [String] = []
                _ = try engine.view().scan(.raw, .all, reverse: false, tier: .disk) { key, _ in
                    names.append(String(decoding: key, as: UTF8.self))
                    return .more
                }
                return names
            }
            try engine.flush()
            engine.compact(.raw, .all)
            #expect(try names() == ["expired", "lasting", "plain"])
            #expect(failpoints.perform(.show(.compactionExpired))[0].hits == 1)
            #expect(failpoints.perform(.show(.compactionBegin))[0].hits == 1)
            engine.compact(.raw, .all)
            #expect(try names() == ["lasting", "plain"])
        }
    }

    /// Before it failed nothing is on disk, after it all is; what is told is the same.
    @Test(arguments: [("flush.begin", false), ("flush.done", true)])
    func aFlushFails(name: String, isOnDisk: Bool) throws {
        try withEngine("\(name)=1*return(io_error)") { engine, _ in
            var batch = WriteBatch()
            batch.put(.meta, Key(utf8: "k"), Bytes("v".utf8))
            try engine.write(batch, sync: false)
            let error = #expect(throws: StorageError.self) { try engine.flush() }
            #expect(error == .failed("the failpoint \(name) says io_error"))
            let found = Lookup.found(Bytes("v".utf8))
            #expect(try engine.persistedGet(.meta, Key(utf8: "k")) == (isOnDisk ? found : .missing))
            try engine.flush()
            #expect(try engine.persistedGet(.meta, Key(utf8: "k")) == found)
        }
    }
}
