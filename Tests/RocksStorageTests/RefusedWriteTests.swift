// What a write can meet before RocksDB sees it: a block that cannot be read, a file system that
// does not tell its size. It is refused, or goes on; the store lives.
import Base
import EngineSuite
import Foundation
import RocksStorage
import Storage
import Testing

@Suite struct RefusedWriteTests {
    private func key(_ index: Int) -> Bytes { [UInt8(index >> 8), UInt8(index & 0xFF)] }

    /// A store of which no block of a table can be read.
    private func damaged() throws -> RocksSubject {
        let subject = try RocksSubject()
        var generator = SeededGenerator(seed: 9)
        let writes = (0..<2_000).map { index in
            let value = (0..<100).map { _ in UInt8.random(in: 0...255, using: &generator) }
            return ModelWrite.put(.raw, key(index), value)
        }
        try subject.engine.write(writes.batch, sync: true)
        try subject.rocks.flush()
        subject.rocks.compact(.raw, .all)
        try subject.reopen()
        let folder = subject.folder.path + "/db"
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        let tables = names.filter { $0.hasSuffix(".sst") }
        #expect(!tables.isEmpty)
        for table in tables {
            let file = try FileHandle(forUpdating: URL(fileURLWithPath: "\(folder)/\(table)"))
            // The first data blocks; index and footer stand at the end.
            try file.write(contentsOf: Data(repeating: 0x5A, count: 60_000))
            try file.close()
        }
        return subject
    }

    @Test func aRangeThatCannotBeReadIsNotDeletedAndTheStoreLives() throws {
        let engine = try damaged().engine
        let before = [ModelWrite.put(.meta, [1], [1])]
        try engine.write(before.batch, sync: false)
        let mixed: [ModelWrite] = [.put(.meta, [2], [2]), .deleteRange(.raw, from: [], to: nil)]
        let error = #expect(throws: StorageError.self) {
            try engine.write(mixed.batch, sync: false)
        }
        guard case .unreadable? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(error?.endsWrites == false)
        #expect(try engine.get(.meta, Key([2]), tier: .disk) == .missing, "nothing of it is there")
        try engine.write([.put(.meta, [3], [3])].batch, sync: false)
        #expect(try engine.get(.meta, Key([3]), tier: .disk) == .found([3]))
    }

    /// The folder has another name for a while, as a file system has that is stuck.
    @Test func theStoreLivesWhileTheDiskCannotBeLookedAt() throws {
        let subject = try RocksSubject()
        let engine = subject.rocks
        _ = try engine.lookAtDisk()
        let path = subject.folder.path + "/db"
        try FileManager.default.moveItem(atPath: path, toPath: path + "-away")
        defer { _ = rename(path + "-away", path) }
        #expect(throws: StorageError.self) { _ = try engine.lookAtDisk() }
        try engine.write([.put(.raw, [1], [1])].batch, sync: false)
        #expect(try engine.get(.raw, Key([1]), tier: .disk) == .found([1]))
        #expect(engine.statistics().failedSpaceLooks == 1)
        try FileManager.default.moveItem(atPath: path + "-away", toPath: path)
        _ = try engine.lookAtDisk()
        #expect(engine.statistics().failedSpaceLooks == 1)
    }

    /// History: 200 deletes of one range, each after 10,000 puts of one batch, named two million
    /// keys.
    @Test func rangeDeletesOfABatchNameEachKeyOnce() throws {
        var options = RocksOptions.small
        options.memtableBytes = 64 << 20
        let subject = try RocksSubject(options: options)
        var batch = (0..<10_000).map { ModelWrite.put(.raw, key($0), [7]) }
        for _ in 0..<200 { batch.append(.deleteRange(.raw, from: [], to: nil)) }
        batch.append(.put(.raw, [1], [1]))
        try subject.engine.write(batch.batch, sync: false)
        // Two million would fill several.
        let bytes = subject.rocks.statistics().families[.raw]?.memtableBytes ?? .max
        #expect(bytes < 8 << 20, "one put and one delete each")
        var seen: [Bytes] = []
        _ = try subject.engine.view().scan(.raw, .all, reverse: false, tier: .disk) { key, _ in
            seen.append(Bytes(key))
            return .more
        }
        #expect(seen == [[1]])
    }
}
