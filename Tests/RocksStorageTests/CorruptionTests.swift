// Damaged files: a typed error, never a trap, never another answer, never a silent loss.
import Base
import EngineSuite
import Foundation
import RocksStorage
import Storage
import Testing

@Suite struct CorruptionTests {
    /// Tables over several levels and files, some with deleted ranges: whatever is damaged, a read
    /// gives the right answer or an error.
    @Test(arguments: [false, true]) func damagedTablesNeverAnswerWrongly(ranges: Bool) throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/db"
        var options = RocksOptions.small
        options.memtableBytes = 64 << 10
        options.tableBytes = 64 << 10
        var model = Model()
        do {
            let engine = try RocksEngine(
                path: path, options: options, creating: true, lease: folder)
            var generator = SeededGenerator(seed: 9)
            for number in 0..<400 {
                var writes = (0..<10).map { _ -> ModelWrite in
                    let key = UInt16.random(in: 0..<3000, using: &generator)
                    let value = (0..<60).map { _ in UInt8.random(in: 0...255, using: &generator) }
                    return .put(.raw, [UInt8(key >> 8), UInt8(key & 0xFF)], value)
                }
                if ranges, number % 40 == 7 {
                    let high = UInt8.random(in: 0..<11, using: &generator)
                    writes.append(.deleteRange(.raw, from: [high, 200], to: [high + 1, 20]))
                }
                model.apply(writes)
                try engine.write(writes.batch, sync: false)
                if number == 250 { engine.compact(.raw, .all) }
            }
            try engine.flush()
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: path)
        let tables = names.filter { $0.hasSuffix(".sst") }.sorted()
        #expect(tables.count > 1, "how many depends on compactions in the background")
        var outcomes = (opened: 0, refused: 0, answered: 0, failed: 0)
        var generator = SeededGenerator(seed: 10)
        for table in tables {
            let whole = FileManager.default.contents(atPath: path + "/" + table) ?? Data()
            for _ in 0..<12 {
                let copy = TemporaryFolder()
                try FileManager.default.copyItem(atPath: path, toPath: copy.path + "/db")
                var damaged = whole
                let offset = Int.random(in: 0..<whole.count, using: &generator)
                damaged[offset] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
                try damaged.write(to: URL(fileURLWithPath: copy.path + "/db/" + table))
                do throws(StorageError) {
                    let engine = try RocksEngine(
                        path: copy.path + "/db", options: options, creating: false, lease: copy)
                    outcomes.opened += 1
                    let view = engine.view()
                    let comparison = Comparison(model, view, "\(table) at \(offset)")
                    for reverse in [false, true] {
                        try tally(&outcomes) {
                            try comparison.checkScan(
                                .raw, from: [], to: nil, reverse: reverse, stopAfter: nil, .disk)
                        }
                    }
                    for key in stride(from: 0 as UInt16, to: 3000, by: 7) {
                        let bytes: Bytes = [UInt8(key >> 8), UInt8(key & 0xFF)]
                        try tally(&outcomes) { try comparison.checkGet(.raw, bytes, .disk) }
                    }
                } catch {
                    guard case .corrupt = error else {
                        Issue.record("\(table) at \(offset): \(error)")
                        continue
                    }
                    outcomes.refused += 1
                }
            }
        }
        print("damaged tables, ranges \(ranges): \(outcomes)")
        #expect(outcomes.failed > 0 && outcomes.answered > 0)
    }

    private func tally(
        _ outcomes: inout (opened: Int, refused: Int, answered: Int, failed: Int),
        _ read: () throws -> Void
    ) throws(StorageError) {
        do {
            try read()
            outcomes.answered += 1
        } catch let error as StorageError {
            guard case .corrupt = error else { throw error }
            outcomes.failed += 1
        } catch {
            Issue.record("\(error)")
        }
    }

    /// RocksDB's own bookkeeping: removed, emptied, overwritten, or with a bit flipped.
    @Test func damagedBookkeepingIsRefusedOrHarmless() throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/db"
        let history = NumberedHistory(seed: 4, largestValue: 30)
        do {
            let engine = try RocksEngine(
                path: path, options: .small, creating: true, lease: folder)
            for number in 1...20 as ClosedRange<UInt64> {
                try engine.write(history.batch(number).batch, sync: true)
                if number % 6 == 0 { try engine.flush() }
            }
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: path)
        for name in names where name == "CURRENT" || name.hasPrefix("MANIFEST") {
            let whole = FileManager.default.contents(atPath: path + "/" + name) ?? Data()
            var damages: [Data?] = [nil, Data(), Data("nonsense\n".utf8)]
            for offset in stride(from: 0, to: whole.count, by: name == "CURRENT" ? 1 : 3) {
                var flipped = whole
                flipped[offset] ^= 1 << UInt8(offset % 8)
                damages.append(flipped)
                // A manifest that ends early is what a crash leaves: nothing tells them apart.
                if name == "CURRENT" { damages.append(whole[..<offset]) }
            }
            for (index, damage) in damages.enumerated() {
                let copy = TemporaryFolder()
                let target = copy.path + "/db/" + name
                try FileManager.default.copyItem(atPath: path, toPath: copy.path + "/db")
                if let damage {
                    try damage.write(to: URL(fileURLWithPath: target))
                } else {
                    try FileManager.default.removeItem(atPath: target)
                }
                do throws(StorageError) {
                    let engine = try RocksEngine(
                        path: copy.path + "/db", options: .small, creating: false, lease: copy)
                    let survived = try self.survived(history, engine)
                    #expect(survived == 20, "\(name), damage \(index) of \(whole.count) bytes")
                } catch {
                    guard case .corrupt = error else {
                        Issue.record("\(name), damage \(index): \(error)")
                        continue
                    }
                }
            }
        }
    }

    private func survived(
        _ history: NumberedHistory, _ engine: RocksEngine
    ) throws(StorageError) -> UInt64? {
        do {
            return try history.verify(engine)
        } catch let error as StorageError {
            throw error
        } catch {
            Issue.record("\(error)")
            return nil
        }
    }
}
