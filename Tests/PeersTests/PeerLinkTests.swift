// The life of a connection to another store, on a clock of the test's own.
import Base
import Peers
import Testing

@Suite struct PeerLinkTests {
    struct Host {
        var link: PeerLink
        var now = Instant(nanoseconds: 1_000_000_000)

        init(seed: UInt64 = 1) { link = PeerLink(generator: SeededGenerator(seed: seed)) }

        mutating func step(_ event: PeerLink.Event) -> [PeerLink.Effect] {
            var effects: [PeerLink.Effect] = []
            link.step(event, at: now, into: &effects)
            return effects
        }

        /// Lets the next deadline come.
        mutating func wait() -> [PeerLink.Effect] {
            guard let next = link.nextDeadline else { return [] }
            now = max(now, next)
            return step(.deadlineReached)
        }

        mutating func open() {
            _ = step(.wanted)
            _ = step(.connected)
            _ = step(.welcomed(.urgent))
            _ = step(.welcomed(.bulk))
        }
    }

    @Test func opensWhenBothLanesAreTaken() {
        var host = Host()
        #expect(host.link.nextDeadline == nil)
        #expect(host.step(.wanted) == [.connect])
        #expect(host.step(.wanted) == [])
        #expect(host.step(.connected) == [.greet])
        #expect(host.step(.welcomed(.bulk)) == [])
        #expect(host.step(.welcomed(.bulk)) == [])
        #expect(!host.link.isOpen)
        #expect(host.step(.welcomed(.urgent)) == [.opened])
        #expect(host.link.isOpen)
    }

    @Test func pingsAndGivesUpOnSilence() {
        var host = Host()
        host.open()
        let opened = host.now
        var pings = 0
        while host.link.isOpen {
            let effects = host.wait()
            if effects == [.ping] { pings += 1 } else { #expect(effects == [.close, .broke]) }
        }
        #expect(host.now == opened + Limits.peerSilence)
        #expect(pings >= 3)
    }

    // (1) a store ends and is called in vain for a while, (2) it starts again and calls: whoever
    // rests until its next attempt would leave it without answers for seconds.
    @Test func whoCallsIsCalledAtOnce() {
        var host = Host()
        for _ in 0..<12 {
            _ = host.step(.wanted)
            _ = host.step(.lost)
            _ = host.wait()
        }
        _ = host.step(.wanted)
        _ = host.step(.lost)
        guard case .resting = host.link.state else {
            Issue.record("it rests: \(host.link.state)")
            return
        }
        #expect(host.step(.called) == [.connect])
        #expect(host.step(.called) == [], "it is under way")
        #expect(host.step(.connected) == [.greet])
    }

    @Test func anAnswerKeepsItOpen() {
        var host = Host()
        host.open()
        for _ in 0..<100 {
            #expect(host.wait() == [.ping])
            #expect(host.step(.heard) == [])
        }
        #expect(host.link.isOpen)
    }

    @Test func aGreetingHasItsTime() {
        var host = Host()
        _ = host.step(.wanted)
        _ = host.step(.connected)
        let began = host.now
        #expect(host.wait() == [.close])
        #expect(host.now == began + Limits.peerGreetingTimeout)
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>) func pausesGrowToTheirBound(seed: UInt64) {
        var host = Host(seed: seed)
        var pauses: [Duration] = []
        _ = host.step(.wanted)
        for _ in 0..<20 {
            #expect(host.step(.lost) == [])
            let began = host.now
            _ = host.step(.wanted)
            #expect(host.wait() == [.connect])
            pauses.append(host.now.since(began))
        }
        for (index, pause) in pauses.enumerated() {
            let whole = min(Limits.peerPauseMax, Limits.peerPause * (1 << min(index, 10)))
            #expect(pause >= whole / 2 && pause <= whole, "seed \(seed), failure \(index)")
        }
    }

    @Test func whatNobodyWantsStaysClosed() {
        var host = Host()
        _ = host.step(.wanted)
        _ = host.step(.lost)
        #expect(host.wait() == [])
        #expect(host.link.state == .idle)
        #expect(host.step(.wanted) == [.connect])
    }

    @Test func onlyWhatWasOpenBreaksAndIsTriedAgain() {
        var host = Host()
        host.open()
        #expect(host.step(.lost) == [.broke])
        #expect(host.step(.lost) == [])
        #expect(host.wait() == [.connect])
        #expect(host.step(.refused) == [.close])
        guard case .resting(let until) = host.link.state else {
            Issue.record("a refused link rests")
            return
        }
        #expect(until >= host.now + Limits.peerPauseMax / 2)
    }
}
