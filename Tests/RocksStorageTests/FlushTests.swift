// The engine when it flushes all the time: the same answers, and after a crash the state of one
// moment in all families, no older than what was said to be on disk.
import Base
import EngineSuite
import Foundation
import RocksStorage
import Storage
import Testing

extension RocksOptions {
    /// Memtables so small that RocksDB flushes by itself all the time.
    static var tiny: RocksOptions {
        var options = RocksOptions.small
        options.memtableBytes = 64 << 10
        return options
    }
}

@Suite(.serialized) struct FlushTests {
    private let history = NumberedHistory(seed: 41, largestValue: 20_000)

    @Test func shortHistories() throws {
        try EngineSuite.checkShortHistories(RocksSubject(options: .tiny))
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>) func randomHistories(seed: UInt64) throws {
        try EngineSuite.checkRandomHistory(
            RocksSubject(options: .tiny), seed: seed, steps: 400)
    }

    @Test func largeThings() throws {
        try EngineSuite.checkLargeThings(RocksSubject(options: .tiny))
    }

    @Test func emptyBatch() throws {
        try EngineSuite.checkEmptyBatch(RocksSubject(options: .tiny))
    }

    /// How far the store has come on disk, as it says itself.
    private func persisted(_ engine: RocksEngine) throws -> UInt64 {
        guard
            case .found(let digits) = try engine.persistedGet(
                .meta, Key(NumberedHistory.counter))
        else { return 0 }
        var cursor = ByteCursor(digits)
        return try cursor.readUInt64()
    }

    /// The folder of an open engine, as it is at one moment: RocksDB removes files that it needs no
    /// more in the background, and a copy during which some went is made again.
    private func image(of path: String) throws -> TemporaryFolder {
        for _ in 0..<100 {
            let image = TemporaryFolder()
            let before = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
            do {
                try FileManager.default.copyItem(atPath: path, toPath: image.path + "/db")
            } catch let error as CocoaError where error.code == .fileNoSuchFile { continue }
            let after = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
            if before == after { return image }
        }
        throw CocoaError(.fileNoSuchFile)
    }

    /// What a kill at this moment would leave.
    private func survived(_ path: String) throws -> UInt64 {
        let image = try image(of: path)
        return try history.verify(
            RocksEngine(path: image.path + "/db", options: .tiny, creating: false, lease: image)
        )
    }

