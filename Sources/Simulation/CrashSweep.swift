/// A fixed workload, cut off at every sync there is: before it, during it, and after it.
///
/// Exhaustive where the random worlds are lucky: the k-th sync for every k, each with its batch
/// lost, kept whole, kept in part as a log's tail is, and kept without anyone being told.
internal import Base
internal import Regions

package struct CrashSweep: Sendable {
    package struct Result: Sendable {
        /// Syncs of the workload when nothing crashes.
        package var syncs = 0
        package var worlds = 0
        /// Writes that were acknowledged, in all worlds together.
        package var acknowledgedWrites = 0
        /// The worlds that violate a property, or did not crash when they should have.
        package var bad: [Report] = []
        package var traceHash: UInt64 = 0

        fileprivate mutating func add(_ report: Report, crashes: Int) {
            worlds += 1
            acknowledgedWrites += report.acknowledgedWrites
            traceHash = Totals.chain(worlds == 1 ? nil : traceHash, report.traceHash)
            if !report.isGood || report.crashes != crashes { bad.append(report) }
        }
    }

    /// Runs every world.
    package static func run(seed: UInt64, bug: KnownBug? = nil) -> Result {
        var result = Result()
        var options = WorldOptions(seed: seed)
        options.shape = shape
        options.script = script
        bug?.switchOn(in: &options)
        let whole = Report.run(options)
        result.syncs = whole.syncs
        result.add(whole, crashes: 0)
        for sync in 1...max(1, whole.syncs) {
            for moment in CrashPoint.Moment.allCases {
                options.crashPoint = CrashPoint(sync: sync, moment: moment)
                result.add(Report.run(options), crashes: 1)
            }
        }
        return result
    }

    private static var shape: Shape {
        var shape = Shape()
        shape.cores = 2
        shape.keys = SimKeys.all.count
        shape.coldOfTen = 3
        shape.thinkMicroseconds = 300
        shape.duration = .milliseconds(1)
        return shape
    }

    /// Four clients that write what the others write, with every kind of write there is.
    private static var script: [[ScriptStep]] {
        let keys = SimKeys.all
        var number = 0
        func put(_ key: Key, _ condition: RawCondition = .none) -> RawCommand {
            number += 1
            return .put(
                RawPut(key: key, value: Bytes("s\(number)".utf8), condition: condition))
        }
        func swap(_ key: Key, _ expected: String?) -> RawCommand {
            number += 1
            return .compareAndSwap(
                RawCompareAndSwap(
                    key: key, expected: expected.map { Bytes($0.utf8) },
                    replacement: .put(Bytes("s\(number)".utf8), timeToLive: nil)))
        }
        func deleteAll(from start: Key, to end: Key?) -> RawCommand {
            .deleteRange(KeyRange(start: start, end: end), dryRun: false)
        }
        var first = keys.map { ScriptStep(put($0)) }
        first.append(ScriptStep(deleteAll(from: .least, to: nil)))
        first.append(ScriptStep(commands: keys.map { put($0) }))
        first.append(ScriptStep(deleteAll(from: keys[3], to: keys[6])))
        var second = keys.prefix(6).map { key in
            ScriptStep(put(key, .absent), .get(key), put(key, .present))
        }
        second.append(ScriptStep(.scan(RawScan(range: .all, limit: 3))))
        var third = keys.prefix(6).reversed().map { ScriptStep(swap($0, nil), swap($0, "s1")) }
        third.append(ScriptStep(.count(.all)))
        let fourth = keys.prefix(6).map { key in
            ScriptStep(.delete(RawDelete(key: key, condition: .present)), put(key))
        }
        return [first, second, third, fourth]
    }
}
