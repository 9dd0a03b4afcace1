/// How many files and connections fit under the process's limit of file descriptors (getrlimit(2)).
///
/// A low limit lowers what the node takes on, down to what the storage cannot do without: below
/// that a flush would fail one day and end the node, so it does not start.
internal import Base
internal import Glibc
internal import RocksStorage

struct DescriptorBudget {
    /// The soft limit when the process began.
    let before: Int
    /// The soft limit now, raised as far as the hard one allows.
    let limit: Int

    /// Standard streams, listeners, event loops, logs and locks.
    static let reserved = 64
    static let connectionsMin = 16
    /// The least limit to start with.
    static let least = reserved + RocksOptions.storeOpenFiles(under: 0) + connectionsMin

    /// Half for the storage, as its options have it, and a little for its log.
    var tables: Int { RocksOptions.storeOpenFiles(under: limit) }

    var connections: Int {
        min(
            max(limit - tables - DescriptorBudget.reserved, DescriptorBudget.connectionsMin),
            Limits.connections)
    }

    /// Raises the soft limit to the hard limit: what the system allows, it allows on purpose.
    static func raised() -> DescriptorBudget {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            return DescriptorBudget(before: 1024, limit: 1024)
        }
        let before = limit.rlim_cur
        if before < limit.rlim_max {
            limit.rlim_cur = limit.rlim_max
            if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) != 0 {
                limit.rlim_cur = before
            }
        }
        return DescriptorBudget(before: Int(clamping: before), limit: Int(clamping: limit.rlim_cur))
    }

    var fact: String {
        let raised = before < limit ? " (it was \(before), and this raised it)" : ""
        let all = connections < Limits.connections ? " of \(Limits.connections)" : ""
        return "the limit of open files is \(limit)\(raised); "
            + "\(connections)\(all) connections and \(tables) table files fit"
    }

    /// Nil if nothing is lowered. The hard limit is reached by then, and only somebody else can
    /// raise that one.
    var advice: String? {
        guard connections < Limits.connections else { return nil }
        return "LimitNOFILE=65536 in the unit, or docker run --ulimit nofile=65536   "
            + "# the hard limit; in a shell only root can: ulimit -n 65536"
    }
}
