/// What a node tells about itself at `/v1/status` and `/readyz`.
package import Base
package import Regions

package struct HealthCheck: Hashable, Sendable {
    /// snake_case, such as `store_writable`.
    package var name: String
    package var isPassing: Bool
    /// For a person: what is wrong and since when, or what was seen.
    package var detail: String

    package init(name: String, isPassing: Bool, detail: String) {
        self.name = name
        self.isPassing = isPassing
        self.detail = detail
    }
}

package struct NodeReport: Hashable, Sendable {
    /// Semantic version of this build, and the commit it was built from.
    package var version: String
    package var revision: String
    /// The node's identity, kept in its data directory.
    package var nodeID: String
    package var store: StoreID
    package var startedAt: WallTime
    package var uptime: Duration
    /// Such as `rocksdb`.
    package var engine: String
    /// Memory that the engine stays below; nil if nothing bounds it.
    package var memoryBoundBytes: UInt64?
    package var diskFreeBytes: UInt64
    package var diskCapacityBytes: UInt64
    /// All of them pass: the node is ready.
    package var checks: [HealthCheck]

    package init(
        version: String, revision: String, nodeID: String, store: StoreID,
        startedAt: WallTime, uptime: Duration, engine: String, memoryBoundBytes: UInt64?,
        diskFreeBytes: UInt64,
        diskCapacityBytes: UInt64, checks: [HealthCheck]
    ) {
        self.version = version
        self.revision = revision
        self.nodeID = nodeID
        self.store = store
        self.startedAt = startedAt
        self.uptime = uptime
        self.engine = engine
        self.memoryBoundBytes = memoryBoundBytes
        self.diskFreeBytes = diskFreeBytes
        self.diskCapacityBytes = diskCapacityBytes
        self.checks = checks
    }

    package var isReady: Bool { checks.allSatisfy(\.isPassing) }
}
