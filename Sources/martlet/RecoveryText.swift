/// What `martlet recover` says: how a store stands, what would be done, and what may be lost.
internal import Base
internal import Raft
internal import Regions
internal import RocksStorage
internal import Runtime
internal import Settings
internal import Terminal

struct RecoveryText {
    private let recovery: QuorumRecovery
    private let identity: StoreIdentity

    init(_ recovery: QuorumRecovery, _ identity: StoreIdentity) {
        self.recovery = recovery
        self.identity = identity
    }

    private static func list(_ replicas: [ReplicaID]) -> String {
        replicas.isEmpty ? "-" : replicas.map { "\($0.store)" }.joined(separator: " ")
    }

    private var voters: [ReplicaID] {
        recovery.loss.before.everyone.filter { recovery.loss.before.isVoter($0) }
    }

    /// Entries that count from then on, whether they were committed or not.
    private var uncertain: UInt64 {
        recovery.last.index - min(recovery.applied, recovery.last.index)
    }

    private var state: String {
        var table = Table("name", "value")
        table.add("cluster", "\(identity.cluster) (\(identity.clusterName))")
        table.add("store", "\(identity.store)")
        table.add("voters", Self.list(voters))
        table.add("lost", Self.list(recovery.loss.lost))
        table.add("left behind", Self.list(recovery.loss.leftBehind))
        table.add("term", "\(recovery.hardState.term)")
        table.add("last entry", "\(recovery.last.index), of term \(recovery.last.term)")
        table.add("on disk as data", "up to entry \(recovery.applied), which is committed")
        return table.text(aligned: true)
    }

    private var meaning: String {
        let store = identity.store
        var lines = [
            "Store \(store) becomes the only voter of a new cluster with the data that it has, in",
            "term \(recovery.term). Everything in its log counts.",
            "",
            "What may be lost: every write that was acknowledged and that store \(store) does not",
            "have. Such a write is on most of the voters, and those may be the lost ones. How many",
            "there are nobody can tell from here. The voters above are those that store \(store)",
            "heard of last.",
        ]
        if uncertain > 0 {
            lines += [
                "The last \(uncertain) entries of its log are not known as committed: they will",
                "count, even one that was never acknowledged.",
            ]
        }
        if !recovery.loss.leftBehind.isEmpty {
            let others = Self.list(recovery.loss.leftBehind)
            lines += [
                "",
                "Not named as lost, and cannot follow: \(others). Ask each with this command",
                "first, and take the store with the greatest last entry, its term before its",
                "index. The others join anew, with an empty directory.",
            ]
        }
        lines += [
            "",
            "The others must never start again as they are: together they are still the old",
            "cluster and would go on with it. One that comes alone is refused. Move their",
            "directories away and let them join as new stores.",
        ]
        return lines.joined(separator: "\n")
    }

    func plan(next: String) -> String {
        "\(state)\n\(meaning)\n\nNothing was changed. To do it:\n  \(next)"
    }

    func object(next: String) -> JSONObject {
        var object = JSONObject()
        object.add("result", "nothing was changed")
        object.add("cluster_id", identity.cluster)
        object.add("cluster_name", identity.clusterName)
        object.add("store_id", "\(identity.store)")
        object.add("voters", voters.map { "\($0.store)" })
        object.add("lost", recovery.loss.lost.map { "\($0.store)" })
        object.add("left_behind", recovery.loss.leftBehind.map { "\($0.store)" })
        object.add("term", Int(clamping: recovery.hardState.term))
        object.add("last_index", Int(clamping: recovery.last.index))
        object.add("last_term", Int(clamping: recovery.last.term))
        object.add("applied_index", Int(clamping: recovery.applied))
        object.add("try", next)
        return object
    }

    /// Kept beside the copy of what was before.
    func record(next: StoreIdentity, at now: WallTime) -> String {
        """
        \(String(decoding: now.rfc3339, as: UTF8.self)): martlet recover, confirmed.
        Cluster \(identity.cluster) was given up.
        Cluster \(next.cluster) goes on from store \(identity.store).

        \(state)
        \(meaning)

        """
    }

    // MARK: Afterwards

    static func done(_ identity: StoreIdentity, _ how: String, _ path: String) -> String {
        """
        \(how): store \(identity.store) is cluster \(identity.cluster) from now on
        What was before is in \(copy(identity, path)); remove it when all is well.

          martlet serve --data-dir \(shellQuoted(path))   # with its other flags as before
          martlet serve --data-dir NEW --join URL   # each other store, with an empty directory
        """
    }

    static func object(_ identity: StoreIdentity, _ how: String, _ path: String) -> JSONObject {
        var object = JSONObject()
        object.add("result", how)
        object.add("store_id", "\(identity.store)")
        object.add("cluster_id", identity.cluster)
        object.add("former_cluster_id", identity.former.last ?? "")
        object.add("copy", copy(identity, path))
        return object
    }

    private static func copy(_ identity: StoreIdentity, _ path: String) -> String {
        "\(path)/recovered/\(identity.cluster)"
    }

    // MARK: Refusals

    static func diagnosis(
        _ refusal: QuorumLoss.Refusal, _ store: StoppedStore, _ path: String
    ) -> Diagnosis {
        let own = store.replica.store
        let others = store.membership.everyone.filter { $0 != store.replica }
        let again =
            "martlet recover --data-dir \(shellQuoted(path)) --lost "
            + others.map { "\($0.store)" }.joined(separator: ",")
        func said(_ code: String, _ fact: String, _ advice: String) -> Diagnosis {
            Diagnosis(.error, code, fact, advice: advice)
        }
        switch refusal {
        case .nobodyNamed:
            return said(
                "nobody_lost",
                "--lost names no store; the others of the cluster are "
                    + list(others), again)
        case .namesItself:
            return said("nobody_lost", "--lost names store \(own), whose directory this is", again)
        case .unknown(let stores):
            return said(
                "store_not_found",
                "the cluster has no store \(list(stores)); the others are "
                    + list(others), again)
        case .notMember:
            return said(
                "not_member",
                "store \(own) has joined and was never told anything: it has no data",
                "martlet recover --data-dir DIR   # of a store that voted")
        case .majorityLeft(let voters):
            return said(
                "majority_left",
                "stores \(list(voters)) are enough to go on without the others, and lose nothing",
                "martlet serve   # on each of them; then martlet stores --remove ID")
        case .isLearner(let voters):
            return said(
                "is_learner", "store \(own) was still being sent the data; voters have more",
                "martlet recover   # on the machine of store \(list(voters))")
        case .isAlone:
            return said(
                "is_alone", "store \(own) is the only one of its cluster; it needs nobody",
                "martlet serve --data-dir \(shellQuoted(path))")
        }
    }
}
