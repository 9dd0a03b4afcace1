// The Raft logs on disk: the suite of all such stores, and what kills, cuts, damage and a failing
// disk leave of them.
import Base
import Foundation
import LogSuite
import Raft
import Regions
import RocksStorage
import Storage
import Testing

extension RocksLogOptions {
    /// Memtables so small that tests meet flushes.
    static var small: RocksLogOptions {
        var options = RocksLogOptions(beside: .small)
        options.memtableBytes = 64 << 10
        return options
    }
}

private final class RocksLogSubject: LogSubject {
    let folder: TemporaryFolder
    private let options: RocksLogOptions
    private var open: RocksLog?

    init(
        _ folder: TemporaryFolder = TemporaryFolder(), options: RocksLogOptions = .small
    ) throws {
        self.folder = folder
        self.options = options
        open = try RocksLog(
            path: folder.path + "/log", options: options, creating: true, lease: folder)
    }

    var log: any RaftLogStore { open! }

    func reclaim() throws { try open!.reclaim() }

    func close() { open = nil }

    func reopen() throws {
        open = nil
        open = try RocksLog(
            path: folder.path + "/log", options: options, creating: false, lease: folder)
    }
}

/// An endless history over two groups in which every write is made from its number alone.
private struct NumberedLogs: Codable {
    var seed: UInt64

    /// What is there after so many writes, and each of them.
    func models(after count: UInt64, _ visit: (LogBatch) throws -> Void = { _ in }) rethrows
        -> [LogModel]
    {
        var batch = LogBatch()
        var models = [1, 2].map { LogModel(GroupID($0), in: &batch) }
        if count > 0 { try visit(batch) }
        for number in 1..<max(1, count) {
            batch = LogBatch()
            var generator = SeededGenerator(seed: seed &* 1_000_003 &+ number)
            for index in models.indices {
                let moves = LogMove.allCases + [.appendOne, .appendThree, .appendThree]
                let move = moves[Int.random(in: 0..<moves.count, using: &generator)]
                models[index].make(move, &generator, in: &batch)
            }
            try visit(batch)
        }
        return models
    }

    /// How many writes a store holds, from `least` on; nil if it is as after no number of them up
    /// to `most`.
    func count(in log: any RaftLogStore, from least: UInt64, upTo most: UInt64) throws -> UInt64? {
        let found = try log.recover()
        return try (least...most).first { count in
            let models = try models(after: count)
            return found == (count == 0 ? [] : models.map(\.recovered))
        }
    }
}

@Suite(.serialized) struct RocksLogTests {
    @Test func shortHistories() throws { try LogSuite.checkShortHistories(RocksLogSubject()) }

    @Test(arguments: 1...6 as ClosedRange<UInt64>) func randomHistories(seed: UInt64) throws {
        try LogSuite.checkRandomHistory(RocksLogSubject(), seed: seed, steps: 120)
    }

    @Test func longLogs() throws { try LogSuite.checkLongLog(RocksLogSubject()) }

