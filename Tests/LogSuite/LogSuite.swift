// The one suite that every store of Raft logs passes: every short history, many groups in one
// write, then random histories from a seed, each compared with `LogModel`.
internal import Base
internal import Raft
package import Regions
internal import Storage

/// A store under test.
package protocol LogSubject: AnyObject {
    var log: any RaftLogStore { get }
    /// Closes the store and opens it again.
    func reopen() throws
}

package struct LogMismatch: Error, CustomStringConvertible {
    package var description: String

    package init(_ description: String) { self.description = description }
}

package enum LogSuite {
    /// Every history of three moves behind a first append, each in a group of its own, all groups
    /// in the same writes.
    package static func checkShortHistories(_ subject: any LogSubject) throws {
        var generator = SeededGenerator(seed: 1)
        var histories: [[LogMove]] = []
        for first in LogMove.allCases {
            for second in LogMove.allCases {
                for third in LogMove.allCases {
                    histories.append([.appendThree, first, second, third])
                }
            }
        }
        var batch = LogBatch()
        var models = histories.indices.map { LogModel(GroupID(UInt64($0) * 3 + 1), in: &batch) }
        try subject.log.write(batch)
        for step in 0..<4 {
            batch = LogBatch()
            for index in models.indices {
                models[index].make(histories[index][step], &generator, in: &batch)
            }
            try subject.log.write(batch)
            try check(subject, models, "short histories, step \(step)")
        }
        try subject.reopen()
        try check(subject, models, "short histories, reopened")
        // Whatever is still to be deleted goes with these, and nothing else.
        for _ in 0..<3 { try subject.log.write(LogBatch()) }
        try check(subject, models, "short histories, cleaned up")
        try subject.reopen()
        try check(subject, models, "short histories, reopened again")
    }

    package static func checkRandomHistory(
        _ subject: any LogSubject, seed: UInt64, steps: Int
    ) throws {
        var generator = SeededGenerator(seed: seed)
        var batch = LogBatch()
        var models = [1, 2, 0x0100, .max / 16].map { LogModel(GroupID($0), in: &batch) }
        try subject.log.write(batch)
        for step in 0..<steps {
            batch = LogBatch()
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                let index = Int.random(in: 0..<models.count, using: &generator)
                // Mostly appends, so that there is something to compact and to replace.
                let moves = LogMove.allCases + [.appendOne, .appendThree, .appendThree]
                let move = moves[Int.random(in: 0..<moves.count, using: &generator)]
                models[index].make(move, &generator, in: &batch)
            }
            try subject.log.write(batch)
            let context = "seed \(seed), step \(step)"
            try checkReads(subject, models, &generator, context)
            if generator.chance(1, in: 10) { try subject.reopen() }
            if generator.chance(1, in: 4) { try check(subject, models, context) }
        }
    }

    /// A compaction and a snapshot that free more than one write deletes.
    package static func checkLongLog(_ subject: any LogSubject) throws {
        var generator = SeededGenerator(seed: 2)
        var batch = LogBatch()
        var models = [1, 2].map { LogModel(GroupID($0), in: &batch) }
        for _ in 0..<Limits.logEntriesDeletedPerWrite {
            for index in models.indices { models[index].make(.appendThree, &generator, in: &batch) }
        }
        try subject.log.write(batch)
        batch = LogBatch()
        models[0].make(.compact, &generator, in: &batch)
        models[1].make(.leap, &generator, in: &batch)
        models[1].make(.appendThree, &generator, in: &batch)
        try subject.log.write(batch)
        try check(subject, models, "long logs compacted")
        try subject.reopen()
        try check(subject, models, "long logs reopened with entries to delete")
        for _ in 0..<8 {
            batch = LogBatch()
            models[0].make(.appendOne, &generator, in: &batch)
            try subject.log.write(batch)
            try check(subject, models, "long logs while entries are deleted")
        }
    }

    package static func check(
        _ subject: any LogSubject, _ models: [LogModel], _ context: String
    ) throws {
        let recovered = try subject.log.recover()
        let expected = models.map(\.recovered).sorted { $0.group < $1.group }
        guard recovered == expected else {
            let groups = Set(recovered.map(\.group)).symmetricDifference(expected.map(\.group))
            let first = zip(recovered, expected).first { $0 != $1 }
            throw LogMismatch(
                "\(context): recovered \(first.map { "\($0)" } ?? "groups \(groups)")")
        }
        for model in models {
            let range = model.base.index + 1..<model.lastIndex + 2
            let found = try subject.log.entries(of: model.group, in: range, byteLimit: .max)
            if found != model.records { throw LogMismatch("\(context): group \(model.group)") }
        }
    }

    private static func checkReads(
        _ subject: any LogSubject, _ models: [LogModel], _ generator: inout SeededGenerator,
        _ context: String
    ) throws {
        for model in models {
            let first = LogIndex.random(in: 0...model.lastIndex + 2, using: &generator)
            let range = first..<first + LogIndex.random(in: 0...9, using: &generator)
            let limit = Int.random(in: 0...200, using: &generator)
            let found = try subject.log.entries(of: model.group, in: range, byteLimit: limit)
            if found != model.records(in: range, byteLimit: limit) {
                throw LogMismatch(
                    "\(context): group \(model.group) from \(model.base.index) to "
                        + "\(model.lastIndex): read \(range) of \(limit) bytes: \(found)")
            }
        }
    }
}
