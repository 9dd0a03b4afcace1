// What is left after kill -9 and after a log that was cut off: everything acknowledged, in whole
// batches.
import Base
import EngineSuite
import Foundation
import RocksStorage
import Storage
import Testing

/// An endless history in which batch n can be made from n alone and writes n down, so that a store
/// tells how far it came and the model can follow.
struct NumberedHistory: Codable, Sendable {
    var seed: UInt64
    var largestValue: Int

    static let counter: Bytes = [0xC0]

    func batch(_ number: UInt64) -> [ModelWrite] {
        var generator = SeededGenerator(seed: seed &* 1_000_003 &+ number)
        var digits = Bytes()
        digits.appendUInt64(number)
        var writes: [ModelWrite] = [.put(.meta, Self.counter, digits)]
        for _ in 0..<Int.random(in: 1...8, using: &generator) {
            let key: Bytes = [UInt8.random(in: 0..<40, using: &generator)]
            switch UInt64.random(in: 0..<10, using: &generator) {
            case 0: writes.append(.deleteRange(.raw, from: key, to: [key[0] + 3]))
            case 1: writes.append(.delete(.raw, key))
            default:
                let large = generator.chance(1, in: 30)
                let count = Int.random(in: 0...(large ? largestValue : 30), using: &generator)
                writes.append(
                    .put(
                        .raw, key, Bytes(repeating: UInt8(truncatingIfNeeded: number), count: count)
                    ))
            }
        }
        return writes
    }

    func model(upTo number: UInt64) -> Model {
        var model = Model()
        if number > 0 { for each in 1...number { model.apply(batch(each)) } }
        return model
    }

    /// How far a store came, after checking that it holds exactly the batches up to there.
    func verify(_ engine: any KeyValueEngine) throws -> UInt64 {
        var number: UInt64 = 0
        if case .found(let digits) = try engine.get(.meta, Key(Self.counter), tier: .disk) {
            var cursor = ByteCursor(digits)
            number = try cursor.readUInt64()
        }
        try Comparison(model(upTo: number), engine.view(), "after batch \(number)")
            .checkWhole(keys: [])
        return number
    }
}

@Suite(.serialized) struct CrashTests {
    @Test(arguments: 1...2 as ClosedRange<UInt64>)
    func nothingAcknowledgedIsLostToKill(seed: UInt64) async throws {
        let folder = TemporaryFolder()
        let path = folder.path
        let history = NumberedHistory(seed: seed, largestValue: 300_000)
        var rounds: [UInt64] = []
        for round in 0..<6 as Range<UInt64> {
            let start = rounds.last ?? 0
            await #expect(processExitsWith: .signal(SIGKILL)) {
                [
                    path = path as String, history = history as NumberedHistory,
                    start = start as UInt64, round = round as UInt64
                ] in
                try writeUntilKilled(path, history, after: start, round: round)
            }
            let acknowledged = try lastNumber(in: path + "/acknowledged")
            let engine = try RocksEngine(
                path: path + "/db", options: .small, creating: true, lease: folder)
            let survived = try history.verify(engine)
            #expect(survived >= acknowledged, "seed \(seed), round \(round)")
            #expect(survived <= acknowledged + 5, "seed \(seed), round \(round)")
            rounds.append(survived)
        }
        #expect((rounds.last ?? 0) > 20, "the rounds reached \(rounds)")
    }

    /// A log cut off at any byte gives a prefix of the batches, longer with every byte.
    @Test func aLogCutAnywhereGivesAPrefix() throws {
        let image = try LogImage(batches: 8)
        var last: UInt64 = 0
        for length in 0...image.log.count {
            let engine = try image.open(log: Bytes(image.log[..<length]))
            let survived = try image.history.verify(engine)
            #expect(survived >= last, "cut at \(length)")
            last = survived
        }
        #expect(last == 8)
    }
}

/// The child's part: batches in order, most of them synced, each sync noted in a file, until
/// killed.
private func writeUntilKilled(
    _ path: String, _ history: NumberedHistory, after start: UInt64, round: UInt64
) throws {
    let engine = try RocksEngine(
        path: path + "/db", options: .small, creating: true, lease: 0)
    let acknowledgements = open(path + "/acknowledged", O_WRONLY | O_CREAT | O_APPEND, 0o600)
    precondition(acknowledgements >= 0)
    var generator = SeededGenerator(seed: history.seed &* 31 &+ round)
    let patience = UInt32.random(in: 1_000...150_000, using: &generator)
    Thread.detachNewThread {
        usleep(patience)
        kill(getpid(), SIGKILL)
    }
    var number = start
    while true {
        number += 1
        let sync = number % 5 != 0
        try engine.write(history.batch(number).batch, sync: sync)
        guard sync else { continue }
        var digits = Bytes()
        digits.appendUInt64(number)
        precondition(write(acknowledgements, digits, 8) == 8)
    }
}

/// The last whole one of the numbers that a child has noted.
func lastNumber(in path: String) throws -> UInt64 {
    guard let data = FileManager.default.contents(atPath: path) else { return 0 }
    let bytes = Bytes(data)
    guard bytes.count >= 8 else { return 0 }
    var cursor = ByteCursor(bytes, at: bytes.count / 8 * 8 - 8)
    return try cursor.readUInt64()
}
