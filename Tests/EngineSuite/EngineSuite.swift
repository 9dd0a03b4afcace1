/// The one suite that every storage engine passes: exhaustive short histories first, then random
/// ones from a seed, each compared with `Model` after every step.
///
/// A harness gives an `EngineSubject`; a difference is thrown as `EngineMismatch` with what is
/// needed to meet it again.
internal import Base
package import Storage

/// An engine under test and the ways to bring it into states that must not change an answer.
package protocol EngineSubject: AnyObject {
    var engine: any KeyValueEngine { get }
    /// Flush, compact, reopen, whatever the engine has; the choice is any number. No view is held
    /// while it runs if `mayReopen`.
    func disturb(_ choice: UInt64, mayReopen: Bool) throws
}

package struct EngineMismatch: Error, CustomStringConvertible {
    package var description: String

    package init(_ description: String) { self.description = description }
}

package enum EngineSuite {
    private static let shortKeys: [Bytes] = [[], [0x00], [0xFF]]

    private static let shortWrites: [ModelWrite] =
        shortKeys.flatMap { key -> [ModelWrite] in
            [.put(.raw, key, []), .put(.raw, key, [1]), .delete(.raw, key)]
        } + [
            .deleteRange(.raw, from: [], to: nil),
            .deleteRange(.raw, from: [], to: [0x00]),
            .deleteRange(.raw, from: [0x00], to: [0xFF]),
            .deleteRange(.raw, from: [0x00, 0x00], to: nil),
        ]

    /// Every history of three short writes, once as three batches with a view held before each, and
    /// once as one batch; all in one store, emptied in between.
    package static func checkShortHistories(_ subject: any EngineSubject) throws {
        let writes = shortWrites
        var histories: UInt64 = 0
        for first in writes {
            for second in writes {
                for third in writes {
                    let history = [first, second, third]
                    try checkShortHistory(history, subject.engine)
                    histories += 1
                    if histories % 200 == 0 {
                        try subject.disturb(histories / 200, mayReopen: true)
                    }
                }
            }
        }
    }

    private static func checkShortHistory(
        _ history: [ModelWrite], _ engine: any KeyValueEngine
    ) throws {
        let emptying: [ModelWrite] = [.deleteRange(.raw, from: [], to: nil)]
        var model = Model()
        var held: [(Model, any EngineView)] = []
        try engine.write(emptying.batch, sync: false)
        for write in history {
            held.append((model, engine.view()))
            model.apply([write])
            try engine.write([write].batch, sync: false)
        }
        held.append((model, engine.view()))
        try engine.write((emptying + history).batch, sync: false)
        held.append((model, engine.view()))
        for (index, (expected, view)) in held.enumerated() {
            try Comparison(expected, view, "history \(history), view \(index)")
                .checkWhole(keys: shortKeys)
        }
    }

    /// A random history: batches over two families, views held over later writes, gets, and scans
    /// in both directions with bounds and early stops, with and without leave to go to the disk.
    package static func checkRandomHistory(
        _ subject: any EngineSubject, seed: UInt64, steps: Int
    ) throws {
        var history = RandomHistory(seed: seed)
        for step in 0..<steps {
            do {
                try history.step(subject)
            } catch let mismatch as EngineMismatch {
                throw EngineMismatch("seed \(seed), step \(step): \(mismatch)")
            }
        }
    }

    /// The largest things that the limits allow.
    package static func checkLargeThings(_ subject: any EngineSubject) throws {
        let engine = subject.engine
        let longest = Bytes(repeating: 0xFF, count: Limits.storedKeyBytes)
        var model = Model()
        let large = Bytes((0..<Limits.valueBytes).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        try write(
            [
                .put(.raw, longest, [1]), .put(.raw, Bytes(repeating: 0, count: 4096), []),
                .put(.raw, [0x80], large), .put(.meta, longest, large),
            ], engine, &model)
        try subject.disturb(1, mayReopen: true)
        var many: [ModelWrite] = []
        for index in 0..<Limits.operationsPerBatch {
            many.append(.put(.raw, [0x40, UInt8(index >> 8), UInt8(index & 0xFF)], [7]))
        }
        try write(many, subject.engine, &model)
        let view = subject.engine.view()
        let before = model
        try Comparison(model, view, "large things").checkWhole(keys: [longest, [0x80]])
        try write([.deleteRange(.raw, from: [0x40], to: nil)], subject.engine, &model)
        try Comparison(before, view, "a view held over a deleted range")
            .checkWhole(keys: [longest, [0x80]])
        try Comparison(model, subject.engine.view(), "a range deleted to the end")
            .checkWhole(keys: [longest, [0x80]])
    }

    /// A batch without operations is legal, with sync as well.
    package static func checkEmptyBatch(_ subject: any EngineSubject) throws {
        var model = Model()
        try write([.put(.raw, [1], [2])], subject.engine, &model)
        try subject.engine.write(WriteBatch(), sync: false)
        try subject.engine.write(WriteBatch(), sync: true)
        try subject.disturb(0, mayReopen: true)
        try Comparison(model, subject.engine.view(), "after empty batches").checkWhole(keys: [[1]])
    }

    /// One key behind `count` that were deleted and `count` more: memory alone visits few of them
    /// and passes the rest on, in both directions.
    package static func checkSparseScan(_ subject: any EngineSubject, count: Int) throws {
        let engine = subject.engine
        func key(_ place: UInt8, _ index: Int) -> Bytes {
            [place] + [16, 8, 0].map { UInt8(index >> $0 & 0xFF) }
        }
        func fill(_ place: UInt8) throws {
            for start in stride(from: 0, to: count, by: 10_000) {
                let batch = (start..<min(start + 10_000, count)).map { index in
                    ModelWrite.put(.raw, key(place, index), [1])
                }.batch
                try engine.write(batch, sync: false)
            }
        }
        for place in [1, 2, 4, 5] as [UInt8] { try fill(place) }
        try engine.write([.put(.raw, [3], [7])].batch, sync: false)
        // As long as it is held, no compaction drops what is deleted now.
        let before = engine.view()
        let gone: [ModelWrite] = [
            .deleteRange(.raw, from: [1], to: [2]), .deleteRange(.raw, from: [5], to: nil),
        ]
        try engine.write(gone.batch, sync: false)
        for _ in 0..<2 {
            for reverse in [false, true] {
                let view = engine.view()
                for tier in [ReadTier.cached, .disk] {
                    var visits = 0
                    var found = false
                    let outcome = try view.scan(.raw, .all, reverse: reverse, tier: tier) {
                        key, _ in
                        visits += 1
                        found = key.elementsEqual([3])
                        return found ? .stop : .more
                    }
                    let isRight =
                        switch tier {
                        case .cached:
                            outcome == .notCached && visits <= Limits.entriesVisitedInline
                        case .disk: outcome == .stopped && visits == count + 1 && found
                        }
                    guard isRight else {
                        throw EngineMismatch(
                            "\(tier), reverse: \(reverse): \(outcome) after \(visits) visits")
                    }
                }
            }
            try subject.disturb(1, mayReopen: false)
        }
        withExtendedLifetime(before) {}
    }

    private static func write(
        _ writes: [ModelWrite], _ engine: any KeyValueEngine, _ model: inout Model
    ) throws {
        model.apply(writes)
        try engine.write(writes.batch, sync: true)
    }
}
