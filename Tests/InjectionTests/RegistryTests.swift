// Threads at a point: who waits, who goes on, and that nothing is shared between two registries.
import Base
import Dispatch
import Failpoints
import Foundation
import Injection
import Synchronization
import Testing

@Suite struct RegistryTests {
    private func registry(
        _ text: String, tell: @escaping @Sendable (FailpointRegistry.Report) -> Void = { _ in }
    ) throws -> FailpointRegistry {
        FailpointRegistry(
            try FailpointSetting.list(text), generator: SeededGenerator(seed: 1), tell: tell)
    }

    private func set(_ text: String) throws -> FailpointCommand {
        .set(try #require(try FailpointSetting.list(text).first))
    }

    @Test func nothingHappensWhereNothingIsSet() throws {
        let none = FailpointRegistry()
        for point in Failpoint.allCases { #expect(none.reached(point) == nil) }
        let other = try registry("log.sync=return")
        #expect(other.reached(.logSync) == .ioError)
        #expect(other.setCount == 1 && none.setCount == 0)
        #expect(none.reached(.logSync) == nil, "registries share nothing")
    }

    @Test func commandsTakeEffect() throws {
        let registry = FailpointRegistry()
        _ = registry.perform(try set("log.sync=1*return(corrupt)"))
        #expect(registry.reached(.logSync) == .corrupt)
        #expect(registry.reached(.logSync) == nil)
        #expect(registry.perform(.clearAll).first { $0.point == .logSync }?.hits == 1)
        #expect(registry.setCount == 0)
    }

    @Test func offAndYieldLetPass() throws {
        let registry = try registry("log.sync=1*off->yield")
        for _ in 0..<3 { #expect(registry.reached(.logSync) == nil) }
        #expect(registry.perform(.show(.logSync))[0].hits == 2)
    }

    @Test func everyPointIsSetByItself() throws {
        for point in Failpoint.allCases {
            let registry = try registry("\(point.name)=print")
            #expect(Failpoint.allCases.filter(registry.isSet) == [point])
        }
    }

    @Test func printIsTold() throws {
        let told = Mutex<[String]>([])
        let registry = try registry("log.sync=print(here)") { report in
            told.withLock { $0.append("\(report.point.name) \(report.action)") }
        }
        #expect(registry.reached(.logSync) == nil)
        #expect(told.withLock { $0 } == ["log.sync print(here)"])
    }

    @Test(arguments: ["sleep(30)", "delay(30)"]) func waitingTakesItsTime(action: String) throws {
        let registry = try registry("log.sync=\(action)")
        let start = ContinuousClock.now
        registry.reached(.logSync)
        #expect(ContinuousClock.now - start >= .milliseconds(30))
    }

    /// Three ways out of a pause, each for two threads at once.
    @Test(arguments: ["clear", "clear all", "set anew"]) func aPauseEnds(way: String) throws {
        let registry = try registry("log.sync=pause;log.take=pause")
        let passed = Atomic<Int>(0)
        let group = DispatchGroup()
        for _ in 0..<2 {
            group.enter()
            Thread.detachNewThread {
                registry.reached(.logSync)
                passed.add(1, ordering: .relaxed)
                group.leave()
            }
        }
        while registry.perform(.show(.logSync))[0].hits < 2 { usleep(1000) }
        // Neither looking nor another point lets them go.
        _ = registry.perform(.list)
        _ = registry.perform(.clear(.logTake))
        #expect(passed.load(ordering: .relaxed) == 0)
        switch way {
        case "clear": _ = registry.perform(.clear(.logSync))
        case "clear all": _ = registry.perform(.clearAll)
        default: _ = registry.perform(try set("log.sync=off"))
        }
        #expect(group.wait(timeout: .now() + 20) == .success)
    }

    @Test func thoseWhoMustNotWaitAreWaitedFor() async throws {
        let registry = try registry("drain.begin=pause;start.listen=return")
        async let drained = registry.reachedAside(.drainBegin)
        while registry.perform(.show(.drainBegin))[0].hits < 1 { await Task.yield() }
        _ = registry.perform(.clear(.drainBegin))
        #expect(await drained == nil)
        #expect(await registry.reachedAside(.startListen) == .addressInUse)
        #expect(await registry.reachedAside(.drainClose) == nil)
    }

    @Test func panicEndsTheProcess() async {
        await #expect(processExitsWith: .failure) {
            let settings = try FailpointSetting.list("log.sync=panic(over)")
            FailpointRegistry(settings, generator: SeededGenerator(seed: 1)) { _ in }
                .reached(.logSync)
        }
    }
}