    /// A store in place of one that is gone would hide that it is gone.
    @Test func aMissingLogIsNotMadeAnew() throws {
        let folder = TemporaryFolder()
        #expect(throws: StorageError.self) {
            try RocksLog(
                path: folder.path + "/log", options: .small, creating: false, lease: folder)
        }
    }

    /// Entries that were compacted are deleted in the end, not only hidden, and so many with each
    /// write: looked for below the seam, through a store that believes the log begins at 0.
    @Test func compactedEntriesAreDeleted() throws {
        let subject = try RocksLogSubject()
        var generator = SeededGenerator(seed: 4)
        var batch = LogBatch()
        var model = LogModel(GroupID(1), in: &batch)
        let count = Limits.logEntriesDeletedPerWrite
        for _ in 0..<count { model.make(.appendThree, &generator, in: &batch) }
        try subject.log.write(batch)
        func stored() throws -> Int {
            var first: LogIndex = 1
            // Deleted from the front on.
            while first <= model.lastIndex,
                try subject.log.entries(of: model.group, in: first..<first + 1, byteLimit: 1)
                    .isEmpty
            {
                first += 1
            }
            return Int(model.lastIndex + 1 - first)
        }
        #expect(try stored() == 3 * count)
        batch = LogBatch()
        model.make(.compact, &generator, in: &batch)
        try subject.log.write(batch)
        #expect(try stored() == 2 * count)
        try subject.reopen()
        try subject.log.write(LogBatch())
        #expect(try stored() == count)
        try subject.log.write(LogBatch())
        #expect(try stored() == 1)
        try LogSuite.check(subject, [model], "after the last deletion")
    }

    /// What entries have left on the disk goes, in the write-ahead log and in tables, without
    /// another write: on a full disk there is none.
    @Test func whatIsCompactedGivesItsSpaceBack() throws {
        let subject = try RocksLogSubject()
        let path = subject.folder.path + "/log"
        func takenBytes() throws -> Int {
            try FileManager.default.contentsOfDirectory(atPath: path)
                .filter { $0.hasSuffix(".log") || $0.hasSuffix(".sst") }
                .reduce(0) { sum, name in
                    let facts = try FileManager.default.attributesOfItem(atPath: path + "/" + name)
                    return sum + (facts[.size] as? Int ?? 0)
                }
        }
        var generator = SeededGenerator(seed: 9)
        var batch = LogBatch()
        var model = LogModel(GroupID(1), in: &batch)
        // More than several memtables, so that there are tables.
        while batch.byteCount < 512 << 10 {
            model.make(.appendThree, &generator, in: &batch)
        }
        try subject.log.write(batch)
        #expect(try takenBytes() > 256 << 10)
        batch = LogBatch()
        model.make(.compact, &generator, in: &batch)
        try subject.log.write(batch)
        try subject.reclaim()
        #expect(try takenBytes() < 64 << 10)
        try LogSuite.check(subject, [model], "after the space was given back")
    }

    /// The write-ahead log of a store, cut off at every byte: a prefix of the writes, longer with
    /// every byte, and never half a write.
    @Test func aLogCutAnywhereGivesAPrefix() throws {
        let history = NumberedLogs(seed: 5)
        let image = try WrittenLog(history, count: 5)
        var last: UInt64 = 0
        for length in 0...image.bytes.count {
            let log = try image.open(Bytes(image.bytes[..<length]))
            let count = try history.count(in: log, from: last, upTo: 5)
            guard let count else {
                Issue.record("cut at \(length) there is no state of the history")
                return
            }
            last = count
        }
        #expect(last == 5)
    }

    /// Any flipped bit is found: all of it was synced.
    @Test func everyFlippedBitIsFound() throws {
        let image = try WrittenLog(NumberedLogs(seed: 6), count: 3)
        for offset in image.bytes.indices {
            var damaged = image.bytes
            damaged[offset] ^= 1 << UInt8(offset % 8)
            do {
                _ = try image.open(damaged)
                Issue.record("bit \(offset % 8) of byte \(offset) was not missed")
            } catch StorageError.corrupt {
            }
        }
    }

    /// A log of several blocks, with records that span them: a sample of flips, and a sector of
    /// zeros or of noise anywhere.
    @Test func damageInALongLogIsFound() throws {
        let history = NumberedLogs(seed: 3)
        let image = try WrittenLog(history, count: 900)
        #expect(image.bytes.count > 70_000)
        let expected = try history.models(after: 900).map(\.recovered)
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<150 {
            let offset = Int.random(in: 0..<image.bytes.count - 1024, using: &generator)
            var damaged = image.bytes
            switch UInt64.random(in: 0..<3, using: &generator) {
            case 0: damaged[offset] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 1:
                for index in offset..<offset + 512 { damaged[index] = 0 }
            default:
                for index in offset..<offset + 512 {
                    damaged[index] = UInt8.random(in: 0...255, using: &generator)
                }
            }
            // A flip in the padding of a block, or zeros over zeros, change nothing that is stored.
            do {
                #expect(try image.open(damaged).recover() == expected, "damage at \(offset)")
            } catch StorageError.corrupt {
            }
        }
    }

    /// Removed by hand, or left out of a copy: not the end of a log that a crash cut off.
    @Test func aNewestFileThatIsGoneIsMissed() throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/log"
        let history = NumberedLogs(seed: 9)
        func open() throws -> RocksLog {
            try RocksLog(path: path, options: .small, creating: false, lease: folder)
        }
        func newest() throws -> String {
            try #require(
                try FileManager.default.contentsOfDirectory(atPath: path)
                    .filter { $0.hasSuffix(".log") }.max())
        }
        do {
            let log = try RocksLog(path: path, options: .small, creating: true, lease: folder)
            _ = try history.models(after: 5) { try log.write($0) }
            try log.noteFiles()
        }
        let name = try newest()
        try FileManager.default.moveItem(atPath: "\(path)/\(name)", toPath: path + "-away")
        #expect {
            _ = try open()
        } throws: { error in
            guard case .corrupt(let reason)? = error as? StorageError else { return false }
            return reason.contains("its newest file, number \(Int(name.dropLast(4)) ?? 0)")
        }
        try FileManager.default.moveItem(atPath: path + "-away", toPath: "\(path)/\(name)")
        let expected = try history.models(after: 5).map(\.recovered)
        // Each opening begins a newer one, whether it is noted or not.
        for isNoted in [false, true, false] {
            let log = try open()
            #expect(try log.recover() == expected)
            if isNoted { try log.noteFiles() }
        }
    }

    @Test func damageIsToldInOneSentence() throws {
        let image = try WrittenLog(NumberedLogs(seed: 6), count: 3)
        var damaged = image.bytes
        damaged[4] ^= 1
        do {
            _ = try image.open(damaged)
            Issue.record("opened")
        } catch StorageError.corrupt(let sentence) {
            #expect(sentence.contains("/log is damaged: 0"))
            #expect(!sentence.contains("\n"))
        }
    }

    /// Killed while it writes, the store holds every write that returned, and at most one more.
    @Test func nothingWrittenIsLostToKill() async throws {
        let folder = TemporaryFolder()
        let path = folder.path
        let history = NumberedLogs(seed: 7)
        var last: UInt64 = 0
        for round in 0..<4 as Range<UInt64> {
            await #expect(processExitsWith: .signal(SIGKILL)) {
                [
                    path = path as String, history = history as NumberedLogs,
                    last = last as UInt64, round = round as UInt64
                ] in
                try writeLogsUntilKilled(path, history, after: last, round: round)
            }
            let returned = try lastNumber(in: path + "/returned")
            let log = try RocksLog(
                path: path + "/log", options: .small, creating: true, lease: folder)
            let count = try history.count(in: log, from: returned, upTo: returned + 1)
            #expect(count != nil, "round \(round): \(returned) writes had returned")
            last = count ?? 0
        }
        #expect(last > 20, "the rounds reached \(last)")
    }

    /// The disk refuses a write: none comes after it, although the disk has long recovered.
    @Test func aFailedLogIsNeverWrittenAgain() async throws {
        let folder = TemporaryFolder()
        let path = folder.path
        let history = NumberedLogs(seed: 8)
        await #expect(processExitsWith: .success) {
            [path = path as String, history = history as NumberedLogs] in
            signal(SIGXFSZ, SIG_IGN)
            let log = try RocksLog(
                path: path + "/log", options: .small, creating: true, lease: 0)
            var models = try history.models(after: 10) { try log.write($0) }
            let expected = models.map(\.recovered)
            var limit = rlimit()
            precondition(getrlimit(fileSizeLimit, &limit) == 0)
            // Less than the next batch needs, and more than RocksDB's own log.
            limit.rlim_cur = 200_000
            precondition(setrlimit(fileSizeLimit, &limit) == 0)
            var generator = SeededGenerator(seed: 1)
            var large = LogBatch()
            for _ in 0..<9_000 { models[0].make(.appendThree, &generator, in: &large) }
            let first = failure { () throws(StorageError) in try log.write(large) }
            limit.rlim_cur = limit.rlim_max
            precondition(setrlimit(fileSizeLimit, &limit) == 0)
            guard case .failed = first else { preconditionFailure("\(String(describing: first))") }
            for _ in 0..<3 {
                let again = failure { () throws(StorageError) in try log.write(LogBatch()) }
                precondition(again == first)
            }
            let found = try log.recover()
            precondition(found == expected)
        }
        let log = try RocksLog(
            path: path + "/log", options: .small, creating: false, lease: folder)
        #expect(try log.recover() == (try history.models(after: 10)).map(\.recovered))
    }
}

