/// When requests are due in an open loop: at even distances, whatever the server does.
///
/// A request's latency counts from the instant at which it was due, not from when a connection was
/// free to carry it: otherwise a server that stalls would be asked less in its worst moments
/// ("coordinated omission", Gil Tene). So no queue is needed: what is overdue stands in the past of
/// `nextDue`.
package import Base

package struct SendSchedule: Sendable {
    private let start: Instant
    private let nanosecondsPerRequest: Double
    private var taken: UInt64 = 0

    /// `rate` requests per second.
    package init(rate: Double, from start: Instant) {
        self.start = start
        nanosecondsPerRequest = 1e9 / rate
    }

    package var nextDue: Instant {
        let offset = (Double(taken) * nanosecondsPerRequest).rounded()
        return start + .nanoseconds(Int64(min(offset, 9e18)))
    }

    /// The instant at which the next request was due, if that has come.
    package mutating func take(at now: Instant) -> Instant? {
        let due = nextDue
        guard due <= now else { return nil }
        taken += 1
        return due
    }

    /// Requests that are due and not yet taken.
    package func overdue(at now: Instant) -> Int {
        let elapsed = Double(now.since(start).wholeNanoseconds)
        guard now >= start else { return 0 }
        return max(0, Int(elapsed / nanosecondsPerRequest) + 1 - Int(taken))
    }
}
