// What a plan of compactions rewrites, checked on every small arrangement of tables.
import Base
import Storage
import Testing

@Suite struct CompactionPlanTests {
    private static func table(
        _ number: UInt64, _ level: Int, _ least: UInt8, _ greatest: UInt8
    ) -> TableFile {
        TableFile(
            number: number, level: level, least: Key([least]), greatest: Key([greatest]),
            byteCount: 1 << (number - 1))
    }

    /// Two tables in level 0, two above the last level, three in it: each is its own bit.
    private let tables = [
        table(1, 6, 0, 9), table(2, 6, 10, 19), table(3, 6, 20, 29),
        table(4, 5, 5, 12), table(5, 5, 21, 22),
        table(6, 0, 0, 6), table(7, 0, 3, 15),
    ]

    @Test func eachStepIsOneTableAndWhatItOverlaps() {
        let plan = CompactionPlan(tables, in: .all)
        #expect(plan.levelZero == CompactionStep(key: Key([0]), byteCount: 0b110_1000))
        #expect(
            plan.descent == [
                CompactionStep(key: Key([5]), byteCount: 0b1011),
                CompactionStep(key: Key([21]), byteCount: 0b1_0100),
            ])
        #expect(
            plan.rewriting(upTo: 2) == [
                CompactionStep(key: Key([0]), byteCount: 0b01),
                CompactionStep(key: Key([10]), byteCount: 0b10),
            ], "what is newer was just rewritten")
    }

    /// Every range over those keys: a table is in the plan if and only if the range has one of its
    /// keys.
    @Test func aRangeTakesTheTablesThatItOverlaps() {
        for start in UInt8(0)..<30 {
            for end in start + 1...30 {
                let range = KeyRange(start: Key([start]), end: Key([end]))
                let plan = CompactionPlan(tables, in: range)
                func expected(_ level: Int) -> [Key] {
                    tables.filter { $0.level == level }.filter { table in
                        let keys = (start..<end).map { Key([$0]) }
                        return keys.contains { table.least <= $0 && $0 <= table.greatest }
                    }.map(\.least)
                }
                #expect(plan.descent.map(\.key) == expected(5))
                #expect(plan.rewriting(upTo: 3).map(\.key) == expected(6))
                #expect((plan.levelZero != nil) == !expected(0).isEmpty)
            }
        }
    }

    @Test func nothingHasNoSteps() {
        let plan = CompactionPlan([], in: .all)
        #expect(plan.levelZero == nil && plan.descent.isEmpty && plan.rewriting(upTo: 9).isEmpty)
        let flat = CompactionPlan([tables[5], tables[6]], in: .all)
        #expect(flat.levelZero?.byteCount == 0b110_0000)
        #expect(flat.descent.isEmpty)
    }
}
