/// What a shard tells a scrape.
internal import Base
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
        scrape.add(.unsyncedBytes, UInt64(unsyncedBytes + turnBatch.byteCount))
        scrape.add(.coldReads, counters.readsCold)
        scrape.add(.readsWaiting, UInt64(reads.count))
        scrape.add(.latchWaits, counters.latchWaits)
        scrape.add(.readErrors, counters.readErrors)
        for resource in Refusal.Resource.allCases {
            scrape.add(.overloaded, counters.overloads[resource] ?? 0, [resource.label])
        }
        scrape.add(.diskFull, disk?.isFull == true ? 1 : 0)
    }
}