    /// Only a flush moves what is on disk, and moves all of it.
    @Test func aFlushTakesAllFamilies() throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/db"
        var options = RocksOptions.tiny
        options.memtableBytes = 16 << 20
        let engine = try RocksEngine(path: path, options: options, creating: true, lease: folder)
        for round in 0..<5 as Range<UInt64> {
            for number in 1...7 as ClosedRange<UInt64> {
                try engine.write(history.batch(round * 7 + number).batch, sync: false)
                #expect(try persisted(engine) == round * 7)
            }
            #expect(try survived(path) == round * 7)
            if round == 3 { engine.stopCompacting() }
            try engine.flush()
            #expect(try persisted(engine) == round * 7 + 7)
            #expect(try survived(path) == round * 7 + 7)
        }
        #expect(try history.verify(engine) == 35)
        // One family has nothing new, then none has.
        try engine.write([ModelWrite.put(.raw, [0xEE], [1])].batch, sync: false)
        #expect(try engine.persistedGet(.raw, Key([0xEE])) == .missing)
        try engine.flush()
        #expect(try engine.persistedGet(.raw, Key([0xEE])) == .found([1]))
        try engine.flush()
        try engine.write([ModelWrite.put(.raw, [0xEE], [2])].batch, sync: true)
        #expect(try engine.persistedGet(.raw, Key([0xEE])) == .found([2]))
    }

    /// What cannot be written without waiting is not written at all; in between there is no gap.
    /// Four memtables of 64 KiB take some of it, and then the flushes are behind.
    @Test func whatIsWrittenAtOnceIsWrittenWholeOrNotAtAll() throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/db"
        let engine = try RocksEngine(
            path: path, options: .tiny, creating: true, lease: folder)
        var refusals = 0
        for number in 1...600 as ClosedRange<UInt64> {
            let batch = history.batch(number).batch
            if try engine.writeAtOnce(batch) { continue }
            refusals += 1
            try engine.write(batch, sync: false)
        }
        #expect((1..<600).contains(refusals))
        #expect(try history.verify(engine) == 600)
    }

    @Test func aRangeIsNotDeletedAtOnce() throws {
        let folder = TemporaryFolder()
        let engine = try RocksEngine(
            path: folder.path + "/db", options: .tiny, creating: true, lease: folder)
        var batch = WriteBatch()
        batch.put(.raw, Key([1]), [1])
        #expect(try engine.writeAtOnce(batch))
        batch.deleteRange(.raw, .all)
        #expect(try !engine.writeAtOnce(batch))
        #expect(try engine.get(.raw, Key([1]), tier: .disk) == .found([1]))
    }

    /// A compaction by hand may flush as well, and must not take one family alone.
    @Test func aCompactionTakesAllFamilies() throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/db"
        let engine = try RocksEngine(
            path: path, options: .tiny, creating: true, lease: folder)
        for number in 1...9 as ClosedRange<UInt64> {
            try engine.write(history.batch(number).batch, sync: false)
            if number == 5 { try engine.flush() }
        }
        engine.compact(.raw, .all)
        let flushed = try persisted(engine)
        #expect(flushed == 5 || flushed == 9)
        #expect(try survived(path) == flushed)
    }

    /// A store that was closed has lost nothing, although it has no log of its own.
    @Test func closingFlushes() throws {
        let folder = TemporaryFolder()
        do {
            let engine = try RocksEngine(
                path: folder.path + "/db", options: .tiny, creating: true, lease: folder)
            for number in 1...5 as ClosedRange<UInt64> {
                try engine.write(history.batch(number).batch, sync: false)
            }
        }
        #expect(try survived(folder.path + "/db") == 5)
    }

    /// Killed at any moment, in the middle of flushes and compactions, the store holds the state
    /// after one batch: no family further than the other, and nothing lost that was on disk.
    @Test(arguments: 1...2 as ClosedRange<UInt64>)
    func aKillLeavesTheStateOfOneMoment(seed: UInt64) async throws {
        let folder = TemporaryFolder()
        let path = folder.path
        let history = NumberedHistory(seed: seed, largestValue: 20_000)
        var last: UInt64 = 0
        for round in 0..<8 as Range<UInt64> {
            await #expect(processExitsWith: .signal(SIGKILL)) {
                [
                    path = path as String, history = history as NumberedHistory,
                    last = last as UInt64, round = round as UInt64
                ] in
                try writeUntilKilled(path, history, after: last, round: round)
            }
            let engine = try RocksEngine(
                path: path + "/db", options: .tiny, creating: true, lease: folder)
            let survived = try history.verify(engine)
            let promised = try lastNumber(in: path + "/persisted")
            #expect(survived >= promised, "seed \(seed), round \(round)")
            #expect(survived >= last, "seed \(seed), round \(round)")
            last = survived
        }
        #expect(last > 20, "the rounds reached \(last)")
    }
}

/// The child's part: batches in order, flushes now and then; what the store says is on disk is
/// noted in a file.
private func writeUntilKilled(
    _ path: String, _ history: NumberedHistory, after start: UInt64, round: UInt64
) throws {
    let engine = try RocksEngine(
        path: path + "/db", options: .tiny, creating: true, lease: 0)
    let notes = open(path + "/persisted", O_WRONLY | O_CREAT | O_APPEND, 0o600)
    precondition(notes >= 0)
    var generator = SeededGenerator(seed: history.seed &* 31 &+ round)
    let patience = UInt32.random(in: 20_000...400_000, using: &generator)
    Thread.detachNewThread {
        usleep(patience)
        kill(getpid(), SIGKILL)
    }
    var number = start
    while true {
        number += 1
        try engine.write(history.batch(number).batch, sync: false)
        if number % 97 == 0 { try engine.flush() }
        guard
            case .found(let digits) = try engine.persistedGet(
                .meta, Key(NumberedHistory.counter))
        else { continue }
        precondition(write(notes, digits, 8) == 8)
    }
}