private let fileSizeLimit = __rlimit_resource_t(RLIMIT_FSIZE.rawValue)

private func failure(_ body: () throws(StorageError) -> Void) -> StorageError? {
    do throws(StorageError) {
        try body()
        return nil
    } catch {
        return error
    }
}

/// A closed store whose data is all in its write-ahead log, to be opened again with another one.
private struct WrittenLog {
    let bytes: Bytes
    private let folder = TemporaryFolder()
    private let name: String

    init(_ history: NumberedLogs, count: UInt64) throws {
        let subject = try RocksLogSubject(folder, options: RocksLogOptions(beside: .small))
        _ = try history.models(after: count) { try subject.log.write($0) }
        subject.close()
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/log")
        let logs = names.filter { $0.hasSuffix(".log") }
        precondition(logs.count == 1)
        name = logs[0]
        let contents = FileManager.default.contents(atPath: folder.path + "/log/" + name)
        bytes = Bytes(contents ?? Data())
    }

    func open(_ bytes: Bytes) throws -> RocksLog {
        let copy = TemporaryFolder()
        let path = copy.path + "/log"
        try FileManager.default.copyItem(atPath: folder.path + "/log", toPath: path)
        try Data(bytes).write(to: URL(fileURLWithPath: path + "/" + name))
        return try RocksLog(path: path, options: .small, creating: false, lease: copy)
    }
}

/// The child's part: writes in order, each noted in a file when it has returned, until killed.
private func writeLogsUntilKilled(
    _ path: String, _ history: NumberedLogs, after start: UInt64, round: UInt64
) throws {
    let log = try RocksLog(path: path + "/log", options: .small, creating: true, lease: 0)
    let notes = open(path + "/returned", O_WRONLY | O_CREAT | O_APPEND, 0o600)
    precondition(notes >= 0)
    var generator = SeededGenerator(seed: history.seed &* 31 &+ round)
    let patience = UInt32.random(in: 20_000...200_000, using: &generator)
    var number: UInt64 = 0
    _ = try history.models(after: 1 << 40) { batch in
        number += 1
        if number == start + 1 {
            Thread.detachNewThread {
                usleep(patience)
                kill(getpid(), SIGKILL)
            }
        }
        guard number > start else { return }
        try log.write(batch)
        var digits = Bytes()
        digits.appendUInt64(number)
        precondition(write(notes, digits, 8) == 8)
    }
}
