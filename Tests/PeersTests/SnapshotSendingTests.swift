// How a snapshot is sent: chunk by chunk, no faster than the limit, again after a loss, and not for
// ever.
import Base
import Peers
import Testing

@Suite struct SnapshotSendingTests {
    struct Host {
        var sending: SnapshotSending
        var now = Instant(nanoseconds: 1_000_000_000)

        init() { sending = SnapshotSending(origin: 7, at: now) }

        mutating func step(_ event: SnapshotSending.Event) -> [SnapshotSending.Effect] {
            var effects: [SnapshotSending.Effect] = []
            sending.step(event, at: now, into: &effects)
            return effects
        }

        /// Lets the next deadline come.
        mutating func wait() -> [SnapshotSending.Effect] {
            guard let next = sending.nextDeadline else { return [] }
            now = max(now, next)
            return step(.deadlineReached)
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
        #expect(host.step(.read(byteCount: 100)) == [.send])
        #expect(host.answer(1) == [.read(1)])
        #expect(host.wait() == [], "it is being read")
        #expect(host.step(.read(byteCount: 100)) == [])
        #expect(host.wait() == [.send], "the limit holds it back")
        #expect(host.answer(2, isComplete: true) == [.close, .ended(isThere: true)])
        #expect(host.sending.isOver)
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
            if host.step(.read(byteCount: chunk)) != [.send] { #expect(host.wait() == [.send]) }
            #expect(host.answer(number + 1) == [.read(number + 1)])
        }
        let took = host.now.since(began).wholeNanoseconds
        #expect(took == UInt64(255 * chunk) * 1_000_000_000 / Limits.snapshotBytesPerSecond)
    }

    @Test func goesOnWhereItIsTold() {
        var host = Host()
        _ = host.wait()
        _ = host.step(.welcomed)
        _ = host.step(.read(byteCount: 1))
        #expect(host.step(.lost) == [])
        #expect(host.wait() == [.open])
        #expect(host.step(.welcomed) == [.read(0)])
        #expect(host.step(.read(byteCount: 1)) == [.send])
        #expect(host.answer(6) == [.read(6)], "the first five are there")
    }

    @Test(arguments: ["unanswered", "unwelcome", "unopened"]) func givesUp(how: String) {
        var host = Host()
        var effects: [SnapshotSending.Effect] = []
        var opened = 0
        while !host.sending.isOver, opened < 100 {
            effects = host.wait()
            guard effects == [.open] else { continue }
            opened += 1
            switch how {
            case "unopened": effects = host.step(.lost)
            case "unwelcome": break
            default:
                _ = host.step(.welcomed)
                _ = host.step(.read(byteCount: 1))
            }
        }
        #expect(opened == Limits.snapshotLosses)
        #expect(effects.last == .ended(isThere: false))
    }

    @Test func anAnswerToAnotherTransferIsNone() {
        var host = Host()
        _ = host.wait()
        _ = host.step(.welcomed)
        _ = host.step(.read(byteCount: 1))
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
