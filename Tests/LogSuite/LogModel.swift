// What a store of Raft logs must hold, said as plainly as possible: an array of records for each
// group.
package import Base
package import Raft
package import Regions

/// One thing that happens to a group's log.
package enum LogMove: Hashable, Sendable, CaseIterable {
    case appendOne
    case appendThree
    /// The last two are replaced by one of a new term.
    case overwrite
    case voteOnly
    /// All but the last one may go.
    case compact
    /// A snapshot of a place three entries ahead.
    case leap
    /// A snapshot in the middle of the log, which drops what is behind it.
    case replace
}

package struct LogModel: Sendable {
    package let group: GroupID
    package private(set) var base: GroupBase
    package private(set) var state = HardState.initial
    package private(set) var entries: [Entry] = []
    package private(set) var records: [Bytes] = []
    private var token: UInt64 = 0

    package init(_ group: GroupID, in batch: inout LogBatch) {
        self.group = group
        let membership = Membership(voters: [ReplicaID(group.number * 10), ReplicaID(5)])
        base = GroupBase(
            replica: ReplicaID(group.number * 10),
            snapshot: SnapshotIdentity(position: .start, membership: membership))
        batch.setBase(base, of: group)
    }

    package var last: LogPosition {
        entries.last.map { LogPosition(index: lastIndex, term: $0.term) } ?? base.snapshot.position
    }
    package var lastIndex: LogIndex { base.index + LogIndex(entries.count) }
    package var recovered: RecoveredLog {
        RecoveredLog(group: group, base: base, hardState: state, entries: entries)
    }

    /// The records that a read of that range gives.
    package func records(in range: Range<LogIndex>, byteLimit: Int) -> [Bytes] {
        guard range.lowerBound > base.index else { return [] }
        var found: [Bytes] = []
        for index in range where index <= lastIndex {
            let record = records[Int(index - base.index) - 1]
            let total = found.reduce(record.count) { $0 + $1.count }
            if total > byteLimit, !found.isEmpty { break }
            found.append(record)
        }
        return found
    }

    package mutating func make(
        _ move: LogMove, _ generator: inout SeededGenerator, in batch: inout LogBatch
    ) {
        switch move {
        case .appendOne: write(from: lastIndex + 1, count: 1, &generator, &batch)
        case .appendThree: write(from: lastIndex + 1, count: 3, &generator, &batch)
        case .overwrite:
            let first = max(base.index + 1, lastIndex + 1 - min(2, LogIndex(entries.count)))
            state = HardState(term: state.term + 1, vote: nil)
            write(from: first, count: 1, &generator, &batch, changesState: true)
        case .voteOnly:
            state = HardState(term: state.term + 1, vote: ReplicaID(7))
            write(from: lastIndex + 1, count: 0, &generator, &batch, changesState: true)
        case .compact:
            guard entries.count > 1 else { return }
            let kept = entries.count - 1
            base.snapshot.position = LogPosition(
                index: lastIndex - 1, term: entries[kept - 1].term)
            entries.removeFirst(kept)
            records.removeFirst(kept)
            batch.setBase(base, of: group)
        case .leap: install(at: lastIndex + 3, &generator, &batch)
        case .replace: install(at: base.index + LogIndex(entries.count / 2), &generator, &batch)
        }
    }

    private mutating func install(
        at index: LogIndex, _ generator: inout SeededGenerator, _ batch: inout LogBatch
    ) {
        state = HardState(term: state.term + 1, vote: nil)
        base.snapshot.position = LogPosition(index: index, term: state.term)
        entries = []
        records = []
        write(
            from: index + 1, count: 0, &generator, &batch, changesState: true,
            snapshot: base.snapshot)
    }

    private mutating func write(
        from first: LogIndex, count: Int, _ generator: inout SeededGenerator,
        _ batch: inout LogBatch, changesState: Bool = false, snapshot: SnapshotIdentity? = nil
    ) {
        let kept = Int(first - base.index) - 1
        let truncates = snapshot != nil || kept < entries.count
        entries.removeLast(entries.count - kept)
        records.removeLast(records.count - kept)
        for _ in 0..<count {
            let size = Int.random(in: 1...40, using: &generator)
            let command = Bytes(repeating: UInt8.random(in: 0...9, using: &generator), count: size)
            let isBlank = generator.chance(1, in: 5)
            let entry = Entry(term: state.term, isBlank ? .blank : .command(byteCount: size))
            entries.append(entry)
            records.append(EntryRecord.encode(entry, command: isBlank ? [] : command))
        }
        token += 1
        let write = LogWrite(
            token: DurabilityToken(number: token), hardState: changesState ? state : nil,
            snapshot: snapshot, firstIndex: first, entries: Array(entries[kept...]),
            truncates: truncates)
        batch.add(write, of: group, replica: base.replica) { records[Int($0 - base.index) - 1] }
    }
}
