/// What a shard holds for someone, asked by tests and by the simulator when nothing is under way
/// any more: whatever is left then is a leak that would one day hold up a client.
internal import Base
internal import DequeModule
internal import Storage

extension Shard {
    /// A name for something that is held; nil if nothing is.
    package var heldResource: String? {
        if !requests.isEmpty { return "\(requests.count) requests" }
        if !writes.isEmpty { return "\(writes.count) writes" }
        if !reads.isEmpty { return "\(reads.count) reads" }
        if !proposals.isEmpty || !turnBatch.isEmpty { return "writes that are not applied" }
        if !indexReads.isEmpty { return "\(indexReads.count) reads that wait for an index" }
        if waitingForData.contains(where: { requests.contains($0.handle) }) {
            return "reads that wait for the data"
        }
        if changeUnderWay != nil { return "a change of the group" }
        if !ranges.isIdle { return "a closed range" }
        if !latches.areFree { return "a latch" }
        return nil
    }
}
