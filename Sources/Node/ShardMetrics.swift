/// What a shard tells a scrape.
internal import Base
internal import Raft
internal import Regions
internal import Storage
package import Telemetry

extension Shard {
    package func measure(into scrape: inout Scrape) {
        for operation in ShardCounters.Operation.allCases {
            for result in ShardCounters.Result.allCases {
                scrape.add(
                    .operationsDone, counters[operation, result],
                    ["raw", operation.rawValue, result.rawValue])
            }
        }
        measureReplica(into: &scrape)
        scrape.add(.unsyncedBytes, UInt64(unappliedBytes + turnBatch.byteCount))
        scrape.add(.coldReads, counters.readsCold)
        scrape.add(.readsWaiting, UInt64(reads.count))
        scrape.add(.latchWaits, counters.latchWaits)
        scrape.add(.writesWaiting, UInt64(latches.queuedCount + ranges.queuedCount))
        scrape.add(.readErrors, counters.readErrors)
        for resource in Refusal.Resource.allCases {
            scrape.add(.overloaded, counters.overloads[resource] ?? 0, [resource.label])
        }
    }

    private func measureReplica(into scrape: inout Scrape) {
        for role in Role.allCases {
            scrape.add(.groups, replica?.raft.role == role ? 1 : 0, [role.rawValue])
        }
        scrape.add(.leaderChanges, counters.leaderChanges)
        scrape.add(.leadsOffered, counters.leadsOffered)
        scrape.add(.appendsWithoutRoom, counters.appendsWithoutRoom)
        scrape.add(.raftReads, counters.leaseReads, ["lease"])
        scrape.add(.raftReads, counters.indexReads, ["index"])
        scrape.add(.raftReads, counters.staleReads, ["stale"])
        scrape.add(.staleReadsRefused, counters.staleRefusals)
        scrape.add(.proposalDuration, counters.proposalDuration)
        scrape.add(.commitDuration, counters.commitDuration)
        scrape.add(.proposalWrites, counters.proposalWrites)
        guard let replica else { return }
        let trail = replica.raft.trail
        scrape.add(.raftTerm, replica.raft.term)
        if replica.raft.role == .leader {
            let own = trail.lastIndex - min(replica.raft.durable, trail.lastIndex)
            scrape.add(.logLag, own, ["\(replica.raft.id.store)"])
        }
        for follower in replica.raft.followers {
            let lag = trail.lastIndex - min(follower.match, trail.lastIndex)
            scrape.add(.logLag, lag, ["\(follower.id.store)"])
        }
        scrape.add(.logEntries, trail.lastIndex - trail.base.index)
        scrape.add(.unappliedEntries, trail.lastIndex - replica.applied)
    }
}
