// Expired values and the compaction that drops them, by the rule that a node gives its engine.
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

    /// What a compaction that is told to keep leaves behind, the next one takes.
    @Test func expiredValuesGoUnlessKept() throws {
        let folder = RunningNodeTests.temporaryFolder()
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let failpoints = FailpointRegistry(
            try FailpointSetting.list("compaction.expired=1*return(kept)"),
            generator: SeededGenerator(seed: 1)
        ) { _ in }
        let machine = MachineResources(memoryBytes: 256 << 20, cores: 2, fileDescriptors: 1024)
        var options = RocksOptions(for: machine, diskBytes: 64 << 20)
        options.isGarbage = [.raw: RunningNode.isGarbage(failpoints)]
        let engine = try RocksEngine(
            path: folder + "/db", options: options, creating: true, lease: Lease())
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
        engine.compact(.raw, .all)
        #expect(try names() == ["lasting", "plain"])
    }
}
