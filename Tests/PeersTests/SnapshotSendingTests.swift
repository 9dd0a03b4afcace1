// How a snapshot is sent: chunk by chunk, no faster than the limit, again after a loss, and not for
// ever.
import Base
import Peers
import Testing

@Suite struct SnapshotSendingTests {
    struct Host {
        var sending: SnapshotSending
        var now = Instant(nanoseconds: 1_000_000_000)
        private var wanted: UInt64 = 0
        private var pace = SnapshotPace()

        init() { sending = SnapshotSending(origin: 7, at: now) }

        mutating func step(_ event: SnapshotSending.Event) -> [SnapshotSending.Effect] {
            var effects: [SnapshotSending.Effect] = []
            sending.step(event, at: now, into: &effects)
            for case .read(let number) in effects { wanted = number }
            return effects
        }

        /// The chunk that was asked for last.
        mutating func read(_ byteCount: Int) -> [SnapshotSending.Effect] {
            step(.read(wanted, goesAt: pace.take(byteCount, at: now)))
        }

        /// Lets the next deadline come.
        mutating func wait() -> [SnapshotSending.Effect] {
            guard let next = sending.nextDeadline else { return [] }
            now = max(now, next)
            return step(.deadlineReached)
        }

        /// What was read goes, now or when the limit lets it.
        mutating func send() {
            if read(1) != [.send] { #expect(wait() == [.send]) }
        }

        mutating func answer(
            _ wanted: UInt64, isComplete: Bool = false
        ) -> [SnapshotSending.Effect] {
            step(.answered(SnapshotAnswer(origin: 7, wanted: wanted, isComplete: isComplete)))
        }
    }

    @Test func oneChunkAfterTheOther() {
        var host = Host()
        #expect(host.wait() == [.open])
        #expect(host.step(.welcomed) == [.read(0)])
        #expect(host.read(100) == [.send])
        #expect(host.answer(1) == [.read(1)])
        #expect(host.wait() == [], "it is being read")
        #expect(host.read(100) == [])
        #expect(host.wait() == [.send], "the limit holds it back")
        #expect(host.answer(2, isComplete: true) == [.close, .ended(isThere: true)])
        #expect(host.sending.nextDeadline == nil)
        #expect(host.step(.lost) == [])
    }

