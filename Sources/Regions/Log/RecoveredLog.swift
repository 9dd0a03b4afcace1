/// A log as it was found, and what a replica may make of it together with the data beside it.
package import Base
package import Raft
package import Storage

package struct RecoveredLog: Hashable, Sendable {
    package var group: GroupID
    package var base: GroupBase
    package var hardState: HardState
    /// From the base's index + 1 on.
    package var entries: [Entry]

    package init(group: GroupID, base: GroupBase, hardState: HardState, entries: [Entry]) {
        self.group = group
        self.base = base
        self.hardState = hardState
        self.entries = entries
    }

    package var replica: ReplicaID { base.replica }
    package var lastIndex: LogIndex { base.index + LogIndex(entries.count) }

    /// What the replica starts with, and what has to be written to its log before it does.
    ///
    /// The data has its own database and is flushed in its own time. It may be behind the log's
    /// end: those entries are applied again. If it is at a place that the log does not have, a
    /// snapshot was put in place and the crash came before the log's part of it: the snapshot's
    /// identity is in the applied record, and the log begins anew behind it. It is never behind
    /// the log's begin: a log is compacted only up to what is on disk.
    package func recovered(
        applied: AppliedRecord?
    ) throws(StorageError) -> (state: RecoveredState, repair: LogBatch?) {
        let found = applied?.snapshot.position ?? .start
        guard found.index >= base.index else {
            throw .corrupt(
                "the data of group \(group) has come to entry \(found.index), and its log begins "
                    + "behind entry \(base.index): the data lost what it had on disk")
        }
        if let applied, term(at: found.index) != found.term {
            return replaced(by: applied.snapshot)
        }
        return (
            RecoveredState(
                hardState: hardState, snapshot: base.snapshot, entries: entries,
                applied: found.index),
            nil
        )
    }

    private func replaced(
        by snapshot: SnapshotIdentity
    ) -> (state: RecoveredState, repair: LogBatch?) {
        // A term above the own one was not voted in: the vote would have been written first.
        let term = snapshot.position.term
        let state = term > hardState.term ? HardState(term: term, vote: nil) : hardState
        var repair = LogBatch()
        repair.setBase(GroupBase(replica: replica, snapshot: snapshot), of: group)
        repair.cut(group, from: snapshot.position.index + 1)
        repair.setHardState(state, of: group)
        return (
            RecoveredState(
                hardState: state, snapshot: snapshot, applied: snapshot.position.index),
            repair
        )
    }

    private func term(at index: LogIndex) -> Term? {
        if index == base.index { return base.snapshot.position.term }
        guard index > base.index, index <= lastIndex else { return nil }
        return entries[Int(index - base.index) - 1].term
    }
}

/// Builds the logs from their records, which come group by group: base, hard state, entries.
package struct LogRecovery: Sendable {
    package private(set) var logs: [RecoveredLog] = []
    /// What is on disk of each log, with entries that a compaction left for later.
    package private(set) var extents: [GroupID: LogExtent] = [:]

    package init() {}

    /// - Parameter bytes: the record as it was stored.
    package mutating func add(_ key: LogKey, _ bytes: Bytes) throws(StorageError) {
        do throws(DecodeError) {
            if case .base = key.kind {
                let base = try GroupBase(decoding: bytes)
                extents[key.group] = LogExtent(base: base.index)
                logs.append(
                    RecoveredLog(group: key.group, base: base, hardState: .initial, entries: []))
                return
            }
            guard logs.last?.group == key.group else {
                throw DecodeError(expected: "the group's base before it", offset: 0)
            }
            switch key.kind {
            case .base: break
            case .hardState: logs[logs.count - 1].hardState = try HardState(decoding: bytes)
            case .entry(let index): try add(EntryRecord.decode(bytes).entry, at: index)
            }
        } catch {
            throw .corrupt("the Raft log, group \(key.group), \(key.kind): \(error)")
        }
    }

    private mutating func add(_ entry: Entry, at index: LogIndex) throws(DecodeError) {
        // No copy of the log is held here: it would be made anew with each entry.
        let place = logs.count - 1
        let group = logs[place].group
        if index <= logs[place].base.index {
            extents[group]!.foundGarbage(at: index)
            return
        }
        let next = logs[place].lastIndex + 1
        guard index == next else {
            throw DecodeError(expected: "entry \(next) before this one", offset: 0)
        }
        let lowest = logs[place].entries.last?.term ?? logs[place].base.snapshot.position.term
        let highest = logs[place].hardState.term
        guard entry.term >= lowest, entry.term <= highest else {
            throw DecodeError(
                expected: "a term from \(lowest) to \(highest), not \(entry.term)", offset: 0)
        }
        extents[group]!.append(index)
        logs[place].entries.append(entry)
    }

    /// At the end: what a single record cannot show.
    package func finish() throws(StorageError) {
        for log in logs where log.base.snapshot.position.term > log.hardState.term {
            throw .corrupt(
                "the Raft log, group \(log.group): its base has the term "
                    + "\(log.base.snapshot.position.term), its hard state \(log.hardState.term)")
        }
    }
}
