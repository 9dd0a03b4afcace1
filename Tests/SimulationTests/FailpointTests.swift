// Failpoints of simulated nodes: each kind of action at each of the points, and nothing breaks that
// was promised.
import Base
import Failpoints
import Simulation
import Testing

@Suite struct FailpointTests {
    private func run(_ seed: UInt64, _ text: String) throws -> Report {
        var options = WorldOptions(seed: seed)
        var shape = Shape()
        shape.duration = .milliseconds(300)
        shape.clients = 3
        shape.thinkMicroseconds = 5_000
        shape.cores = 2
        shape.coldOfTen = 5
        options.shape = shape
        options.failpoints = try FailpointSetting.list(text)
        return Report.run(options)
    }

    @Test(arguments: World.failpoints) func everyActionAtEveryPoint(point: Failpoint) throws {
        var actions = ["sleep(20)", "panic"]
        if point.ground == .thread { actions.append("pause") }
        // A disk is looked at a few times in a world, and all else happens hundreds of times.
        let percent = point.name.hasPrefix("disk.") ? 50 : 5
        actions += point.faults.map { "return(\($0.rawValue))" }
        for action in actions {
            let text = "\(point.name)=\(percent)%\(action)"
            let report = try run(1, text)
            #expect(report.isGood, "\(report.text(replay: text))")
            #expect(report.failpointHits[point] ?? 0 > 0, "\(text)")
        }
    }

    @Test func offPrintAndYieldLetEverythingPass() throws {
        let free = try run(2, "")
        for action in ["off", "print", "yield"] {
            let text = World.failpoints.map { "\($0.name)=\(action)" }
            let report = try run(2, text.joined(separator: ";"))
            #expect(report.isGood && report.calls == free.calls && report.syncs == free.syncs)
            #expect(report.failpointHits.isEmpty == (action == "off"))
        }
    }

    @Test func nothingIsServedWhileEveryRequestIsRefused() throws {
        let report = try run(1, "gateway.admit=return(no_leader)")
        #expect(report.isGood && report.failpointHits[.gatewayAdmit] ?? 0 > 0)
        let free = try run(1, "")
        // The last look at the world, when faults are over, writes each key once.
        #expect(report.acknowledgedWrites < free.acknowledgedWrites)
        #expect(free.failpointHits.isEmpty)
    }

    @Test func shapesDrawThem() {
        let shapes = (UInt64(1)...60).map { seed in
            var generator = SeededGenerator(seed: seed)
            return Shape.drawn(from: &generator, duration: .seconds(1))
        }
        let points = Set(shapes.flatMap { $0.failpoints.map(\.point) })
        #expect(points == Set(World.failpoints))
        #expect(shapes.contains { $0.failpoints.isEmpty })
    }
}
