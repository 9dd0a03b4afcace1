/// What can happen to a unit of a node, and what a unit can want done.
///
/// A `Gateway` and a `Shard` have one entry, `step(event, at:, into:)`. A host executes the
/// effects: `Runtime` with sockets, threads and RocksDB, `Simulation` in one thread from a seed.
/// Durability is an event (`logged`), never a return; a unit answers a write only when its
/// entry is committed and `applied`.
package import API
package import Base
package import DequeModule
package import Failpoints
package import Raft
package import Regions
package import Storage
package import Telemetry

package typealias ReadToken = UInt64
package typealias ScrapeToken = UInt64

package enum Event: Sendable {
    case received(Envelope)
    /// The group's log, up to that write, is on disk.
    case logged(GroupID, DurabilityToken)
    /// The data has every entry of the group up to that index, for reads; not yet on disk.
    case applied(GroupID, through: LogIndex)
    /// The data has every entry of the group up to that index on disk.
    case flushed(GroupID, through: LogIndex)
    /// The connection to that store is gone: what was on its way there or back is lost.
    case peerLost(StoreID)
    /// The table of stores, if there is one, is to be in the log before it.
    case change(GroupID, GroupChangeID, GroupChange, StoreTable?)
    /// A snapshot for that replica was handed over, at that index; nil: it was not.
    case snapshotEnded(GroupID, to: ReplicaID, at: LogIndex?)
    case readFinished(ReadToken, Result<RawOutcome, StorageError>)
    case request(ExchangeID, Request)
    /// A failpoint of the host wants it refused so, before anything is done.
    case refused(ExchangeID, Request, Problem)
    /// The client of that exchange has gone.
    case cancelled(ExchangeID)
    case diskSpace(DiskGuard)
    /// A write has failed for good; the host ends the node.
    case storeFailed(StorageError)
    case scraped(ScrapeToken, Scrape)
    case failpoints(ScrapeToken, [FailpointState])
    case stores(ScrapeToken, Result<ClusterReport, Problem>)
    /// The cluster has removed this store, for good; the sentence says what to do.
    case removed(String)
    /// The node takes no new work from now on.
    case stopping
    /// Everything that arrived in this turn of the loop has been handed over.
    case turnEnded
    /// `nextDeadline` has come: a time at which a request ends, or the next turn for what this one
    /// had no room for.
    case deadlineReached
}

package enum Effect: Sendable {
    /// Write it to the log, with what others append, in one sync; then `logged`. A failure is the
    /// node's end. If it takes a snapshot, that has to be in place in the data before, and behind
    /// every `apply` before it.
    case append(LogAppend)
    /// Write it to the data, atomically and in order; then `applied`. A failure is the node's end.
    case apply(LogApply)
    /// The log of the group begins behind that base from now on.
    case compact(GroupID, GroupBase)
    /// A replica has found its log damaged: the node's end.
    case damaged(StorageError)
    /// A write was refused for want of space: the store may get some back. At most once between
    /// two looks at the disk.
    case refusedForSpace
    /// Read where waiting for a disk is allowed: that view, or the newest that is there.
    case read(ReadToken, RawRead, (any EngineView)?, WallTime)
    /// Nobody waits for that read any more: it may end early. It is reported all the same.
    case stopRead(ReadToken)
    case send(Envelope)
    /// An append to another store whose entries' records are in the log only: read them there, then
    /// send it, or lose it.
    case sendFromLog(GroupID, RaftMessage)
    /// Build a snapshot of the group's data, at that index or behind, hand it to that replica with
    /// a `snapshot` message of this term, and report `snapshotEnded`.
    case sendSnapshot(GroupID, to: ReplicaID, term: Term, beat: Beat, atLeast: LogIndex)
    /// Nobody wants the snapshots of the group any more that this replica has had sent: it does not
    /// lead, or in another term. There is no `snapshotEnded` for them.
    case stopSnapshots(GroupID)
    /// What became of a `change`.
    case changed(GroupChangeID, GroupChangeResult)
    /// A staged snapshot of that place is of no use.
    case discardSnapshot(GroupID, LogPosition)
    case respond(ExchangeID, Response, AccessRecord)
    /// The work for an exchange that was cancelled has ended; there is no answer.
    case released(ExchangeID)
    /// Ask every unit and the host itself for their metrics.
    case scrape(ScrapeToken)
    /// Of the host: then `failpoints` with how they stand.
    case commandFailpoints(ScrapeToken, FailpointCommand)
    /// Of the host: then `stores` with what came of it.
    case commandStores(ScrapeToken, StoreCommand)
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
