/// How fast a store sends snapshots, all of them together: the next chunk goes when the one before
/// it has had its time at the limit.
///
/// What serves has the disk and the network for the rest; on the connection itself a chunk holds
/// up nothing, whose frames take turns with those of other streams.
package import Base

package struct SnapshotPace: Sendable {
    private var mayGoAt = Instant.origin

    package init() {}

    /// When a chunk of so many bytes may go.
    package mutating func take(_ byteCount: Int, at now: Instant) -> Instant {
        let start = max(now, mayGoAt)
        let nanoseconds = UInt64(byteCount) * 1_000_000_000 / Limits.snapshotBytesPerSecond
        mayGoAt = start + .nanoseconds(Int64(nanoseconds))
        return start
    }
}
