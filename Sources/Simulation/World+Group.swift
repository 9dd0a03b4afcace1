/// What a world looks at in the replicas of its group: while it runs, and when all have come to the
/// same place.
internal import Base
internal import Node
internal import Raft
internal import Regions
internal import Storage

extension World {
    // MARK: The log

    func batch(_ record: Bytes, _ index: LogIndex) -> WriteBatch? {
        do throws(DecodeError) {
            return try CommandRecord.batch(ofEntry: record)
        } catch {
            violate(.atomicity, "entry \(index) cannot be read: \(error)")
            return nil
        }
    }

    /// A node hands an entry to its log.
    func noteEntry(_ record: Bytes, at index: LogIndex, _ node: SimNode) {
        node.entries[index] = record
        do throws(DecodeError) {
            let term = try EntryRecord.decode(record).entry.term
            let before = try node.entries[index - 1].map { (bytes) throws(DecodeError) in
                try EntryRecord.decode(bytes).entry.term
            }
            let found = logs.takes(
                record, at: index, term: term, after: before, by: node.replica)
            if let found { violate(.logMatching, found) }
        } catch {
            violate(.atomicity, "entry \(index) cannot be read: \(error)")
        }
    }

    /// What is applied for the first time gets its place in the order of effects; others apply it
    /// after that, and a restart applies some of it again.
    func notesApplied(_ items: [SimDisk.DataItem], _ node: SimNode) {
        for item in items {
            guard case .apply(_, let apply) = item else {
                if case .install(let stage, _, _) = item { notesInstalled(stage, node) }
                continue
            }
            let first = max(node.checkedApplied + 1, 1)
            for index in first..<max(first, apply.through + 1) {
                guard let record = node.entries[index] else { continue }
                if committed.records[index] == nil { checkCommitment(record, index, node) }
                let found = committed.applies(
                    record, at: index, by: node.replica, lastTerm: elections.lastTerm)
                if let found { violate(.stateMachineSafety, found) }
            }
            node.checkedApplied = apply.through
        }
        while let record = committed.records[ordered + 1] {
            ordered += 1
            if let batch = batch(record, ordered) { effectOrder.note(batch, at: agenda.now) }
        }
    }

    /// By whom it was committed is not known: by the membership of whoever leads, or of the first
    /// one that applies it, or by the one that was in force there just before. A change of the
    /// membership is committed by the majority of what it leads to, for no other begins before.
    private func checkCommitment(_ record: Bytes, _ index: LogIndex, _ node: SimNode) {
        let knowing = nodes.filter { $0.id == node.id || $0.status?.role == .leader }
        var possible = knowing.flatMap { $0.memberships.suffix(2) }
        if let own = membership(in: record) { possible = [own] }
        let found = possible.map { membership in
            commitment.commits(index, as: membership) { replica in
                // What was on a disk that is lost is not known any more.
                guard let holder = nodes.first(where: { $0.replica == replica }) else {
                    return true
                }
                return holder.disk.log.wouldKeep(record, at: index, of: SimNode.group)
            }
        }
        if let wrong = found.last, !found.contains(nil) { violate(.commitment, wrong ?? "") }
    }

    private func membership(in record: Bytes) -> Membership? {
        do throws(DecodeError) {
            guard case .membership(let membership) = try EntryRecord.decode(record).entry.content
            else { return nil }
            return membership
        } catch {
            violate(.atomicity, "an entry cannot be read: \(error)")
            return nil
        }
    }

    /// What it had in its log before it is not what it applies.
    private func notesInstalled(_ stage: SnapshotStage, _ node: SimNode) {
        let index = stage.snapshot.position.index
        for old in node.entries.keys.filter({ $0 <= index }) { node.entries[old] = nil }
        node.checkedApplied = index
        snapshotCount += 1
        note(node.id, .named("node"), "has the snapshot of \(stage.snapshot.position) in place")
        tell("\(node.id + 1) has the snapshot of \(stage.snapshot.position) in place")
    }

    // MARK: Roles

    func checkStatus(_ node: SimNode, _ status: GroupStatus?) {
        guard let status else { return }
        if node.memberships.last != status.membership {
            node.memberships.append(status.membership)
        }
        defer { node.status = status }
        if let found = progress.goesOn(
            MonotonicProgress.Place(status), from: node.status.map { MonotonicProgress.Place($0) })
        {
            violate(.monotonicProgress, "node \(node.id) \(found)")
        }
        guard status.role == .leader else { return }
        if node.status?.role == .leader, node.status?.term == status.term { return }
        note(node.id, .named("node"), "leads in term \(status.term)")
        tell("\(node.id + 1) leads in term \(status.term)")
        matters(node)
        if let found = elections.leads(status.replica, in: status.term) {
            violate(.electionSafety, found)
        }
        let missing = committed.missing(
            from: node.entries, base: status.base, end: status.last, in: status.term)
        if let missing {
            violate(
                .leaderCompleteness,
                "replica \(status.replica) leads in term \(status.term), and \(missing)")
        }
    }

    // MARK: The end

    /// Whether every replica has applied everything, under one leader.
    var hasConverged: Bool {
        guard nodes.count > 1 else { return true }
        let all = nodes.compactMap(\.status)
        guard all.count == nodes.count, network.underWay == 0,
            let leader = all.first(where: \.isServing),
            // Whoever left and whatever was wiped in between, all are one group again.
            leader.membership.voters.ids == all.map(\.replica).sorted()
        else { return false }
        return all.allSatisfy {
            $0.membership == leader.membership && $0.last == leader.last
                && $0.applied == leader.last && $0.commit == leader.last
                && $0.term == leader.term && $0.leader == leader.replica
        }
    }

    /// When all is at rest: what is unknown can change nothing any more, and all replicas are
    /// equal.
    func checkConverged() {
        guard nodes.count > 1, isAtRest else { return }
        for call in history.calls
        where call.settledAt == nil && (call.answer == nil || call.answer?.isUnknown == true) {
            history.settle(call.id, at: agenda.now)
        }
        do throws(StorageError) {
            if let found = try ReplicasEqual.difference(nodes.map(\.disk.engine)) {
                violate(.replicasEqual, found)
            }
        } catch {
            violate(.replicasEqual, "the data cannot be read: \(error)")
        }
        for node in nodes { checkRestart(node, crashedAt: nil) }
    }

    /// An append from what is in the log only.
    func shipFromLog(_ message: RaftMessage, _ node: SimNode) {
        guard case .append(let append) = message.body else { return }
        let first = append.previous.index + 1
        let range = first..<first + LogIndex(append.entries.count)
        do throws(StorageError) {
            let records = try node.disk.log.entries(
                of: SimNode.group, in: range, byteLimit: .max)
            // The log was cut meanwhile: the message is lost.
            guard records.count == append.entries.count else { return }
            let peer = PeerMessage(group: SimNode.group, message: message, entries: records)
            let shard = UnitAddress(core: 0, unit: .shard)
            var to = shard
            to.store = message.to.store
            ship(Envelope(from: shard, to: to, body: .raft(peer)), from: node)
        } catch {
            violate(.durability, "node \(node.id) cannot read its log: \(error)")
        }
    }
}
