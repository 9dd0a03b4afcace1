// When a full store compacts, what, and how long it rests.
import Base
import Storage
import Testing

@Suite struct ReclaimScheduleTests {
    private func at(_ seconds: Double) -> Instant {
        .origin + .milliseconds(Int64(seconds * 1000))
    }

    private func deleting(_ key: UInt8) -> WriteBatch {
        var batch = WriteBatch()
        batch.delete(.raw, Key([key]))
        return batch
    }

    @Test func everythingFirstThenWhatWasDeleted() {
        var schedule = ReclaimSchedule()
        #expect(schedule.start(at: at(1), isFull: false) == nil)
        #expect(schedule.start(at: at(1), isFull: true) == .all)
        #expect(schedule.start(at: at(1), isFull: true) == nil, "one at a time")
        schedule.succeeded(.all, at: at(2), after: .seconds(1))
        #expect(schedule.start(at: at(10), isFull: true) == nil, "nothing was deleted")
        schedule.noteDeletes(of: deleting(3))
        schedule.noteDeletes(of: deleting(7))
        let span = KeyRange(start: Key([3]), end: Key([7, 0]))
        #expect(schedule.start(at: at(10), isFull: true) == span)
        schedule.succeeded(span, at: at(20), after: .seconds(10))
        schedule.noteDeletes(of: deleting(1))
        #expect(schedule.start(at: at(39), isFull: true) == nil, "twice as long as it took")
        #expect(schedule.start(at: at(40), isFull: true) == .all)
    }

    @Test func aRefusalIsReasonEnough() {
        var schedule = ReclaimSchedule()
        schedule.noteRefusal()
        #expect(schedule.start(at: at(1), isFull: false) == .all)
        schedule.succeeded(.all, at: at(1), after: .zero)
        #expect(schedule.start(at: at(100), isFull: false) == nil)
    }

    /// History: (1) everything was compacted, (2) a delete is refused because of what is in memory,
    /// (3) nothing is flushed for half a minute, since nothing was deleted.
    @Test func aRefusalSoonAfterwardsFlushes() throws {
        var schedule = ReclaimSchedule()
        #expect(schedule.start(at: at(1), isFull: true) == .all)
        schedule.succeeded(.all, at: at(1), after: .zero)
        #expect(schedule.start(at: at(3), isFull: true) == nil)
        schedule.noteRefusal()
        let started = schedule.start(at: at(3), isFull: true)
        let nothing = try #require(started)
        #expect(nothing.isEmpty)
        schedule.noteDeletes(of: deleting(3))
        schedule.failed(nothing, at: at(3))
        let span = KeyRange(start: Key([3]), end: Key([3, 0]))
        #expect(schedule.start(at: at(5), isFull: true) == span, "an empty range adds nothing")
    }

    /// History: a flush fails, and what was deleted before it is never compacted.
    @Test func aFailureKeepsWhatWasNoted() {
        var schedule = ReclaimSchedule()
        #expect(schedule.start(at: at(1), isFull: true) == .all)
        schedule.succeeded(.all, at: at(1), after: .zero)
        schedule.noteDeletes(of: deleting(3))
        let span = KeyRange(start: Key([3]), end: Key([3, 0]))
        #expect(schedule.start(at: at(5), isFull: true) == span)
        schedule.noteDeletes(of: deleting(5))
        schedule.failed(span, at: at(5))
        let both = KeyRange(start: Key([3]), end: Key([5, 0]))
        #expect(schedule.start(at: at(6), isFull: false) == both, "it is still wanted")
    }

    @Test func failuresRestLongerEachTimeUpToAMinute() {
        var schedule = ReclaimSchedule()
        var now = 1.0
        var rests: [Double] = []
        for _ in 0..<9 {
            #expect(schedule.start(at: at(now), isFull: true) == .all)
            schedule.failed(.all, at: at(now))
            var rest = 0.5
            while schedule.start(at: at(now + rest), isFull: true) == nil { rest += 0.5 }
            schedule.failed(.all, at: at(now))
            rests.append(rest)
            now += 1_000
        }
        #expect(rests.first == 1 && rests.last == 64)
        #expect(rests == rests.sorted())
    }
}
