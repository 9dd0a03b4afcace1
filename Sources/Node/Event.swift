/// What can happen to a unit of a node, and what a unit can want done.
///
/// A `Gateway` and a `Shard` have one entry, `step(event, at:, into:)`. A host executes the
/// effects: `Runtime` with sockets, threads and RocksDB, `Simulation` in one thread from a seed.
/// Durability is an event (`persisted`), never a return; a unit answers a write only when its token
/// has come back.
package import API
package import Base
package import DequeModule
package import Regions
package import Storage
package import Telemetry

/// Names a batch handed to the disk; rises by one with each batch of a shard.
package struct PersistToken: Hashable, Comparable, Sendable {
    package var number: UInt64
    package init(number: UInt64) { self.number = number }
    package static func < (a: PersistToken, b: PersistToken) -> Bool { a.number < b.number }
}

package typealias ReadToken = UInt64
package typealias ScrapeToken = UInt64

package enum Event: Sendable {
    case received(Envelope)
    /// The batch, and every one before it, is on disk and visible to reads.
    case persisted(PersistToken)
    /// The batch was not applied (`full`), or may have been (`failed`).
    case persistFailed(PersistToken, StorageError)
    case readFinished(ReadToken, Result<RawOutcome, StorageError>)
    case request(ExchangeID, Request)
    /// The client of that exchange has gone.
    case cancelled(ExchangeID)
    case diskSpace(DiskSpace)
    /// A write has failed for good; the host ends the node.
    case storeFailed(StorageError)
    case scraped(ScrapeToken, Scrape)
    /// The node takes no new work from now on.
    case stopping
    /// Everything that arrived in this turn of the loop has been handed over.
    case turnEnded
    /// `nextDeadline` has come.
    case deadlineReached
}

package enum Effect: Sendable {
    /// Apply the batch atomically and durably, then report the token.
    case persist(PersistToken, WriteBatch)
    /// Read where waiting for a disk is allowed: that view, or the newest that is there.
    case read(ReadToken, RawRead, (any EngineView)?, WallTime)
    /// Nobody waits for that read any more: it may end early. It is reported all the same.
    case stopRead(ReadToken)
    case send(Envelope)
    case respond(ExchangeID, Response, AccessRecord)
    /// The work for an exchange that was cancelled has ended; there is no answer.
    case released(ExchangeID)
    /// Ask every unit and the host itself for their metrics.
    case scrape(ScrapeToken)
}

/// What a log line about one request says. No keys and no values.
package struct AccessRecord: Sendable {
    package var method: Method
    package var route: Route
    package var status: Int
    /// The problem's code; nil for a success.
    package var code: ProblemCode?
    package var requestID: Bytes
    /// From the request to its answer.
    package var nanoseconds: UInt64
    package var responseBytes: Int
}

/// Effects in the order in which they were wanted. A deque, so that a host takes each out of it
/// without copying it: an effect has a dozen references to count.
package typealias Effects = Deque<Effect>
