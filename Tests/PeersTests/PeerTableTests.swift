// Who may open a stream, and which streams count.
import Base
import Peers
import Regions
import Testing

@Suite struct PeerTableTests {
    static let own = PeerIdentity(cluster: "c", store: StoreID(1), incarnation: 100)

    static func hello(
        _ lane: PeerLane = .urgent, incarnation: UInt64 = 7,
        _ change: (inout PeerHello) -> Void = { _ in }
    ) -> PeerHello {
        var hello = Samples.hello
        hello.lane = lane
        hello.incarnation = incarnation
        change(&hello)
        return hello
    }

    static func name(_ number: UInt64) -> PeerTable.StreamID { PeerTable.StreamID(number) }

    @Test func strangersAreRefused() {
        let cases: [(PeerFault, (inout PeerHello) -> Void)] = [
            (.version(own: 1, theirs: 2), { $0.version = 2 }),
            (.wrongCluster(own: "c", theirs: "d"), { $0.cluster = "d" }),
            (.itself(StoreID(1)), { ($0.store, $0.incarnation) = (StoreID(1), 100) }),
            (.duplicate(StoreID(1)), { $0.store = StoreID(1) }),
            (.wrongStore(own: StoreID(1), meant: StoreID(3)), { $0.addressee = StoreID(3) }),
        ]
        for (fault, change) in cases {
            var table = PeerTable(own: Self.own)
            let verdict = table.open(Self.name(1), on: 1, Self.hello(.urgent, change), at: .origin)
            #expect(verdict == .refused(fault))
            #expect(table.streamCount == 0)
            #expect(PeerFault.labels.contains(fault.label))
            #expect(fault.sentence.hasSuffix("."))
        }
    }

    // It may have been any of them, and knows nothing of what came after.
    @Test func whoWasLeftBehindIsToldSo() {
        let own = PeerIdentity(
            cluster: "new", store: StoreID(1), incarnation: 100, former: ["oldest", "old"])
        for former in own.former {
            var table = PeerTable(own: own)
            let verdict = table.open(
                Self.name(1), on: 1, Self.hello(.urgent) { $0.cluster = former }, at: .origin)
            let fault = PeerFault.leftBehind(StoreID(2), own: "new", theirs: former)
            #expect(verdict == .refused(fault))
            #expect(fault.sentence.contains("--join"), "it says what to do")
            #expect(PeerFault.labels.contains(fault.label))
        }
    }

    // For as long as it is held back, and nobody else with it.
    @Test func whoseClockDiffersIsRefusedForAWhile() {
        var table = PeerTable(own: Self.own)
        let found = Instant.origin + .seconds(100)
        let fault = PeerFault.clocks(own: .seconds(60), theirs: .seconds(90))
        table.holdBack(StoreID(2), for: fault, at: found)
        for (later, isRefused) in [
            (Duration.zero, true), (Limits.peerClockHold - .nanoseconds(1), true),
            (Limits.peerClockHold, false),
        ] {
            var table = table
            let verdict = table.open(
                Self.name(1), on: 1, Self.hello(.urgent), at: found + later)
            #expect(verdict == (isRefused ? .refused(fault) : .welcome(ending: [])))
            let other = table.open(
                Self.name(2), on: 2, Self.hello(.urgent) { $0.store = StoreID(3) }, at: found)
            #expect(other == .welcome(ending: []))
        }
        table.holdBack(StoreID(3), for: .silent, at: found)
        let silent = table.open(
            Self.name(3), on: 3, Self.hello(.urgent) { $0.store = StoreID(3) }, at: found)
        #expect(silent == .welcome(ending: []), "only a clock is held against it")
    }

    // History: a store that was removed and started again was welcome, and waited for ever.
    @Test func whoWasRemovedIsToldSo() {
        var table = PeerTable(own: Self.own)
        let verdict = table.open(
            Self.name(1), on: 1, Self.hello(.urgent), isRemoved: true, at: .origin)
        let fault = PeerFault.removed(StoreID(2))
        #expect(verdict == .refused(fault))
        #expect(fault.sentence.contains("--join"), "it says what to do")
        #expect(PeerFault.labels.contains(fault.label))
        #expect(table.called.isEmpty && table.streamCount == 0)
        let other = table.open(Self.name(2), on: 1, Self.hello(.urgent), at: .origin)
        #expect(other == .welcome(ending: []))
        #expect(table.called == [StoreID(2)])
    }

    @Test func bothLanesOfAConnection() {
        var table = PeerTable(own: Self.own)
        for (number, lane) in [(1, PeerLane.urgent), (2, .bulk)] as [(UInt64, PeerLane)] {
            let verdict = table.open(Self.name(number), on: 5, Self.hello(lane), at: .origin)
            #expect(verdict == .welcome(ending: []))
        }
        #expect(table.stream(of: 5, .urgent) == Self.name(1))
        #expect(table.stream(of: 5, .bulk) == Self.name(2))
        #expect(table.close(Self.name(2)) == StoreID(2))
        #expect(table.close(Self.name(2)) == nil)
        #expect(table.stream(of: 5, .bulk) == nil)
    }

    @Test func aNewConnectionEndsTheOldOne() {
        var table = PeerTable(own: Self.own)
        _ = table.open(Self.name(1), on: 5, Self.hello(.urgent), at: .origin)
        _ = table.open(Self.name(2), on: 5, Self.hello(.bulk), at: .origin)
        let verdict = table.open(
            Self.name(3), on: 6, Self.hello(.urgent, incarnation: 8), at: .origin)
        #expect(verdict == .welcome(ending: [Self.name(1), Self.name(2)]))
        #expect(table.stream(of: 5, .urgent) == nil, "no answer goes to an earlier life")
        #expect(table.close(Self.name(1)) == nil, "it is not the store that is lost")
    }

    // Two processes with copies of one directory take turns; one alone only restarts.
    @Test func aProcessThatWasReplacedDoesNotComeBack() {
        var table = PeerTable(own: Self.own)
        _ = table.open(Self.name(1), on: 1, Self.hello(incarnation: 7), at: .origin)
        _ = table.open(Self.name(2), on: 2, Self.hello(incarnation: 8), at: .origin)
        let verdict = table.open(Self.name(3), on: 3, Self.hello(incarnation: 7), at: .origin)
        #expect(verdict == .refused(.duplicate(StoreID(2))))
        #expect(
            table.open(Self.name(4), on: 4, Self.hello(incarnation: 8), at: .origin)
                == .welcome(ending: [Self.name(2)]))
    }
}
