// What waits for a snapshot to be in place, and what does not.
import Raft
import Regions
import Testing

@Suite struct InstallOrderTests {
    private func identity(_ index: LogIndex) -> SnapshotIdentity {
        SnapshotIdentity(position: LogPosition(index: index, term: 1), membership: Membership())
    }

    /// Writes are numbers; one that takes a snapshot has it at its own index.
    private struct Host {
        var order = InstallOrder<LogIndex>()
        var taking: Set<LogIndex>
        var log: [LogIndex] = []
        var installing: LogIndex?
        var begun: [LogIndex] = []
        let identity: (LogIndex) -> SnapshotIdentity

        mutating func submit(_ items: [LogIndex]) {
            let (log, install) = order.sort(items) { taking.contains($0) ? identity($0) : nil }
            self.log += log
            guard let install else { return }
            installing = install.item
            begun.append(install.item)
        }

        mutating func finish() {
            guard let item = installing else { return }
            installing = nil
            submit([item] + order.finish(identity(item)))
        }
    }

    /// Every set of snapshots among six writes, handed over in every way, with the end of an
    /// installation after each step or late.
    @Test func theLogKeepsItsOrder() {
        for mask in 0..<64 as Range<UInt64> {
            for cuts in 0..<32 {
                for eager in [true, false] {
                    let all = 1...6 as ClosedRange<LogIndex>
                    let taking = Set(all.filter { mask >> ($0 - 1) & 1 == 1 })
                    var host = Host(taking: taking, identity: identity)
                    var run: [LogIndex] = []
                    for number in all {
                        run.append(number)
                        guard number == 6 || cuts >> Int(number - 1) & 1 == 1 else { continue }
                        host.submit(run)
                        run = []
                        if eager { host.finish() }
                        if let item = host.installing {
                            #expect(host.log.allSatisfy { $0 < item }, "\(mask) \(cuts)")
                        }
                    }
                    for _ in 0..<6 { host.finish() }
                    #expect(host.log == [1, 2, 3, 4, 5, 6], "\(mask) \(cuts)")
                    #expect(host.begun == taking.sorted())
                    #expect(host.order.isIdle)
                }
            }
        }
    }

    @Test func whatIsInPlaceIsNotPutThereAgain() {
        var host = Host(taking: [1], identity: identity)
        host.submit([1])
        host.finish()
        host.submit([1, 2])
        #expect(host.log == [1, 1, 2])
        #expect(host.begun == [1])
    }
}