    @Test func noFasterThanTheLimit() {
        var host = Host()
        _ = host.wait()
        _ = host.step(.welcomed)
        let began = host.now
        let chunk = 1 << 20
        for number in 0..<256 as Range<UInt64> {
            if host.read(chunk) != [.send] { #expect(host.wait() == [.send]) }
            #expect(host.answer(number + 1) == [.read(number + 1)])
        }
        let took = host.now.since(began).wholeNanoseconds
        #expect(took == UInt64(255 * chunk) * 1_000_000_000 / Limits.snapshotBytesPerSecond)
    }

    // The limit is the store's and not one transfer's.
    @Test func allTogetherNoFasterThanTheLimit() {
        var pace = SnapshotPace()
        let (began, chunk) = (Instant(nanoseconds: 1_000), 1 << 20)
        let times = (0..<10).map { _ in pace.take(chunk, at: began) }
        let each = UInt64(chunk) * 1_000_000_000 / Limits.snapshotBytesPerSecond
        #expect(times == (0..<10).map { began + .nanoseconds(Int64($0 * each)) })
        let late = began + .seconds(60)
        #expect(pace.take(chunk, at: late) == late, "a pause is not made up for")
    }

    @Test func goesOnWhereItIsTold() {
        var host = Host()
        _ = host.wait()
        _ = host.step(.welcomed)
        for number in 1...6 as ClosedRange<UInt64> {
            host.send()
            if number < 6 { #expect(host.answer(number) == [.read(number)]) }
        }
        #expect(host.step(.lost) == [])
        #expect(host.wait() == [.open])
        #expect(host.step(.welcomed) == [.read(0)])
        host.send()
        #expect(host.answer(5) == [.read(5)], "the first five are there")
        host.send()
        #expect(host.answer(6) == [.read(6)])
    }

    // History: two leaders sent a snapshot to one store, which began anew with each chunk of the
    // other; each was answered, so that neither gave up.
    @Test func answersThatGoBackAreLosses() {
        var host = Host()
        _ = host.wait()
        _ = host.step(.welcomed)
        host.send()
        #expect(host.answer(1) == [.read(1)])
        for _ in 1..<Limits.snapshotLosses {
            host.send()
            #expect(host.answer(0) == [.read(0)], "it may try again")
            host.send()
            guard host.answer(1) == [.read(1)] else { break }
        }
        host.send()
        #expect(host.answer(0) == [.close, .ended(isThere: false)])
        #expect(host.sending.nextDeadline == nil)
    }

    // History: a read that took longer than a loss and the pause after it.
    @Test func aChunkOfBeforeTheLossIsNotSent() {
        var host = Host()
        _ = host.wait()
        _ = host.step(.welcomed)
        host.send()
        #expect(host.answer(1) == [.read(1)])
        #expect(host.step(.lost) == [])
        #expect(host.wait() == [.open])
        #expect(host.step(.welcomed) == [.read(0)])
        #expect(host.step(.read(1, goesAt: .origin)) == [])
        host.send()
        #expect(host.answer(1) == [.read(1)])
    }

    // What goes further than ever before is worth going on for, however often it broke.
    @Test func progressForgivesLosses() {
        var host = Host()
        _ = host.wait()
        _ = host.step(.welcomed)
        for number in 0..<20 as Range<UInt64> {
            host.send()
            #expect(host.answer(number + 1) == [.read(number + 1)])
            for _ in 1..<Limits.snapshotLosses {
                #expect(host.step(.lost) == [])
                #expect(host.wait() == [.open])
                #expect(host.step(.welcomed) == [.read(0)])
            }
            host.send()
            #expect(host.answer(number + 1) == [.read(number + 1)])
        }
    }

    // A source makes its chunks in order, and ends the process if asked for one behind the next.
    @Test func noAnswerLeadsBehindWhatWasSent() {
        for wanted in [2, 3, UInt64.max] {
            var host = Host()
            _ = host.wait()
            _ = host.step(.welcomed)
            host.send()
            #expect(host.answer(wanted) == [.close], "\(wanted)")
            #expect(host.wait() == [.open])
        }
    }

    // One that is replaced must not come back: what it would send and close is its successor's.
    @Test func nothingComesOfWhatWasStopped() {
        for steps in 0..<6 {
            var host = Host()
            let way: [(inout Host) -> Void] = [
                { _ = $0.wait() }, { _ = $0.step(.welcomed) },
                { _ = $0.read(1 << 20) }, { _ = $0.answer(1) },
                { _ = $0.read(1) },
            ]
            for step in way.prefix(steps) { step(&host) }
            #expect(host.step(.stopped) == (steps == 0 ? [] : [.close]), "after \(steps)")
            let events: [SnapshotSending.Event] = [
                .welcomed, .read(1, goesAt: .origin), .lost, .stopped, .deadlineReached,
            ]
            host.now = host.now + Limits.snapshotPatience
            for event in events { #expect(host.step(event) == []) }
            #expect(host.answer(1) == [])
            #expect(host.sending.nextDeadline == nil)
        }
    }

    @Test(arguments: ["unanswered", "unwelcome", "unopened"]) func givesUp(how: String) {
        var host = Host()
        var effects: [SnapshotSending.Effect] = []
        var opened = 0
        while host.sending.nextDeadline != nil, opened < 100 {
            effects = host.wait()
            guard effects == [.open] else { continue }
            opened += 1
            switch how {
            case "unopened": effects = host.step(.lost)
            case "unwelcome": break
            default:
                _ = host.step(.welcomed)
                _ = host.read(1)
            }
        }
        #expect(opened == Limits.snapshotLosses)
        #expect(effects.last == .ended(isThere: false))
    }

    @Test func anAnswerToAnotherTransferIsNone() {
        var host = Host()
        _ = host.wait()
        _ = host.step(.welcomed)
        _ = host.read(1)
        #expect(
            host.step(.answered(SnapshotAnswer(origin: 8, wanted: 1, isComplete: true))) == [])
    }

    @Test func golden() throws {
        let answer = SnapshotAnswer(origin: 0x0102, wanted: 300, isComplete: true)
        #expect(
            answer.encoded == [8, 1, 0x11, 2, 1, 0, 0, 0, 0, 0, 0, 0x18, 0xAC, 2, 0x20, 1])
        #expect(try SnapshotAnswer(decoding: answer.encoded) == answer)
        #expect(throws: DecodeError.self) { try SnapshotAnswer(decoding: [8, 2]) }
    }
}
