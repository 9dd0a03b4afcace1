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
        scrape.add(.proposalDuration, counters.proposalDuration)
        scrape.add(.proposalWrites, counters.proposalWrites)
        guard let replica else { return }
        let trail = replica.raft.trail
        scrape.add(.logEntries, trail.lastIndex - trail.base.index)
        scrape.add(.unappliedEntries, trail.lastIndex - replica.applied)
    }
}
