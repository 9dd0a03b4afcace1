// What happens at a point: order of the chain, counts, chances, and streams of their own.
import Base
import Failpoints
import Testing

@Suite struct TableTests {
    private func table(_ text: String, seed: UInt64 = 1) throws -> FailpointTable {
        FailpointTable(
            try FailpointSetting.list(text), generator: SeededGenerator(seed: seed))
    }

    @Test func chainsGoOnWhenCountsAreUsedUp() throws {
        var table = try table("log.sync=2*off->1*return(corrupt)->1*print(x)")
        let seen = (0..<6).map { _ in table.reached(.logSync) }
        #expect(seen == [nil, nil, .return(.corrupt), .print("x"), nil, nil])
        #expect(table.perform(.show(.logSync))[0].hits == 2)
        #expect(table.reached(.logTake) == nil)
    }

    @Test func theLastWithoutACountGoesOnForEver() throws {
        var table = try table("log.sync=1*return->panic(again)")
        #expect(table.reached(.logSync) == .return(.ioError))
        for _ in 0..<100 { #expect(table.reached(.logSync) == .panic("again")) }
    }

    @Test func whatIsLeftIsShown() throws {
        var table = try table("log.sync=3*return->off")
        _ = table.reached(.logSync)
        let state = table.perform(.show(.logSync))
        #expect(state.map { "\($0.program?.description ?? "-")" } == ["2*return(io_error)->off"])
    }

    @Test(arguments: [1, 2, 3]) func chancesAreWhatTheySay(seed: UInt64) throws {
        var table = try table("log.sync=25%return", seed: seed)
        let count = (0..<40_000).count { _ in table.reached(.logSync) != nil }
        // Ten times the standard deviation of the binomial distribution, 87.
        #expect((9_130...10_870).contains(count), "seed \(seed): \(count)")
    }

    @Test func aCountIsNotUsedUpByAChanceThatDidNotCome() throws {
        var table = try table("log.sync=1%5*return")
        let count = (0..<5_000).count { _ in table.reached(.logSync) != nil }
        #expect(count == 5)
    }

    @Test func pointsDoNotDrawFromEachOther() throws {
        var alone = try table("log.sync=50%return")
        var beside = try table("log.sync=50%return;log.take=50%print")
        for _ in 0..<200 {
            _ = beside.reached(.logTake)
            #expect(alone.reached(.logSync) == beside.reached(.logSync))
        }
    }

    @Test func theSameSeedIsTheSameRun() throws {
        var one = try table("log.sync=50%return", seed: 9)
        var two = try table("log.sync=50%return", seed: 9)
        for _ in 0..<200 { #expect(one.reached(.logSync) == two.reached(.logSync)) }
    }

    @Test func commandsChangeWhatTheyName() throws {
        var table = try table("log.sync=return;http.answer=return")
        let bits = { (points: Failpoint...) in
            points.reduce(UInt128(0)) { $0 | 1 << UInt128($1.rawValue) }
        }
        #expect(table.mask == bits(.logSync, .httpAnswer))
        #expect(table.perform(.list).count == Failpoint.allCases.count)
        let program = try FailpointProgram("off", for: .logTake)
        let set = table.perform(.set(FailpointSetting(point: .logTake, program: program)))
        #expect(set.map(\.point) == [.logTake] && set[0].program == program)
        #expect(table.mask == bits(.logSync, .httpAnswer, .logTake))
        #expect(table.perform(.clear(.logSync))[0].program == nil)
        #expect(table.mask == bits(.httpAnswer, .logTake))
        #expect(table.perform(.clearAll).allSatisfy { $0.program == nil })
        #expect(table.mask == 0)
    }
}
