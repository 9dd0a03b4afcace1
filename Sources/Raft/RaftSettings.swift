/// Times and bounds of a group, and the relations between them that its safety needs.
internal import Base

package struct RaftSettings: Hashable, Sendable {
    /// Between two heartbeats of a leader.
    package var heartbeatInterval = Duration.milliseconds(150)
    /// Without a word from the leader before a replica campaigns: between once and twice this.
    package var electionTimeout = Duration.milliseconds(900)
    /// For how long after a heartbeat that a majority answered its sender reads without asking.
    /// Below the election timeout by the share that two monotonic clocks may differ in rate.
    package var leaseDuration = Duration.milliseconds(720)
    /// Quiet heartbeats after which the group goes to sleep; nil: never.
    package var quietRoundsBeforeSleep: Int? = 20

    /// Bytes and entries of one append: what is worth a message without holding the next up.
    package var appendBytes = 1 << 20
    package var appendEntries = 1_024
    /// Bytes and entries on their way to one follower.
    package var windowBytes = 8 << 20
    package var windowEntries = 8_192
    /// Bytes of commands in a leader's log that are not committed.
    package var uncommittedBytes = 64 << 20
    /// Reads that wait for a read index.
    package var readsWaiting = 16_384
    /// A replica gives way to one with a higher priority whose log is as good.
    package var priority = 0
    package var mutations = RaftMutations()

    package init() {}

    package func checkRelations() {
        invariant(heartbeatInterval > .zero, "a leader that never rests does nothing else")
        invariant(heartbeatInterval * 3 <= electionTimeout, "one lost heartbeat elects nobody")
        invariant(leaseDuration < electionTimeout, "a lease ends before anyone may vote")
        invariant(appendBytes <= windowBytes, "a window holds an append")
        invariant(appendEntries <= windowEntries, "a window holds an append")
        invariant(appendBytes > 0 && appendEntries > 0, "an append moves something")
        invariant(uncommittedBytes > 0 && readsWaiting > 0, "something may wait")
    }
}
